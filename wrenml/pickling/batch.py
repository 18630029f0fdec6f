"""Packing many arguments, each on its own, with what recurs among them stored once."""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from wrenml.errors import ArgumentNotSerializable
from wrenml.pickling.blame import attempt, blame
from wrenml.pickling.blobs import Blobs
from wrenml.pickling.sharing import Packed, Sharing, direct_parts, recurring

__all__ = ["BLOB_FROM", "AsInput", "Batch", "PackedItems", "packed_items", "picklers", "trial"]

AsInput = Callable[[object], tuple[str, int] | None]

# Bytes from which a buffer becomes a blob of its own: of what is packed once, and of one argument among many,
# where a blob costs a request for each.
BLOB_FROM = 64 * 1024
ITEM_BLOB_FROM = 1024 * 1024

# A pickler that met a large object keeps a large memo, and clearing that costs every later item.
_KEEP_UP_TO = 64 * 1024


class PackedItems(NamedTuple):
    """Arguments packed one by one.

    Parameters
    ----------
    data : bytes
        The packed items, one after the other.
    offsets : array of uint64
        Where each starts in `data`, and where the last ends: one more than there are items.
    errors : dict
        By position, the items that cannot be pickled; they have no bytes.
    inputs : dict
        By position, job and index of the calls whose results the item refers to.
    """

    data: bytes
    offsets: array[int]
    errors: dict[int, ArgumentNotSerializable]
    inputs: dict[int, tuple[tuple[str, int], ...]]


def packed_items(chunks: Sequence[bytes]) -> PackedItems:
    """Return packed items without errors or inputs."""
    return PackedItems(b"".join(chunks), array("Q", accumulate(map(len, chunks), initial=0)), {}, {})


def picklers() -> Any:  # noqa: ANN401 - a module
    """Return `wrenml.pickling.picklers`, which loads cloudpickle: workers seldom need it."""
    from wrenml.pickling import picklers as module  # noqa: PLC0415 - see above

    return module


def trial(obj: object, as_input: AsInput | None = None) -> None:
    """Pickle an object for nothing but its error; buffers stay out, so that no data is copied."""
    try:
        picklers().ValuePickler(set(), 0, as_input).pickle(obj)
    except picklers().InputMet:
        return


class Batch:
    """One `dumps_many` under way.

    Parameters
    ----------
    modules : set of str
        Gets the names of the modules referred to.
    blobs : Blobs
        Where large buffers and shared objects go.
    as_input : callable or None
        As for `Packer`.
    items : sequence
        What to pack.
    parts_of : sequence of sequence
        `notable_parts` of each item.
    """

    def __init__(
        self,
        modules: set[str],
        blobs: Blobs,
        as_input: AsInput | None,
        items: Sequence[object],
        parts_of: Sequence[Sequence[object]],
    ) -> None:
        self._modules = modules
        self._blobs = blobs
        self._as_input = as_input
        self._items = items
        self._parts_of = parts_of
        candidates = recurring(parts_of)
        anchors = direct_parts(items) if candidates else set()
        self._sharing = Sharing(candidates, anchors, self._pack_shared, blobs.write)
        self._picklers = picklers()
        self._values: Any = None
        self._references: Any = None

    def pack(self, start: int) -> PackedItems:
        """Pack the items, given the number of the first."""
        self._sharing.resolve()
        self._blobs.flush()
        chunks: list[bytes] = []
        errors: dict[int, ArgumentNotSerializable] = {}
        inputs: dict[int, tuple[tuple[str, int], ...]] = {}
        for i, (item, parts) in enumerate(zip(self._items, self._parts_of, strict=True)):
            if not parts:
                chunks.append(pickle.dumps(item, 5))
                continue
            pickled, error = attempt(self._pickle, item, parts)
            if pickled is None or error is not None:
                chunks.append(b"")
                errors[i] = self._refused(item, start + i, error)
                continue
            stream, buffers, found = pickled
            if found:
                inputs[i] = found
            chunks.append(self._blobs.join(stream, buffers, references=found is not None))
            self._blobs.flush()
        packed = packed_items(chunks)
        return PackedItems(packed.data, packed.offsets, errors, inputs)

    def _pickle(
        self, item: object, parts: Sequence[object]
    ) -> tuple[bytes, list[pickle.PickleBuffer], tuple[tuple[str, int], ...] | None]:
        # The last is None where the stream has no references.
        if not any(self._sharing.reference(part) for part in parts):
            pickler = self._values or self._picklers.ValuePickler(self._modules, ITEM_BLOB_FROM, self._as_input)
            self._values = None
            try:
                stream, buffers = pickler.pickle(item)
            except self._picklers.InputMet:
                pass
            else:
                if len(stream) <= _KEEP_UP_TO:
                    self._values = pickler
                return stream, buffers, None
        pickler = self._references or self._reference_pickler(ITEM_BLOB_FROM)
        self._references = None
        stream, buffers = pickler.pickle(item)
        if len(stream) <= _KEEP_UP_TO:
            self._references = pickler
        return stream, buffers, tuple(pickler.inputs)

    def _reference_pickler(self, threshold: int) -> Any:  # noqa: ANN401
        return self._picklers.ReferencePickler(self._modules, threshold, self._as_input, self._sharing.reference)

    def _pack_shared(self, obj: object) -> Packed | None:
        pickler = self._reference_pickler(BLOB_FROM)
        pickled, error = attempt(pickler.pickle, obj)
        # A failure is reported by each argument that has the object; inputs are known to arguments only.
        if pickled is None or error is not None or pickler.inputs:
            return None
        stream, buffers = pickled
        size = len(stream) + sum(memoryview(buffer).nbytes for buffer in buffers)
        return self._blobs.join(stream, buffers, references=True), size

    def _refused(self, item: object, number: int, error: Exception | None) -> ArgumentNotSerializable:
        reason = error or TypeError("cannot be pickled")
        refused = ArgumentNotSerializable(
            blame(item, f"args[{number}]", reason, lambda part: trial(part, self._as_input))
        )
        refused.__cause__ = error
        return refused
