"""What a code object does and names, without where it stands."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType
from typing import Any, NamedTuple

from wrenml.digest.graph import Node
from wrenml.digest.origins import PYTHON

__all__ = ["code_node", "global_paths", "imported_modules"]

# The compiler stores these in class and module bodies; they say how code is written, not what it does.
_TOLD = frozenset({"__doc__", "__firstlineno__", "__static_attributes__"})
_CONSTANT = frozenset(dis.hasconst)
_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD"})


class _Step(NamedTuple):
    name: str
    arg: int | None
    value: Any
    constant: bool


def code_node(code: CodeType) -> Node:
    """Say what a code object does: its instructions, with constants as values and names as names.

    Parameters
    ----------
    code : CodeType
        A function's, class body's or module's code.

    Returns
    -------
    Node
        Constants, nested code included, are the children.
    """
    parts: list[str] = []
    constants: list[object] = []
    for step in _told_away(_steps(code)):
        if step.constant:
            parts.append(f"{step.name} constant")
            constants.append(step.value)
        else:
            parts.append(f"{step.name} {step.value if isinstance(step.value, str) else step.arg}")
    signature = (
        *(PYTHON, code.co_flags, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
        *(code.co_varnames, code.co_freevars, code.co_cellvars),
    )
    label = repr((signature, parts)).encode("utf-8", "surrogatepass") + code.co_exceptiontable
    return Node(b"code " + label, constants)


def global_paths(code: CodeType) -> set[tuple[str, ...]]:
    """Find the globals that code reads, nested code included.

    Parameters
    ----------
    code : CodeType
        A function's code.

    Returns
    -------
    set of tuple of str
        Name and the attributes read from it at once: ``("helpers", "scale")`` for ``helpers.scale``.
    """
    paths = set()
    for one in _nested(code):
        steps = _steps(one)
        for number, step in enumerate(steps):
            if step.name in _GLOBAL:
                path = [str(step.value)]
                for later in steps[number + 1 :]:
                    if later.name not in _ATTRIBUTE:
                        break
                    path.append(str(later.value))
                paths.add(tuple(path))
    return paths


def imported_modules(code: CodeType, package: str) -> set[str]:
    """Find the modules that code imports, nested code included.

    Parameters
    ----------
    code : CodeType
        A function's or module's code.
    package : str
        The package that relative imports start from; may be empty.

    Returns
    -------
    set of str
        Full names; what is imported *from* a module may be a module too, and is named as one.
    """
    modules = set()
    for one in _nested(code):
        steps = _steps(one)
        for number, step in enumerate(steps):
            if step.name != "IMPORT_NAME" or number < 2:  # noqa: PLR2004 - level and names come before
                continue
            level, names = steps[number - 2].value, steps[number - 1].value
            module = _absolute(str(step.value), level if isinstance(level, int) else 0, package)
            modules.add(module)
            modules.update(f"{module}.{name}" for name in names or () if name != "*")
    return {module for module in modules if module}


def _absolute(name: str, level: int, package: str) -> str:
    if not level:
        return name
    parts = package.split(".")
    base = parts[: len(parts) - level + 1]
    return ".".join([*base, name] if name else base)


def _steps(code: CodeType) -> list[_Step]:
    return [
        _Step(one.opname, one.arg, one.argval, one.opcode in _CONSTANT)
        for one in dis.get_instructions(code)
        if one.opname != "EXTENDED_ARG"
    ]


def _told_away(steps: list[_Step]) -> list[_Step]:
    kept: list[_Step] = []
    for step in steps:
        if step.name == "STORE_NAME" and step.value in _TOLD:
            kept.pop()
        else:
            kept.append(step)
    return kept


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)
