"""Packing results, in the worker: without cloudpickle where the standard pickler will do."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable, Sequence
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType
from typing import Any

from wrenml.errors import ResultNotSerializable
from wrenml.pickling.blame import Refused, attempt, blame, short_repr
from wrenml.pickling.format import ALIGNMENT, Buffer, Inline, keep_out, prefix, stream_offset

__all__ = ["dumps_result"]

INLINE_FROM = 64 * 1024  # bytes from which a buffer stays out of the stream

_ATOMS = frozenset({int, float, str, bytes, bool, complex, type(None)})

_FILE = "an open file, which is bound to the worker. Return what is in it, or write to the executor's storage"
_REFUSED: tuple[tuple[type, str], ...] = (
    (
        CoroutineType,
        "a coroutine that was never awaited. Map the `async def` function itself, or return a value",
    ),
    (GeneratorType, "a generator, which cannot leave its process. Return list(...) of it"),
    (AsyncGeneratorType, "an async generator, which cannot leave its process. Collect it into a list"),
    (io.TextIOWrapper, _FILE),
    (io.BufferedReader, _FILE),
    (io.BufferedWriter, _FILE),
    (io.BufferedRandom, _FILE),
    (io.FileIO, _FILE),
)
# Named, since loading them here would slow every worker that never meets one.
_REFUSED_WHEN_LOADED = (
    ("_socket", "socket", "a socket, which is bound to the worker. Return what was read from it"),
    ("concurrent.futures", "Future", "a future. Return its result(), or pass the future as an argument"),
    ("asyncio", "Future", "an asyncio future, which is bound to its loop. Await it and return the result"),
)


def dumps_result(obj: object) -> list[Buffer]:
    """Pack what a call returned.

    Parameters
    ----------
    obj : object
        The result.

    Returns
    -------
    list of Buffer
        The packed bytes in pieces, to be written one after the other. Buffers of 64 KB and more are
        views of the result's own memory: write them before it changes.

    Raises
    ------
    ResultNotSerializable
        Names the type, a short repr and the part that cannot be pickled; for coroutines, generators, files,
        sockets and futures it says what to return instead.
    """
    if type(obj) in _ATOMS:
        return [pickle.dumps(obj, 5)]
    pickled, error = attempt(_pickle, obj)
    if pickled is None or error is not None:
        raise _refused(obj, error or TypeError("cannot be pickled")) from error
    stream, buffers = pickled
    return _lay_out(stream, [buffer.raw() for buffer in buffers]) if buffers else [stream]


class _ByValue(BaseException):
    """Met a function or class that the other side cannot import."""


class _NamePickler(pickle.Pickler):
    """The standard pickler, stopping at the first function or class that must go by value."""

    def __init__(self, file: io.BytesIO, buffers: list[pickle.PickleBuffer]) -> None:
        super().__init__(file, 5, buffer_callback=keep_out(buffers, INLINE_FROM))
        self._refuse = _refusal()

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - pickle's own signature
        self._refuse(obj)
        kind = type(obj)
        if (kind is FunctionType or issubclass(kind, type)) and obj.__module__ == "__main__":
            raise _ByValue
        return NotImplemented


def _pickle(obj: object) -> tuple[bytes, list[pickle.PickleBuffer]]:
    named, error = attempt(_name_pickle, obj)
    if isinstance(error, Refused):
        raise error
    if named is not None:
        return named
    # Closures, dynamic classes and the like: cloudpickle may know how.
    from wrenml.pickling.picklers import pickle_result  # noqa: PLC0415 - loads cloudpickle, seldom needed

    return pickle_result(obj, INLINE_FROM, _refusal())


def _name_pickle(obj: object) -> tuple[bytes, list[pickle.PickleBuffer]] | None:
    file = io.BytesIO()
    buffers: list[pickle.PickleBuffer] = []
    try:
        _NamePickler(file, buffers).dump(obj)
    except _ByValue:
        return None
    return file.getvalue(), buffers


def _refusal() -> Callable[[object], None]:
    fine: set[type] = set()

    def refuse(obj: object) -> None:
        kind = type(obj)
        if kind in fine:
            return
        reason = _why_not(kind)
        if reason is not None:
            raise Refused(f"it is {reason}", obj)
        fine.add(kind)

    return refuse


def _why_not(kind: type) -> str | None:
    for refused, reason in _REFUSED:
        if issubclass(kind, refused):
            return reason
    for module, name, reason in _REFUSED_WHEN_LOADED:
        loaded = getattr(sys.modules.get(module), name, ())
        if issubclass(kind, loaded):
            return reason
    return None


def _refused(obj: object, error: Exception) -> ResultNotSerializable:
    what = f"The call returned {type(obj).__module__}.{type(obj).__qualname__} {short_repr(obj)}"
    reason = _why_not(type(obj))
    if reason is not None:
        return ResultNotSerializable(f"{what}: {reason}.")
    return ResultNotSerializable(f"{what}, which cannot be sent back. {blame(obj, 'result', error, _pickle)}")


def _lay_out(stream: bytes, views: Sequence[memoryview]) -> list[Buffer]:
    end = stream_offset(len(views)) + len(stream)
    table: list[bytes | Inline] = []
    pieces: list[Buffer] = []
    for view in views:
        padding = -end % ALIGNMENT
        table.append(Inline(end + padding, view.nbytes))
        pieces += (bytes(padding), view) if padding else (view,)
        end += padding + view.nbytes
    first = prefix(len(stream), table, references=False) + stream
    return [first, *pieces]
