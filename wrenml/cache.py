"""Results of earlier calls, found again by what was called with what (`cache=`).

::

    cache/<name>/<function>/<argument>     magic | tag | packed result

`function` digests the code and what else of the map changes results, `argument` the element. The tag covers name,
both digests and the result, under a key that workers never see, so an entry is checked before it is unpickled.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from hmac import compare_digest

from wrenml import auth
from wrenml.errors import AuthenticationError, KeyNotFoundError, SerializationError, StorageError
from wrenml.options import Options
from wrenml.storage.base import Buffer, Storage
from wrenml.wire import JobSpec

__all__ = ["CachedCalls", "cached_function"]

_log = logging.getLogger("wrenml")

_MAGIC = b"wrc1"
_HEAD = len(_MAGIC) + auth.TAG_SIZE
_READERS = 16
_FEW = 8  # elements for which asking for each costs less than listing what there is


def cached_function(fn: Callable[..., object], options: Options, spec: JobSpec) -> str:
    """Digest what the results of a map depend on, besides its elements.

    That is the function's code and what it names, how elements become arguments, and the options `seed`, `env`,
    `files` and `initializer`.

    Parameters
    ----------
    fn : callable
        The map's function.
    options : Options
        Of the map.
    spec : JobSpec
        What its workers are told.

    Raises
    ------
    FunctionNotSerializable
        If it names something that no digest can be made of.
    """
    from wrenml.digest import function_digest  # noqa: PLC0415  # slow to load, and few maps are cached

    parts = [function_digest(fn), spec.applied, spec.seed, sorted(spec.env.items()), sorted(spec.files)]
    if options.initializer is not None:
        parts.append(function_digest(options.initializer))
    return sha256(json.dumps(parts).encode()).hexdigest()


class CachedCalls:
    """One job's view of a cache: its calls are looked up before they start, and kept as they succeed.

    Parameters
    ----------
    storage : Storage
        Where entries lie.
    root : bytes
        The root key.
    name : str
        Of the cache.
    function : str
        From `cached_function`.
    seeded : bool
        Whether a call's result depends on its number as well.
    """

    def __init__(self, storage: Storage, root: bytes, name: str, function: str, *, seeded: bool) -> None:
        self._storage = storage
        self._key = auth.root_label_key(root, "cache")
        self._prefix = f"cache/{name}/{function}/"
        self._seeded = seeded
        self._missed: dict[int, str] = {}
        self._warned = False
        self.later: Callable[[Callable[[], None]], None] | None = None  # has entries written by somebody else

    def look_up(self, first: int, items: Sequence[object], without: Collection[int]) -> dict[int, Buffer]:
        """Find the packed results of calls; the others are noted, to be kept when they succeed.

        Parameters
        ----------
        first : int
            The number of the first element's call.
        items : sequence
            The elements.
        without : collection of int
            Positions of elements that cannot be told from others, such as those that hold futures.
        """
        keys = {
            first + i: key
            for i, item in enumerate(items)
            if i not in without and (key := self._entry(first + i, item)) is not None
        }
        there = set(keys.values() if len(keys) <= _FEW else self._storage.list(self._prefix))
        known = {call: key for call, key in keys.items() if key in there}
        found = {
            call: body for call, body in zip(known, self._read_all(known.values()), strict=True) if body is not None
        }
        self._missed.update((call, key) for call, key in keys.items() if call not in found)
        return found

    def keep(self, call: int, body: Callable[[], Buffer]) -> None:
        """Write the packed result of a call that was looked up in vain; `body` is asked for it if so."""
        key = self._missed.pop(call, None)
        if key is None:
            return
        if self.later is None:
            self._write(call, key, body)
        else:
            self.later(partial(self._write, call, key, body))

    def _write(self, call: int, key: str, body: Callable[[], Buffer]) -> None:
        try:
            data = body()
            self._storage.put(key, [_MAGIC, self._tag(key, data), data])
        except (StorageError, AuthenticationError) as error:
            if not self._warned:
                _log.warning("wrenml: results cannot be kept under %s: %s", self._prefix, error)
            self._warned = True
            self._missed[call] = key

    def again(self, calls: Iterable[int]) -> CachedCalls:
        """The view of a job that runs some of these calls again, numbered from 0."""
        other = copy.copy(self)
        other._missed = {i: self._missed[call] for i, call in enumerate(calls) if call in self._missed}  # noqa: SLF001  # its own kind
        return other

    def _entry(self, call: int, item: object) -> str | None:
        from wrenml.digest import argument_digest  # noqa: PLC0415  # slow to load, and few maps are cached

        try:
            argument = argument_digest(item)
        except (SerializationError, RecursionError):
            return None
        return f"{self._prefix}{argument}.{call}" if self._seeded else self._prefix + argument

    def _tag(self, key: str, body: Buffer) -> bytes:
        return auth.tag(self._key, b"cached result", key.encode(), sha256(body).digest())

    def _read_all(self, keys: Collection[str]) -> Iterable[Buffer | None]:
        if self.later is None or len(keys) == 1:
            return map(self._read, keys)
        with ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(self._read, keys))

    def _read(self, key: str) -> Buffer | None:
        try:
            entry = memoryview(self._storage.get(key))
        except KeyNotFoundError:
            return None
        except StorageError as error:
            _log.warning("wrenml: the cached result %s cannot be read, so it is computed again: %s", key, error)
            return None
        body = entry[_HEAD:]
        signed = bytes(entry[len(_MAGIC) : _HEAD])
        if entry[: len(_MAGIC)] != _MAGIC or not compare_digest(signed, self._tag(key, body)):
            _log.warning(
                "wrenml: the cached result %s was changed, truncated, or not written with this key; it was not "
                "unpickled, and is computed again", key,
            )  # fmt: skip
            return None
        return body
