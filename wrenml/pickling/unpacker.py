"""Reading packed values, in the worker and in the client."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

from wrenml.errors import WireError
from wrenml.pickling.format import PLAIN, Buffer, Parts, take_apart

__all__ = ["BLOB", "HERE", "INPUT", "Unpacker"]

INPUT = "input"
BLOB = "blob"
HERE = "here"


class Unpacker:
    """Unpickles what `Packer` and `dumps_result` made.

    Parameters
    ----------
    get_blob : callable
        From a 32-byte digest to a buffer. Arrays are built over that buffer, so return a fresh, private
        and writable one (a copy-on-write mapping) each time, or calls will see each other's changes.
    get_input : callable, optional
        From job and index to the result of that call. Default: such references are refused.

    Notes
    -----
    Every `loads` builds new objects. Within one `loads` an object referred to twice is one object.
    """

    __slots__ = ("_get_blob", "_get_input")

    def __init__(
        self, get_blob: Callable[[bytes], Buffer], get_input: Callable[[str, int], object] | None = None
    ) -> None:
        self._get_blob = get_blob
        self._get_input = get_input

    def loads(self, data: Buffer) -> Any:  # noqa: ANN401 - what comes out is whatever was pickled
        """Return the object that `data` holds.

        Parameters
        ----------
        data : Buffer
            A whole packed value. Inline buffers are used in place: arrays built from a writable buffer are
            writable and keep it alive.

        Raises
        ------
        WireError
            The bytes are not a packed value of this version.
        """
        if data and data[0] == PLAIN:
            return pickle.loads(data)
        return self._load(data, {})

    def _load(self, data: Buffer, memo: dict[Any, Any]) -> Any:  # noqa: ANN401
        if data and data[0] == PLAIN:
            return pickle.loads(data)
        parts = take_apart(data, self._get_blob)
        if parts.references:
            return _ReferenceUnpickler(parts, self._resolve, memo).load()
        return pickle.loads(parts.stream, buffers=parts.buffers)

    def _resolve(self, reference: tuple[Any, ...], memo: dict[Any, Any]) -> Any:  # noqa: ANN401
        kind, first, second = reference
        if kind == INPUT:
            if self._get_input is None:
                raise WireError("A value refers to another call's result, but no results are given here.")
            return self._get_input(first, second)
        return self._load(self._get_blob(second) if kind == BLOB else second, memo)


class _ReferenceUnpickler(pickle.Unpickler):
    """Resolves persistent references, each once for one `loads`."""

    def __init__(
        self,
        parts: Parts,
        resolve: Callable[[tuple[Any, ...], dict[Any, Any]], Any],
        memo: dict[Any, Any],
    ) -> None:
        super().__init__(io.BytesIO(parts.stream), buffers=parts.buffers)
        self._resolve = resolve
        self._resolved = memo

    def persistent_load(self, pid: tuple[Any, ...]) -> Any:  # noqa: ANN401
        if pid not in self._resolved:
            self._resolved[pid] = self._resolve(pid, self._resolved)
        return self._resolved[pid]
