"""What each kind of object is made of: a label, and the objects it holds."""

from __future__ import annotations

import copyreg
import functools
import hashlib
import struct
import sys
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final

from wrenml.digest.code import code_node
from wrenml.digest.functions import Module, expand_class, expand_function, expand_module, reference
from wrenml.digest.graph import Node
from wrenml.digest.origins import origin

__all__ = ["OpaqueError", "expand", "key", "scalar"]


class OpaqueError(Exception):
    """Something that cannot be pickled; the text says what."""


def key(obj: object) -> Hashable:
    """Tell whether two objects are one: by identity, and modules by name."""
    return obj if type(obj) is Module else id(obj)


def scalar(obj: object) -> bytes | None:
    """Encode an object that holds no other; None for the rest."""
    encode = _SCALARS.get(type(obj))
    return None if encode is None else encode(obj)


def expand(obj: object) -> Node:
    """Say what an object is made of.

    Parameters
    ----------
    obj : object
        Anything that `scalar` does not encode.

    Returns
    -------
    Node
        Its label and children.

    Raises
    ------
    OpaqueError
        It cannot be pickled.
    """
    known = _KINDS.get(type(obj))
    if known is not None:
        return known(obj)
    if isinstance(obj, type):
        return expand_class(obj)
    if isinstance(obj, set | frozenset):
        return Node(b"set", (type(obj), frozenset(obj), getattr(obj, "__dict__", None)))
    if type(obj).__module__ == "numpy" and type(obj).__name__ == "ndarray":
        return _array(obj)
    return _by_pickle(obj)


def _array(array: Any) -> Node:  # noqa: ANN401 - numpy is not imported here
    dtype = array.dtype
    label = f"array {dtype.str} {dtype!r} {array.shape}".encode()
    flat = array.ravel()
    # Variable-width texts lie in their array as pointers, as objects do.
    if dtype.hasobject or dtype.kind == "T":
        return Node(label, flat.tolist())
    return Node(label, (memoryview(flat.view("u1")) if flat.nbytes else b"",))


def _by_pickle(obj: object) -> Node:
    failure: Exception | None = None
    for attempt in (_reduced, _pickled):
        try:
            return attempt(obj)
        except Exception as error:  # noqa: BLE001 - the object's own code may raise anything
            failure = error
    module, name = type(obj).__module__, type(obj).__qualname__
    raise OpaqueError(f"an object of type {module}.{name}") from failure


def _reduced(obj: object) -> Node:
    reduce = copyreg.dispatch_table.get(type(obj))
    # Later protocols keep buffers out of band.
    parts = reduce(obj) if reduce else obj.__reduce_ex__(4)
    if isinstance(parts, str):
        module = getattr(obj, "__module__", None) or type(obj).__module__
        return Node(f"name {parts}".encode(), (Module(module),))
    make, arguments, state, items, pairs, setter = (*parts, None, None, None, None)[:6]
    held = (tuple(items or ()), dict(pairs or ()))
    return Node(b"object", (make, arguments, state, *held, setter))


def _pickled(obj: object) -> Node:
    import cloudpickle  # noqa: PLC0415 - slow to import, rarely needed

    return Node(b"pickle", (cloudpickle.dumps(obj, protocol=4),))


def _builtin(fn: Any) -> Node:  # noqa: ANN401 - builtins have no common type
    owner = fn.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        module = str(fn.__module__ or getattr(owner, "__name__", ""))
        return Node(f"builtin {fn.__qualname__}".encode(), (Module(module),))
    return _bound(fn, owner)


def _bound(method: Any, owner: object) -> Node:  # noqa: ANN401 - methods have no common type
    """Say a method and its object; what a module such as `random` offers as functions counts by name."""
    home, name = type(owner).__module__, method.__name__
    known = origin(home)
    offered = getattr(sys.modules.get(home), name, None) if known else None
    if getattr(offered, "__self__", None) is owner:
        return Node(f"installed {known}: {home}.{name}".encode())
    return Node(f"method {name}".encode(), (getattr(method, "__func__", None), owner))


