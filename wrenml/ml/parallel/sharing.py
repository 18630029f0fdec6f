"""Packing: data that tasks share is put into storage once; the rest of a pack is one pickle.

::

    batches ──▶ Sharing.pack ──▶ Parcel: tasks (bytes, with slots), shared (references), brings (names of modules)
                                   │ Executor.submit resolves the references, as in any argument
                                   ▼
                     worker: Parcel.unpack ──▶ batches

Tasks are pickled apart from the references, since looking for these in thousands of small objects would cost more than
many a task.
"""

from __future__ import annotations

import copy
import pickle
import zlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from wrenml.executor import Executor
from wrenml.ml.envelope import Caller
from wrenml.ml.parallel.meeting import FROM, Met, alive, data_size

__all__ = ["Parcel", "Sharing"]

_FIXED_FROM: Final = 1 << 20  # bytes from which data is taken not to change while one `Parallel` runs, as by joblib
_MANY: Final = 64  # members up to which containers are looked into
_PLAIN: Final = b"\x80"  # how a pickle begins; with buffers out of it a packed object begins otherwise

_ATOMS = frozenset({int, float, complex, bool, type(None)})
_TEXTS = frozenset({str, bytes})
_CONTAINERS = frozenset({tuple, list, dict})


class _Slot(NamedTuple):
    """Where something shared belongs."""

    place: int


class _Brings:
    """Has a module travel with a call: the pickler takes note of it, and nothing arrives."""

    def __init__(self, module: str) -> None:
        self.__module__ = module

    def __reduce__(self) -> tuple[Callable[[], object], tuple[()]]:
        return bool, ()


class Parcel(NamedTuple):
    """A pack on its way.

    Parameters
    ----------
    tasks : bytes or tuple
        The caller's settings and the batches, pickled and compressed; or a reference to them, which is both themselves
        where it arrives.
    shared : list
        References; what they stand for where they arrive.
    brings : list
        Has modules travel.
    """

    tasks: Any
    shared: list[Any]
    brings: list[_Brings]

    def unpack(self) -> tuple[Caller, list[Any]]:
        """The caller's settings and the batches, what they share in its place."""
        caller, batches = pickle.loads(zlib.decompress(self.tasks)) if isinstance(self.tasks, bytes) else self.tasks
        if self.shared:
            for batch in batches:
                batch.items = [_changed(item, self._filled) for item in batch.items]
        return caller, batches

    def _filled(self, value: Any) -> Any:
        return self.shared[value.place] if type(value) is _Slot else value


class Sharing:
    """Packs the batches of one `Parallel` call.

    Arrays, sparse matrices and frames from 4 KiB on are put when they are first met, other objects of that size when
    they are met in a second pack. Storage is addressed by content, so what was put before costs nothing again.

    Parameters
    ----------
    executor : Executor
        Where to put things.
    caller : Caller
        The settings that tasks run under.

    Notes
    -----
    Looked at are the arguments of each task, and the members of small tuples, lists and dicts among them. Data of
    1 MB and more is packed once a `Parallel` call, by identity; anything smaller is packed again for each pack, so that
    tasks see what it holds when they are sent.
    """

    def __init__(self, executor: Executor, caller: Caller) -> None:
        self._caller = caller
        self._session = executor.session
        self._fixed: dict[int, tuple[Callable[[], Any], object, set[str]]] = {}
        self._met = Met()

    def pack(self, batches: list[Any]) -> Parcel:
        """Pack batches.

        Parameters
        ----------
        batches : list
            Each has `items`, a list of function, arguments and keyword arguments.

        Raises
        ------
        SerializationError
            If something in them cannot be pickled.
        """
        packer = self._session.packer()
        slots: dict[int, _Slot] = {}
        seen: dict[int, Any] = {}
        shared: list[Any] = []

        def change(value: Any) -> Any:
            key = id(value)
            if key not in seen:
                seen[key] = value
                reference = self._reference(value, packer)
                if reference is not None:
                    slots[key] = _Slot(len(shared))
                    shared.append(reference)
            return slots.get(key, value)

        with packer.snapshot():
            made = []
            for batch in batches:
                made.append(copy.copy(batch))
                made[-1].items = [_changed(item, change) for item in batch.items]
            packed = packer.dumps((self._caller, made), name="a task of joblib.Parallel")
            # scikit-learn's tasks repeat themselves: a third or less of the bytes for a hundredth of the time.
            plain = packed.startswith(_PLAIN)
            tasks = zlib.compress(packed, 1) if plain else self._session.put_object(packed, "tasks")
        return Parcel(tasks, shared, [_Brings(name) for name in sorted(packer.modules)])

    def _reference(self, value: Any, packer: Any) -> object | None:
        key = id(value)
        known = self._fixed.get(key)
        if known is not None and known[0]() is value:
            packer.modules |= known[2]
            return known[1]
        size = data_size(value)
        if (size is not None and size < FROM) or (size is None and not self._met.is_large_again(value)):
            return None
        before, packer.modules = packer.modules, set()
        try:
            reference = self._session.put_object(packer.dumps(value), type(value).__name__)
        finally:
            names, packer.modules = packer.modules, packer.modules | before
        if size is not None and size >= _FIXED_FROM:
            found = alive(value, lambda: self._fixed.pop(key, None))
            if found is not None:
                self._fixed[key] = found, reference, names
        return reference


def _changed(item: tuple[Any, Any, Any], change: Callable[[Any], Any]) -> tuple[Any, Any, Any]:
    """Change what is among a task's arguments, and among the members of small containers there."""
    function, args, kwargs = item
    return function, tuple([_value(each, change) for each in args]), {k: _value(v, change) for k, v in kwargs.items()}


def _value(value: Any, change: Callable[[Any], Any]) -> Any:
    if type(value) not in _CONTAINERS or len(value) > _MANY:
        return _single(value, change)
    members = list(value.values()) if type(value) is dict else value
    found = [_single(each, change) for each in members]
    if all(new is old for new, old in zip(found, members, strict=True)):
        return value
    return dict(zip(value, found, strict=True)) if type(value) is dict else type(value)(found)


def _single(value: Any, change: Callable[[Any], Any]) -> Any:
    kind = type(value)
    if kind in _ATOMS or (kind in _TEXTS and len(value) < FROM) or (kind in _CONTAINERS and len(value) <= _MANY):
        return value
    return change(value)
