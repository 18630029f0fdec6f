"""Data that tasks share travels once: it is put into storage, and a reference stands for it."""

from __future__ import annotations

import copy
import pickle
import weakref
from collections.abc import Callable
from typing import Any, Final

__all__ = ["Sharing"]

_FROM: Final = 4096  # bytes from which data is put
_FIXED_FROM: Final = 1 << 20  # bytes from which data is taken not to change while one `Parallel` runs, as by joblib
_MANY: Final = 64  # members up to which containers are looked into

_ATOMS = frozenset({int, float, complex, bool, type(None), str, bytes})
_CONTAINERS = (tuple, list, dict)

Item = tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]


class Sharing:
    """Puts what several tasks of one `Parallel` call have in common.

    Arrays, sparse matrices and frames from 4 KiB on are put when they are first met, other objects of that size when
    they are met in a second task. Storage is addressed by content, so what was put before costs nothing again.

    Parameters
    ----------
    put : callable
        Stores an object and returns what stands for it (`wrenml.Executor.put`).

    Notes
    -----
    Looked at are the arguments of each task, and the members of small tuples, lists and dicts among them. Data of
    1 MB and more is packed once a `Parallel` call, by identity; anything smaller is packed again for each pack, so that
    tasks see what it holds when they are sent.
    """

    def __init__(self, put: Callable[[object], object]) -> None:
        self._put = put
        self._fixed: dict[int, tuple[weakref.ref[Any], object]] = {}
        self._met: dict[int, tuple[weakref.ref[Any], bool | None]] = {}  # whether it is large; None: met once
        self._pack: dict[int, object] = {}

    def replace(self, batches: list[Any]) -> list[Any]:
        """Copy the batches of one pack, references in place of what they share.

        Parameters
        ----------
        batches : list
            Each has `items`, a list of function, arguments and keyword arguments.
        """
        self._pack.clear()
        replaced = []
        for batch in batches:
            made = copy.copy(batch)
            made.items = [self._item(item) for item in batch.items]
            replaced.append(made)
        self._pack.clear()
        return replaced

    def _item(self, item: Item) -> Item:
        function, args, kwargs = item
        return function, tuple(map(self._value, args)), {name: self._value(value) for name, value in kwargs.items()}

    def _value(self, value: Any) -> Any:
        kind = type(value)
        if kind in _ATOMS:
            return value
        if kind in _CONTAINERS:
            return self._members(value) if len(value) <= _MANY else value
        return self._single(value)

    def _members(self, value: Any) -> Any:
        members = value.values() if isinstance(value, dict) else value
        found = [each if type(each) in _ATOMS or type(each) in _CONTAINERS else self._single(each) for each in members]
        if all(new is old for new, old in zip(found, members, strict=True)):
            return value
        return dict(zip(value, found, strict=True)) if isinstance(value, dict) else type(value)(found)

    def _single(self, value: Any) -> Any:
        key = id(value)
        if key in self._pack:
            return self._pack[key]
        known = self._fixed.get(key)
        if known is not None and known[0]() is value:
            return known[1]
        size = _data_size(value)
        if size is None:
            return self._recurring(value)
        if size < _FROM:
            return value
        reference = self._pack[key] = self._put(value)
        if size >= _FIXED_FROM:
            self._fixed[key] = weakref.ref(value, lambda _: self._fixed.pop(key, None)), reference
        return reference

    def _recurring(self, value: Any) -> Any:
        key = id(value)
        met = self._met.get(key)
        if met is None or met[0]() is not value:
            try:
                self._met[key] = weakref.ref(value, lambda _: self._met.pop(key, None)), None
            except TypeError:  # it takes no weak references, so it cannot be told from another at its place
                return value
            return value
        large = met[1]
        if large is None:
            large = _is_large(value)
            self._met[key] = met[0], large
        if not large:
            return value
        reference = self._pack[key] = self._put(value)
        return reference


def _data_size(value: Any) -> int | None:
    """Bytes of an array, series, sparse matrix or frame; None for anything else."""
    if isinstance(value, type):
        return None
    for found in (getattr(value, "nbytes", None), getattr(getattr(value, "data", None), "nbytes", None)):
        if isinstance(found, int):
            return found
    usage = getattr(value, "memory_usage", None)
    if not callable(usage) or not hasattr(value, "columns"):
        return None
    return int(usage().sum())


def _is_large(value: object) -> bool:
    try:
        return len(pickle.dumps(value, 5)) >= _FROM
    except Exception:  # noqa: BLE001  # the user's classes; what cannot be pickled so is left to the executor
        return False
