"""Objects that recur by identity across arguments: which they are, and the references that replace them."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from wrenml.pickling.blame import attempt
from wrenml.pickling.unpacker import BLOB, HERE

__all__ = [
    "FIXED_SIZE",
    "HOIST_FROM",
    "CyclicSharing",
    "Sharing",
    "direct_parts",
    "notable_parts",
    "recurring",
]

HOIST_FROM = 4096  # bytes an object must have, pickled, to be worth sharing
HERE_UP_TO = 512  # bytes of a shared object's own stream that travel with each argument, to save a blob
MANY = 512  # elements from which a container of atoms may be worth sharing
FEW = 32  # elements and
SHORT = 128  # characters under which one never is

FIXED_SIZE = frozenset({int, float, bool, complex, type(None)})
_TEXT = frozenset({str, bytes})
_LEAVES = (type, FunctionType, BuiltinFunctionType, ModuleType)

Reference = tuple[str, int, bytes]  # kind, serial number, and the packed object or its digest
Packed = tuple[bytes, int]  # the packed object, and its whole size with the buffers out of it


# A BaseException, since no `except Exception` on its way may take it.
class CyclicSharing(BaseException):
    """A shared object was met again inside itself, by way of another one."""


def notable_parts(item: Any) -> Sequence[object]:  # noqa: ANN401 - any object
    """Return the item and those direct parts of it that may be worth sharing.

    Empty for an item made of atoms and small texts only: such a one the standard pickler takes as it is.
    """
    kind = type(item)
    if kind in FIXED_SIZE:
        return ()
    if kind in _TEXT:
        return (item,) if len(item) >= HOIST_FROM else ()
    if kind is tuple or kind is list:
        found = [part for part in item if not _is_small(part)]
    elif kind is dict:
        found = [part for part in item.values() if not _is_small(part)]
        if not found and all(map(_is_small, item)):
            return (item,) if len(item) >= MANY else ()
        return (item, *found)
    else:
        return (item, *(part for part in _parts(item) if not _is_small(part)))
    return (item, *found) if found or len(item) >= MANY else ()


def _is_small(part: Any) -> bool:  # noqa: ANN401 - any object
    kind = type(part)
    if kind in FIXED_SIZE:
        return True
    if kind in _TEXT:
        return len(part) < HOIST_FROM
    # One level of small containers, which the standard pickler takes as they are too.
    if kind is tuple or kind is list:
        return len(part) < FEW and all(map(_is_small_atom, part))
    return kind is dict and len(part) < FEW and all(map(_is_small_atom, chain(part, part.values())))


def _is_small_atom(part: Any) -> bool:  # noqa: ANN401 - any object
    kind = type(part)
    return kind in FIXED_SIZE or (kind in _TEXT and len(part) < SHORT)


def _parts(item: Any) -> list[object]:  # noqa: ANN401 - any object
    kind = type(item)
    if issubclass(kind, _LEAVES):
        return []
    if kind is MethodType:
        return [item.__self__]
    parts: list[object] = []
    if issubclass(kind, functools.partial):
        parts += [item.func, *item.args, *item.keywords.values()]
    elif issubclass(kind, tuple):
        parts += tuple.__iter__(item)
    elif issubclass(kind, list):
        parts += list.__iter__(item)
    elif issubclass(kind, dict):
        parts += dict.values(item)
    attributes, _ = attempt(getattr, item, "__dict__")
    if type(attributes) is dict:
        parts += attributes.values()
    return parts


def recurring(parts_of: Sequence[Sequence[object]]) -> dict[int, object]:
    """Return, by id, the objects that are part of more than one item.

    Parameters
    ----------
    parts_of : sequence of sequence
        `notable_parts` of each item; what they are must be kept alive as long as the ids are used.
    """
    counts: Counter[int] = Counter()
    objects: dict[int, object] = {}
    for parts in parts_of:
        if parts and id(parts[0]) in objects:
            # The same item again: its parts recur only because it does.
            counts[id(parts[0])] += 1
            continue
        here = {id(part): part for part in parts}
        counts.update(here.keys())
        objects |= here
    return {key: objects[key] for key, count in counts.items() if count > 1}


def direct_parts(items: Sequence[object]) -> set[int]:
    """Return the ids of the items and of whatever is a direct part of one, atoms left out."""
    ids = set(map(id, items))
    for item in items:
        ids.update(id(part) for part in _parts(item) if type(part) not in FIXED_SIZE | _TEXT)
    return ids


class Sharing:
    """References to recurring objects, each pickled once.

    Parameters
    ----------
    candidates : dict
        From id to the recurring object; alive as long as this is.
    anchors : set of int
        Ids of direct parts of items. One that is inside a shared object is shared itself, whatever its size,
        or an item that has both would get it twice.
    pack : callable
        Packs one object, parts of it replaced by references; None where it must stay in its arguments.
    write : callable
        Writes a blob and returns its digest.
    """

    def __init__(
        self,
        candidates: dict[int, object],
        anchors: set[int],
        pack: Callable[[object], Packed | None],
        write: Callable[[bytes], bytes],
    ) -> None:
        self._candidates = candidates
        self._anchors = anchors
        self._pack = pack
        self._write = write
        self._known: dict[int, Reference] = {}
        self._stay: set[int] = set()
        self._open: list[int] = []

    def resolve(self) -> None:
        """Decide about all candidates; to be called before `reference`."""
        for key, obj in self._candidates.items():
            if key in self._known or key in self._stay:
                continue
            before = len(self._known)
            if self._make(obj, key, needed=False) is None:
                while len(self._known) > before:
                    self._known.popitem()

    def reference(self, obj: object) -> Reference | None:
        """Return what stands for `obj` in a stream, or None if it stands for itself.

        The serial number in it keeps two equal objects two: only what was one object becomes one again.

        Raises
        ------
        CyclicSharing
            `obj` holds an object that is being packed and that holds `obj`.
        """
        key = id(obj)
        known = self._known.get(key)
        if known is not None or not self._open or key not in self._anchors or key in self._stay:
            return known
        if key == self._open[-1]:
            return None
        if key in self._open:
            raise CyclicSharing
        return self._make(obj, key, needed=True)

    def _make(self, obj: object, key: int, *, needed: bool) -> Reference | None:
        self._open.append(key)
        try:
            packed = self._pack(obj)
        except CyclicSharing:
            self._stay.add(key)
            if len(self._open) > 1:
                raise
            return None
        finally:
            self._open.pop()
        if packed is None:
            self._stay.add(key)
            return None
        body, size = packed
        if size < HOIST_FROM and not needed:
            return None
        kind, content = (HERE, body) if len(body) <= HERE_UP_TO else (BLOB, self._write(body))
        self._known[key] = (kind, len(self._known), content)
        return self._known[key]
