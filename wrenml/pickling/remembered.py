"""Functions whose pickle is known, because nothing in it can have changed since."""

from __future__ import annotations

from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType

__all__ = ["Remembered"]

_KEPT = 64
_FIXED = (int, float, str, bytes, bool, type(None), complex, ModuleType, BuiltinFunctionType)


class Remembered:
    """Keeps the pickles of functions that refer to nothing but constants, modules and functions of the same kind.

    Pickling a small function by value takes longer than all else about a single call. Equality is by identity of all
    that the pickle is made from, so that a rebound global or closure variable is noticed; a function that refers to
    anything that could change in place is not kept.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, list[object], bytes, frozenset[str]]] = {}

    def get(self, function: object) -> tuple[bytes, frozenset[str]] | None:
        """The pickle of a function and the modules it names, if nothing has changed."""
        known = self._known.get(id(function))
        if known is None or known[0] is not function:
            return None
        parts = _parts(function)
        if parts is None or len(parts) != len(known[1]):
            return None
        for now, then in zip(parts, known[1], strict=True):
            if now is not then:
                return None
        return known[2], known[3]

    def put(self, function: object, packed: bytes, modules: frozenset[str]) -> None:
        """Keep a pickle, if it is one that can be kept."""
        parts = _parts(function)
        if parts is None:
            return
        while len(self._known) >= _KEPT:
            self._known.pop(next(iter(self._known)), None)
        self._known[id(function)] = (function, parts, packed, modules)


def _parts(function: object) -> list[object] | None:
    """Everything a function's pickle is made from; None if part of it could change in place."""
    if type(function) is not FunctionType:
        return None
    parts: list[object] = []
    return parts if _collect(function, parts, {id(function)}) else None


def _collect(function: FunctionType, parts: list[object], seen: set[int]) -> bool:
    if function.__dict__:
        return False
    code = function.__code__
    parts.append(code)
    values: list[object] = list(function.__defaults__ or ())
    values += (function.__kwdefaults__ or {}).values()
    try:
        values += [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:
        return False
    namespace = function.__globals__
    values += [namespace[name] for name in _names(code) if name in namespace]
    for value in values:
        parts.append(value)
        if isinstance(value, _FIXED) or id(value) in seen:
            continue
        if type(value) is not FunctionType:
            return False
        seen.add(id(value))
        if not _collect(value, parts, seen):
            return False
    return True


def _names(code: CodeType) -> list[str]:
    names = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names += _names(constant)
    return names
