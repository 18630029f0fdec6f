"""Why an object cannot be pickled: the path to the part that refuses."""

from __future__ import annotations

import functools
import reprlib
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any, TypeVar

__all__ = ["Refused", "attempt", "blame", "short_repr"]

T = TypeVar("T")

_MAX_DEPTH = 50
_CONTAINERS = frozenset({tuple, list, dict, set, frozenset})
# Parts of a class that no pickle carries.
_MADE_ANEW = frozenset({"__dict__", "__weakref__", "_abc_impl"})
_ADVICE = (
    "Locks, connections, open files and the like belong to one process: make them inside the function, "
    "or leave them out in __getstate__."
)


class Refused(TypeError):
    """Met something that is refused as a whole, however well its parts pickle.

    Parameters
    ----------
    message : str
        Why.
    obj : object
        What is refused.
    """

    def __init__(self, message: str, obj: object) -> None:
        super().__init__(message)
        self.obj = obj


def attempt(do: Callable[..., T], *args: object) -> tuple[T | None, Exception | None]:
    """Return what `do(*args)` returns, or the exception it raises."""
    try:
        return do(*args), None
    except Exception as error:  # noqa: BLE001 - the user's own __reduce__, __repr__ and properties run here
        return None, error


def short_repr(obj: object) -> str:
    """Return a repr of one short line, also of an object whose own fails."""
    text, _ = attempt(reprlib.repr, obj)
    return f"<{type(obj).__qualname__} object>" if text is None else text.replace("\n", " ")[:120]


def blame(obj: object, name: str, error: Exception, dump: Callable[[object], object]) -> str:
    """Return a message that names the part of `obj` that cannot be pickled.

    Parameters
    ----------
    obj : object
        What could not be pickled.
    name : str
        What to call it: ``args[3]``, or a function's name.
    error : Exception
        What pickling it raised.
    dump : callable
        Pickles one object, to find out which parts fail.
    """
    if _is_recursion(error):
        return (
            f"{name}: nested too deeply to be pickled (Python's recursion limit is "
            f"{sys.getrecursionlimit()}). Flatten it, or pass it in parts."
        )
    seen: set[int] = set()
    while not _is_refusal_of(obj, error) and len(seen) < _MAX_DEPTH and id(obj) not in seen:
        seen.add(id(obj))
        for path, part in _parts(obj, name):
            _, failed = attempt(dump, part)
            if failed is not None and not _is_recursion(failed):
                obj, name, error = part, path, failed
                break
    return f"{name}: {_text(error)}." + ("" if isinstance(error, Refused) else f" {_ADVICE}")


def _is_refusal_of(obj: object, error: Exception) -> bool:
    return isinstance(error, Refused) and error.obj is obj


def _is_recursion(error: BaseException | None) -> bool:
    return error is not None and (isinstance(error, RecursionError) or _is_recursion(error.__cause__))


def _text(error: Exception) -> str:
    return (str(error) or type(error).__qualname__).rstrip(".")


def _parts(obj: object, name: str) -> Iterator[tuple[str, object]]:
    if isinstance(obj, FunctionType):
        yield from _function_parts(obj, name)
    elif isinstance(obj, MethodType):
        yield from ((f"{name}.__self__", obj.__self__), (f"{name}.__func__", obj.__func__))
    elif isinstance(obj, functools.partial):
        yield f"{name}.func", obj.func
        yield from ((f"{name}.args[{i}]", value) for i, value in enumerate(obj.args))
        yield from ((f"{name}.keywords[{key!r}]", value) for key, value in obj.keywords.items())
    elif isinstance(obj, type):
        for key, value in vars(obj).items():
            if key not in _MADE_ANEW:
                yield f"{name}'s attribute {key!r}", value
    elif type(obj) in _CONTAINERS:
        yield from _elements(obj, name)
    else:
        yield from _reduced_parts(obj, name)


def _elements(obj: Any, name: str) -> Iterator[tuple[str, object]]:  # noqa: ANN401 - any container
    if isinstance(obj, dict):
        yield from ((f"{name}[{short_repr(key)}]", value) for key, value in obj.items())
        yield from ((f"{name}'s key {short_repr(key)}", key) for key in obj)
    elif isinstance(obj, list | tuple):
        yield from ((f"{name}[{i}]", value) for i, value in enumerate(obj))
    elif isinstance(obj, set | frozenset):
        yield from ((f"{name}'s member {short_repr(value)}", value) for value in obj)


def _function_parts(function: FunctionType, name: str) -> Iterator[tuple[str, object]]:
    for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        content, unbound = attempt(getattr, cell, "cell_contents")
        if unbound is None:
            yield f"{name}'s closure variable {variable!r}", content
    for variable in dict.fromkeys(_names(function.__code__)):
        if variable in function.__globals__:
            yield f"{name}'s global {variable!r}", function.__globals__[variable]
    for i, value in enumerate(function.__defaults__ or ()):
        yield f"{name}'s default argument {i}", value
    for key, value in (function.__kwdefaults__ or {}).items():
        yield f"{name}'s default of {key!r}", value
    for key, value in vars(function).items():
        yield f"{name}.{key}", value


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _reduced_parts(obj: object, name: str) -> Iterator[tuple[str, object]]:
    # What an object hands to pickle, not its attributes: __getstate__ may leave out what cannot be pickled.
    reduced, _ = attempt(obj.__reduce_ex__, 5)
    if not isinstance(reduced, tuple):
        return
    state: Any = reduced[2] if len(reduced) > 2 else None  # noqa: PLR2004 - the third item of a reduce tuple
    for part in state if isinstance(state, tuple) else (state,):
        if isinstance(part, dict):
            yield from ((f"{name}.{key}", value) for key, value in part.items())
        elif part is not None:
            yield f"{name}'s state", part
    yield from ((f"{name}'s constructor argument {i}", value) for i, value in enumerate(reduced[1]))
    yield from _elements(obj, name)
