"""Exceptions as bytes: type, attributes, notes, tracebacks, causes, contexts and the members of groups.

Imported on first need, since cloudpickle is slow to import.
"""

from __future__ import annotations

import contextlib
import io
import pickle
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, MethodDescriptorType, TracebackType, WrapperDescriptorType
from typing import Any, cast

import cloudpickle

from wrenml.errors import RemoteError, SerializationError
from wrenml.failures.chain import related
from wrenml.failures.frames import build_traceback, read_traceback
from wrenml.failures.guarding import survive
from wrenml.failures.words import message_of, type_name

__all__ = ["dumps", "loads", "make", "restore", "restore_own"]

LARGEST = 1 << 20
"""Bytes a pickled exception may take."""


def dumps(exc: BaseException) -> bytes:
    """Return the exception and all that hangs on it as bytes that are known to come back as its own type.

    A class's own way of pickling is tried first. Where it has none, or one that fails, the object is made
    without calling the class's `__init__`, whose parameters need not be what `args` holds. A cause, context
    or member of a group that cannot be pickled in either way is replaced by a `RemoteError` with its text.

    Raises
    ------
    SerializationError
        The bytes would be more than `LARGEST`, or would not come back.
    Exception
        Whatever the user's code raises while it is pickled.
    """
    chain = related(exc)
    if len(chain) == 1:
        return _proven(chain)
    return survive(lambda: _proven(chain), lambda _: _proven(chain, _unpicklable(chain)))


def _unpicklable(chain: list[BaseException]) -> frozenset[int]:
    """Return the ids of those behind the first that cannot be pickled even without their links."""
    ids = frozenset(map(id, chain))
    return frozenset(
        id(each)
        for each in chain[1:]
        if survive(lambda: not _proven([each], ids - {id(each)}), lambda _: True)  # noqa: B023  called at once
    )


def loads(body: bytes | memoryview) -> BaseException:
    """Return the exception that `dumps` made the bytes of.

    Raises
    ------
    Exception
        Whatever unpickling raises, such as ImportError for a class that does not exist here.
    """
    exc = pickle.loads(body)[-1]
    if not isinstance(exc, BaseException):
        raise SerializationError(f"what came back is not an exception but of type {type(exc).__qualname__}")
    return exc


def _proven(chain: list[BaseException], replaced: frozenset[int] = frozenset()) -> bytes:
    if not any(_pickles_itself(type(each)) for each in chain):
        return _round_trip(chain, replaced, own=False)
    return survive(lambda: _round_trip(chain, replaced, own=True), lambda _: _round_trip(chain, replaced, own=False))


def _round_trip(chain: list[BaseException], replaced: frozenset[int], *, own: bool) -> bytes:
    file = _LimitedFile()
    # The innermost first, so that a long chain is not a deep recursion.
    _ExceptionPickler(file, replaced, own=own).dump(chain[::-1])
    body = file.getvalue()
    file.seek(0)
    if type(_BareUnpickler(file).load()[-1]) is not type(chain[0]):
        raise SerializationError("it comes back from its pickle as another type")
    return body


class _BareUnpickler(pickle.Unpickler):
    """Leaves out tracebacks, which cost the most and cannot fail."""

    def find_class(self, module: str, name: str, /) -> Any:  # noqa: ANN401
        if (module, name) == (build_traceback.__module__, build_traceback.__qualname__):
            return _no_traceback
        return super().find_class(module, name)


def _no_traceback(_rows: object) -> None:
    return None


class _LimitedFile(io.BytesIO):
    def write(self, data: Any, /) -> int:  # noqa: ANN401  any buffer
        if self.tell() + memoryview(data).nbytes > LARGEST:
            raise SerializationError(f"pickled, it takes more than {LARGEST >> 20} MB")
        return super().write(data)


class _ExceptionPickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle ships no types
    def __init__(self, file: io.BytesIO, replaced: frozenset[int], *, own: bool) -> None:
        super().__init__(file, protocol=5)
        self._replaced = replaced
        self._own = own

    def reducer_override(self, obj: object) -> Any:  # noqa: ANN401  what pickle expects is a union of many
        if isinstance(obj, TracebackType):
            return build_traceback, (read_traceback(obj),)
        # A proxy may claim to be of any class.
        if issubclass(type(obj), BaseException):
            return self._reduce(cast("BaseException", obj))
        return super().reducer_override(obj)

    def _reduce(self, exc: BaseException) -> Any:  # noqa: ANN401
        if id(exc) in self._replaced:
            return _reduce_replaced(exc)
        return _reduce_own(exc) if self._own and _pickles_itself(type(exc)) else _reduce(exc)


