"""What functions, classes and modules are made of: a reference where installed, their content where local."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple

from wrenml.digest.code import global_paths, imported_modules
from wrenml.digest.graph import Node
from wrenml.digest.origins import local_spec, origin

__all__ = ["Module", "expand_class", "expand_function", "expand_module", "reference"]

# Where a module lies, and what a class says of itself or keeps for itself, is not what it does.
_PLACES: Final = frozenset({"__cached__", "__file__", "__loader__", "__path__", "__spec__"})
_SELF: Final = frozenset(
    {
        "__abstractmethods__",
        "__dict__",
        "__doc__",
        "__firstlineno__",
        "__module__",
        "__static_attributes__",
        "__weakref__",
        "_abc_impl",
    }
)
_HEAP_TYPE: Final = 1 << 9


class Module(NamedTuple):
    """A module by its full name, imported or not."""

    name: str


def reference(obj: Any) -> Node | None:  # noqa: ANN401 - whatever has a name
    """Refer to something by name and version, if it is what an installed module has under its name.

    Parameters
    ----------
    obj : object
        A function, class or other named object.

    Returns
    -------
    Node or None
        None for what is local, or cannot be found under its name.
    """
    module, name = getattr(obj, "__module__", None), getattr(obj, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    known = origin(module)
    if known is None:
        return None
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return Node(f"installed {known}: {module}.{name}".encode()) if found is obj else None


def expand_function(fn: FunctionType) -> Node:
    """Say what a function is made of: code, defaults, closure, attributes, and what its code names."""
    by_name = reference(fn)
    if by_name is not None:
        return by_name
    held = (fn.__code__, fn.__defaults__, fn.__kwdefaults__, fn.__closure__, fn.__dict__)
    namespace = fn.__globals__
    known = origin(str(namespace.get("__name__", "")))
    if known is not None:
        # Made by installed code, so what its globals hold goes with the version.
        return Node(f"function of {known}".encode(), held)
    package = namespace.get("__package__") or ""
    imports = sorted(imported_modules(fn.__code__, package))
    return Node(b"function", (*held, _named(fn), *map(Module, imports)))


def expand_class(cls: type) -> Node:
    """Say what a class is made of: its metaclass, bases and attributes; its name, which pickles use."""
    by_name = reference(cls)
    if by_name is not None:
        return by_name
    label = f"class {origin(cls.__module__)}: {cls.__module__}.{cls.__qualname__}".encode()
    if not cls.__flags__ & _HEAP_TYPE:
        return Node(label)
    attributes = {name: value for name, value in vars(cls).items() if name not in _SELF}
    return Node(label, (type(cls), cls.__bases__, attributes))


def expand_module(module: Module) -> Node:
    """Say what a module is made of: by version if installed, else by its source and what that imports."""
    name = module.name
    known = origin(name)
    label = f"module {known}: {name}".encode()
    if known is not None:
        return Node(label)
    path, package = _source(name)
    parents = [Module(name.rpartition(".")[0])] if "." in name else []
    try:
        source = Path(path).read_bytes() if path else b""
    except OSError:
        return Node(label, parents)
    try:
        code = compile(source, "<module>", "exec", dont_inherit=True) if path.endswith(".py") else None
    except (SyntaxError, ValueError):
        code = None
    if code is None:
        return Node(label, [source, *parents])
    return Node(label, [code, *parents, *map(Module, sorted(imported_modules(code, package)))])


def _source(name: str) -> tuple[str, str]:
    if name == "__main__":
        return str(getattr(sys.modules[name], "__file__", None) or ""), ""
    spec = local_spec(name)
    if spec is None or not spec.has_location:
        return "", ""
    return spec.origin or "", spec.parent or ""


def _named(fn: FunctionType) -> dict[str, object]:
    """Find the values of the globals and builtins that a function's code reads."""
    values: dict[str, object] = {}
    builtins: Mapping[str, object] = getattr(fn, "__builtins__", {})
    for path in global_paths(fn.__code__):
        if path[0] in fn.__globals__ and path[0] not in _PLACES:
            used, value = _follow(path, fn.__globals__)
            values[".".join(used)] = value
        elif path[0] in builtins:
            values[path[0]] = builtins[path[0]]
    return values


def _follow(path: tuple[str, ...], namespace: Mapping[str, object]) -> tuple[tuple[str, ...], object]:
    """Follow attributes through local modules, so that only what is used of them counts."""
    value = namespace[path[0]]
    used = 1
    while (
        isinstance(value, ModuleType)
        and used < len(path)
        and origin(value.__name__) is None
        and path[used] in vars(value)
    ):
        value = vars(value)[path[used]]
        used += 1
    return path[:used], value
