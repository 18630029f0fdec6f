"""Part of a storage: the same verbs, below a prefix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from wrenml.storage.base import Buffer, Objects, check_key, check_keys

__all__ = ["PrefixedStorage"]


class PrefixedStorage:
    """The objects below a prefix of another storage, under keys that begin after it.

    Parameters
    ----------
    inner : Objects
        The storage that holds the objects.
    prefix : str
        A path such as ``data``, without a slash at either end.

    Raises
    ------
    ConfigError
        The prefix is not a path.
    """

    def __init__(self, inner: Objects, prefix: str) -> None:
        check_key(prefix)
        self._inner = inner
        self._prefix = prefix

    @property
    def url(self) -> str:
        """The inner storage's URL and the prefix."""
        return f"{self._inner.url.rstrip('/')}/{self._prefix}"

    def __repr__(self) -> str:
        return f"PrefixedStorage({self._inner!r}, {self._prefix!r})"

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write an object; see `wrenml.storage.base.Objects.put`."""
        return self._inner.put(self._full(key), data, if_absent=if_absent)

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> Buffer:
        """Read an object or a range; see `wrenml.storage.base.Objects.get`."""
        return self._inner.get(self._full(key), start=start, stop=stop)

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Keys that begin with a prefix; see `wrenml.storage.base.Objects.list`."""
        scope = f"{self._prefix}/"
        for key in self._inner.list(scope + prefix, after=scope + after):
            yield key.removeprefix(scope)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; see `wrenml.storage.base.Objects.delete`."""
        check_keys(keys)
        self._inner.delete(map(self._full, keys))

    def _full(self, key: str) -> str:
        # Checked before it is joined: "../x" would leave the scope, "" would name its folder.
        check_key(key)
        return f"{self._prefix}/{key}"