def _pickles_itself(cls: type[BaseException]) -> bool:
    return not (
        cls.__reduce_ex__ is object.__reduce_ex__
        and isinstance(cls.__reduce__, MethodDescriptorType)
        and isinstance(cls.__setstate__, MethodDescriptorType)
    )


# What is linked is pickled as state, after the exception itself: so circles of causes come through.


def _reduce_own(exc: BaseException) -> Any:  # noqa: ANN401
    reduced = exc.__reduce_ex__(5)
    if isinstance(reduced, str):
        return reduced
    padded = (*reduced, None, None, None, None)
    return reduced[0], reduced[1], (padded[2], padded[5], _links(exc)), None, None, restore_own


def _reduce_replaced(exc: BaseException) -> Any:  # noqa: ANN401
    message = f"{type_name(exc)}: {message_of(exc)} (the exception itself could not be pickled on the worker)"
    known = {"type_name": type_name(exc), "remote_traceback": ""}
    return make, (RemoteError, (message,), (message,)), (known, {}, _links(exc)), None, None, restore


def _reduce(exc: BaseException) -> Any:  # noqa: ANN401
    cls = type(exc)
    reduced = cast("Any", next(_natives(cls, "__reduce__", MethodDescriptorType))(exc))
    args = reduced[1]
    known = vars(exc)
    members = {k: v for k, v in (reduced[2] or {}).items() if k not in known} if len(reduced) > 2 else {}  # noqa: PLR2004
    members |= {name: getattr(exc, name) for name in _slots(cls) if hasattr(exc, name)}
    new_args = (exc.message, exc.exceptions) if isinstance(exc, BaseExceptionGroup) else args
    return make, (cls, new_args, args), (known, members, _links(exc)), None, None, restore


def _links(exc: BaseException) -> tuple[object, ...]:
    return exc.__traceback__, exc.__cause__, exc.__context__, exc.__suppress_context__


def _natives(cls: type, name: str, kind: type) -> Iterator[Callable[..., object]]:
    """Yield the methods of that name that are the interpreter's, the nearest class's first."""
    return (vars(each)[name] for each in cls.__mro__ if isinstance(vars(each).get(name), kind))


def _slots(cls: type) -> Iterator[str]:
    for each in cls.__mro__:
        slots = vars(each).get("__slots__", ())
        for name in {slots} if isinstance(slots, str) else {*slots} - {"__dict__", "__weakref__"}:
            private = name.startswith("__") and not name.endswith("__")
            yield f"_{each.__name__.lstrip('_')}{name}" if private else name


# The three below are named in pickles.


def make(cls: type[BaseException], new_args: tuple[object, ...], args: tuple[object, ...]) -> BaseException:
    """Return a new exception on which only the interpreter's own initialisation has run."""
    exc = cast("BaseException", next(_natives(cls, "__new__", BuiltinFunctionType))(cls, *new_args))
    # A class that never called the interpreter's __init__ may hold arguments that it refuses.
    with contextlib.suppress(TypeError):
        next(_natives(cls, "__init__", WrapperDescriptorType))(exc, *args)
    return exc


def restore(exc: BaseException, state: tuple[dict[str, object], dict[str, object], tuple[Any, ...]]) -> None:
    """Give it its attributes, past any `__setattr__` or property of the class, and its links."""
    known, members, links = state
    vars(exc).update(known)
    for name, value in members.items():
        BaseException.__setattr__(exc, name, value)
    _link(exc, links)


def restore_own(exc: BaseException, state: tuple[Any, Callable[..., object] | None, tuple[Any, ...]]) -> None:
    """Give it its state in the way its class pickles itself, and its links."""
    own, setter, links = state
    if setter is not None:
        setter(exc, own)
    elif own is not None:
        exc.__setstate__(own)
    _link(exc, links)


def _link(exc: BaseException, links: tuple[Any, ...]) -> None:
    tb, *others = links
    BaseException.with_traceback(exc, tb)
    for name, value in zip(("__cause__", "__context__", "__suppress_context__"), others, strict=True):
        BaseException.__setattr__(exc, name, value)
