"""A short text for any value, at a price that does not grow with the value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from wrenml.failures.guarding import clip, survive

__all__ = ["short_repr"]

_ITEMS = 6
_DEPTH = 3
_INT_BITS = 256
_BRACKETS: dict[object, tuple[str, str]] = {
    list.__repr__: ("[", "]"),
    tuple.__repr__: ("(", ")"),
    set.__repr__: ("{", "}"),
    frozenset.__repr__: ("frozenset({", "})"),
}


def short_repr(obj: object, limit: int = 80) -> str:
    """Return a `repr` of one line that is short, and cheap for large values. Never raises.

    Parameters
    ----------
    obj : object
        Anything. What has a shape (arrays, data frames, tensors) is shown as type, shape and dtype.
    limit : int, default 80
        The most characters to return.

    Returns
    -------
    str
        For example ``[0, 1, 2, 3, 4, 5, ... 1000000 items]`` or ``ndarray(shape=(100, 3), dtype=float64)``.
    """
    return clip(" ".join(_render(obj, limit, _DEPTH).split()), limit)


def _render(obj: object, limit: int, depth: int) -> str:
    return survive(
        lambda: _render_any(obj, limit, depth),
        lambda error: f"<{type(obj).__name__} object; its repr raised {type(error).__name__}>",
    )


def _render_any(obj: object, limit: int, depth: int) -> str:
    if isinstance(obj, str | bytes | bytearray):
        return repr(obj) if len(obj) <= limit else repr(obj[:limit])
    if isinstance(obj, int) and type(obj).__repr__ is int.__repr__ and obj.bit_length() > _INT_BITS:
        return f"<int of {obj.bit_length()} bits>"
    shape = survive(lambda: getattr(obj, "shape", None), lambda _: None)
    if isinstance(shape, tuple) and shape and not isinstance(obj, type):
        dtype = getattr(obj, "dtype", None)
        return f"{type(obj).__name__}(shape={shape}" + (f", dtype={dtype})" if dtype is not None else ")")
    return _render_container(obj, limit, depth)


def _render_container(obj: object, limit: int, depth: int) -> str:
    own = type(obj).__repr__
    if own is dict.__repr__ and isinstance(obj, Mapping):
        return "{" + _items((f"{k}: {v}" for k, v in _rendered(obj.items(), limit, depth)), len(obj), depth) + "}"
    if own in _BRACKETS and isinstance(obj, list | tuple | set | frozenset) and obj:
        start, end = _BRACKETS[own]
        comma = "," if isinstance(obj, tuple) and len(obj) == 1 else ""
        return (
            start + _items((v for (v,) in _rendered(((v,) for v in obj), limit, depth)), len(obj), depth) + comma + end
        )
    names = getattr(type(obj), "__dataclass_fields__", None)
    if names and own.__qualname__.endswith(".__repr__") and hasattr(own, "__wrapped__"):
        values = ((name, getattr(obj, name)) for name in names if hasattr(obj, name))
        parts = (f"{name}={_render(value, limit, depth - 1)}" for name, value in values)
        return f"{type(obj).__name__}({_items(parts, len(names), depth)})"
    return repr(obj)


def _rendered(rows: Iterable[tuple[object, ...]], limit: int, depth: int) -> Iterable[tuple[str, ...]]:
    return (tuple(_render(each, limit, depth - 1) for each in row) for row in rows)


def _items(parts: Iterable[str], count: int, depth: int) -> str:
    if depth <= 0:
        return "..."
    shown = ", ".join(islice(parts, _ITEMS))
    return shown if count <= _ITEMS else f"{shown}, ... {count} items"
