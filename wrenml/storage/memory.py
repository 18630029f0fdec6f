"""Objects in this process's memory, under a name: for tests, and for the inline backend."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from weakref import WeakValueDictionary

from wrenml.errors import ConfigError, KeyNotFoundError, NotSupportedError
from wrenml.storage.base import (
    LARGE,
    Buffer,
    Commit,
    as_buffers,
    check_key,
    check_keys,
    check_range,
    commit_object,
    object_frames,
    outcomes,
)

__all__ = ["MemoryStorage"]


class _Space:
    """What the storages of one name share."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.objects: dict[str, bytes] = {}


_spaces: WeakValueDictionary[str, _Space] = WeakValueDictionary()
_spaces_lock = Lock()


class MemoryStorage:
    """Objects in memory; they last as long as a storage of that name does.

    Parameters
    ----------
    name : str, optional
        Storages of one name in one process hold the same objects. A new name by default.
    create : bool, default True
        Whether a name that is not in use yet may be taken.

    Raises
    ------
    ConfigError
        The name is empty or holds a slash.
    NotSupportedError
        The name is not in use, and `create` is False.
    """

    def __init__(self, name: str | None = None, *, create: bool = True) -> None:
        if name is None:
            name = os.urandom(8).hex()
        if not name or "/" in name:
            raise ConfigError(f"{name!r} cannot name a memory storage: use a word without slashes.")
        with _spaces_lock:
            space = _spaces.get(name)
            if space is None:
                if not create:
                    raise NotSupportedError(_elsewhere(name))
                space = _spaces[name] = _Space()
        self._name = name
        self._space = space

    @property
    def url(self) -> str:
        """``memory://`` and the name."""
        return f"memory://{self._name}"

    def __repr__(self) -> str:
        return f"MemoryStorage({self._name!r})"

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return _reopen, (self._name,)

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write an object; see `wrenml.storage.base.Objects.put`."""
        check_key(key)
        value = b"".join(as_buffers(data))
        with self._space.lock:
            if if_absent and key in self._space.objects:
                return False
            self._space.objects[key] = value
        return True

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> Buffer:
        """Read an object or a range; see `wrenml.storage.base.Objects.get`."""
        check_key(key)
        check_range(start, stop)
        try:
            value = self._space.objects[key]
        except KeyError:
            raise KeyNotFoundError(f"There is no object {key!r} in {self.url}.") from None
        part = memoryview(value)[start:stop]
        return bytes(part) if part.nbytes < LARGE else bytearray(part)

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Keys that begin with a prefix; see `wrenml.storage.base.Objects.list`."""
        with self._space.lock:
            keys = [key for key in self._space.objects if key.startswith(prefix) and key > after]
        return iter(sorted(keys))

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; see `wrenml.storage.base.Objects.delete`."""
        check_keys(keys)
        for key in keys:
            check_key(key)
            with self._space.lock:
                self._space.objects.pop(key, None)

    def commit(
        self,
        job: str,
        call: int,
        frame: Sequence[Buffer],
        *,
        attempt: int | None,
        writer: str,  # noqa: ARG002 - each frame is an object of its own, whoever writes it
    ) -> Commit:
        """Write a frame as an object of its own; see `wrenml.storage.base.Storage.commit`."""
        return commit_object(self, job, call, frame, attempt)

    def frames(self, job: str) -> Iterator[tuple[str, int, Buffer]]:
        """Every committed frame of a job; see `wrenml.storage.base.Storage.frames`."""
        return object_frames(self, self.list(outcomes(job)))


def _reopen(name: str) -> MemoryStorage:
    return MemoryStorage(name, create=False)


def _elsewhere(name: str) -> str:
    return (
        f"There is no memory storage {name!r} in this process: its objects live in the process that made it, "
        "and end with it. Between processes use a folder (file:///…) or a bucket (s3://…)."
    )