def _descriptor(one: Any) -> Node:  # noqa: ANN401 - descriptors have no common type
    # Slots belong to the class that is being said already; only its name is needed.
    return Node(f"{type(one).__name__} {one.__objclass__.__qualname__}.{one.__name__}".encode())


def _cached_function(fn: Any) -> Node:  # noqa: ANN401 - functools does not name the type
    return reference(fn) or Node(b"cached function", (fn.__wrapped__, fn.cache_parameters()))


def _cell(cell: types.CellType) -> Node:
    try:
        return Node(b"cell", (cell.cell_contents,))
    except ValueError:
        return Node(b"empty cell")


def _view(view: memoryview) -> Node:
    data = view if view.c_contiguous else view.tobytes()
    return Node(f"view {view.format} {view.shape} {hashlib.sha256(data).hexdigest()}".encode())


def _pairs(mapping: Any) -> Node:  # noqa: ANN401 - dicts and their views
    return Node(b"dict", tuple(mapping.items()), ordered=False)


def _weak(obj: object) -> Node:
    return Node(f"weak {type(obj).__name__}".encode())


def _text(text: str) -> bytes:
    return _bytes(text.encode("utf-8", "surrogatepass"), b"s")


def _bytes(data: bytes | bytearray, kind: bytes) -> bytes:
    # Children are kept until the walk ends, so what is long is kept as its hash.
    return kind + b":" + data if len(data) <= _SHORT else kind + b"#" + hashlib.sha256(data).digest()


_SHORT: Final = 64
_SCALARS: Final[dict[type, Callable[[Any], bytes]]] = {
    types.NoneType: lambda _: b"None",
    types.EllipsisType: lambda _: b"Ellipsis",
    types.NotImplementedType: lambda _: b"NotImplemented",
    bool: lambda one: b"True" if one else b"False",
    int: lambda one: b"i%x" % one,
    float: lambda one: b"f" + struct.pack(">d", one),
    complex: lambda one: b"c" + struct.pack(">dd", one.real, one.imag),
    str: _text,
    bytes: lambda one: _bytes(one, b"b"),
    bytearray: lambda one: _bytes(one, b"a"),
}
_KINDS: Final[dict[type, Callable[[Any], Node]]] = {
    tuple: lambda one: Node(b"tuple", one),
    list: lambda one: Node(b"list", tuple(one)),
    set: lambda one: Node(b"set", tuple(one), ordered=False),
    frozenset: lambda one: Node(b"frozenset", tuple(one), ordered=False),
    dict: _pairs,
    OrderedDict: lambda one: Node(b"ordered dict", tuple(one.items())),
    types.MappingProxyType: _pairs,
    memoryview: _view,
    Module: expand_module,
    types.ModuleType: lambda one: Node(b"module", (Module(one.__name__),)),
    types.FunctionType: expand_function,
    types.CodeType: code_node,
    types.CellType: _cell,
    types.MethodType: lambda one: _bound(one, one.__self__),
    types.BuiltinFunctionType: _builtin,
    types.MethodWrapperType: _builtin,
    types.WrapperDescriptorType: _descriptor,
    types.MethodDescriptorType: _descriptor,
    types.ClassMethodDescriptorType: _descriptor,
    types.MemberDescriptorType: _descriptor,
    types.GetSetDescriptorType: _descriptor,
    property: lambda one: Node(b"property", (one.fget, one.fset, one.fdel)),
    classmethod: lambda one: Node(b"classmethod", (one.__func__,)),
    staticmethod: lambda one: Node(b"staticmethod", (one.__func__,)),
    functools.cached_property: lambda one: Node(b"cached property", (one.func, one.attrname)),
    type(functools.cache(len)): _cached_function,
    weakref.ref: _weak,
    weakref.WeakKeyDictionary: _weak,
    weakref.WeakValueDictionary: _weak,
    weakref.WeakSet: _weak,
}
