"""Which objects are met again, and which are data."""

from __future__ import annotations

import pickle
import weakref
from collections.abc import Callable
from typing import Any, Final

__all__ = ["FROM", "Met", "alive", "data_size"]

FROM: Final = 4096
"""Bytes from which an object is worth being put."""

_KEPT: Final = 4  # texts and containers that are kept alive to be recognised: they take no weak references


class Met:
    """Objects that were met, and whether they are large; whatever they hold now."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Callable[[], Any], bool | None]] = {}
        self._kept: list[object] = []

    def is_large_again(self, value: Any) -> bool:
        """Whether this is a large object that was met before."""
        key = id(value)
        known = self._known.get(key)
        if known is None or known[0]() is not value:
            self._known[key] = alive(value, lambda: self._known.pop(key, None)) or self._keep(value), None
            return False
        found, large = known
        if large is None:
            large = _is_large(value)
            self._known[key] = found, large
        return large

    def _keep(self, value: object) -> Callable[[], object]:
        self._kept.append(value)
        if len(self._kept) > _KEPT:
            self._known.pop(id(self._kept.pop(0)), None)
        return lambda: value


def alive(value: Any, forget: Callable[[], object]) -> Callable[[], Any] | None:
    """A weak reference that calls `forget` at its end; None for what takes none."""
    try:
        return weakref.ref(value, lambda _: forget())
    except TypeError:
        return None


def data_size(value: Any) -> int | None:
    """Bytes of an array, series, sparse matrix or frame; None for anything else."""
    if isinstance(value, type):
        return None
    for found in (getattr(value, "nbytes", None), getattr(getattr(value, "data", None), "nbytes", None)):
        if isinstance(found, int):
            return found
    if not hasattr(value, "columns"):
        return None
    usage = getattr(value, "memory_usage", None)
    return int(usage().sum()) if callable(usage) else None


def _is_large(value: object) -> bool:
    try:
        return len(pickle.dumps(value, 5)) >= FROM
    except Exception:  # noqa: BLE001  # the user's classes; what cannot be pickled so is left to the executor
        return False
