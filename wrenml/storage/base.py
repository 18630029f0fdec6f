"""What a storage is: bytes under keys, and one verb for outcomes.

A storage is stateless and caches nothing: each verb is one request, and what it says is true when it returns.
Keys are relative paths of parts joined by ``/``; no key is the folder of another. Listing is in the order of
the keys' UTF-8 bytes. An object is whole or absent, never partly there.

::

    jobs/<job>/out/<call>             a final outcome, written if absent          (memory, S3)
    jobs/<job>/out/<call>.<attempt>   an infrastructure failure of that attempt   (memory, S3)
    jobs/<job>/out/<writer>           every frame one writer committed, in order  (local files)
    jobs/<job>/out/<writer>+          its large frames, while memory has room     (local files)
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from wrenml.errors import ConfigError, KeyNotFoundError
from wrenml.storage.buffer import Buffer

__all__ = [
    "IN_MEMORY",
    "LARGE",
    "Buffer",
    "Commit",
    "Objects",
    "Storage",
    "as_buffers",
    "check_key",
    "check_keys",
    "check_name",
    "check_range",
    "commit_object",
    "frame_size",
    "get_or_none",
    "is_remote",
    "object_frames",
    "outcomes",
    "size_of",
]

LARGE = 64 * 1024
"""Bytes from which `Objects.get` promises a writable buffer."""

TEMPORARY = ".~"
"""How the name of a file that is still being written begins; no part of a key may."""

IN_MEMORY = "+"
"""What stands behind the name of a writer in the key of its large frames that may lie in memory."""

_MAX_KEY = 1024
_MAX_PART = 255
_RESERVED = ("", ".", "..")


class Commit(NamedTuple):
    """Where a committed frame lies: ``storage.get(key, start=start, stop=stop)`` is the frame.

    Parameters
    ----------
    settled : bool
        False when another outcome was there first; `start` and `stop` are then those of the frame refused.
    key : str
        The object that holds the frame.
    start, stop : int
        The range of bytes in that object.
    """

    settled: bool
    key: str
    start: int
    stop: int


class Objects(Protocol):
    """Bytes under keys.

    Every verb raises `ConfigError` for a key or range that cannot be meant, `AccessDeniedError` where a
    permission is missing, `StorageUnavailableError` when the storage cannot be reached for long, and
    `StorageError` for any other failure.
    """

    @property
    def url(self) -> str:
        """Where the bytes are; `wrenml.storage.open_storage` opens the same storage from it."""
        ...

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write an object, whole or not at all.

        Parameters
        ----------
        key : str
            Where.
        data : Buffer or sequence of Buffer
            Several are written one after another, without being joined first.
        if_absent : bool, default False
            Write only if there is no such object. Of writers that race, exactly one wins.

        Returns
        -------
        bool
            False if the object was there and `if_absent` was asked for; True otherwise.
        """
        ...

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> Buffer:
        """Read an object or a range of it.

        Parameters
        ----------
        key : str
            Which.
        start : int, default 0
            The first byte.
        stop : int, optional
            One past the last byte; the end by default. A range beyond the end is cut at the end.

        Returns
        -------
        Buffer
            The caller's own: writable from `LARGE` bytes on, and writing to it changes nothing else.

        Raises
        ------
        KeyNotFoundError
            There is no such object; also a `FileNotFoundError`.
        """
        ...

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Keys that begin with a prefix, in the order of their UTF-8 bytes.

        Parameters
        ----------
        prefix : str
            How the keys begin; it need not end at a ``/``.
        after : str, default ""
            Only keys that come after this one.
        """
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there are fine."""
        ...


class Storage(Objects, Protocol):
    """Bytes under keys, and outcomes laid out as suits this storage."""

    def commit(self, job: str, call: int, frame: Sequence[Buffer], *, attempt: int | None, writer: str) -> Commit:
        """Make an outcome, or a frame of several, durable for every reader.

        Parameters
        ----------
        job : str
            The job's id: one part of a key.
        call : int
            The frame's first call.
        frame : sequence of Buffer
            Opaque bytes that authenticate themselves; not empty.
        attempt : int or None
            None for a final outcome; otherwise the attempt whose infrastructure failure this is.
        writer : str
            Who writes: one part of a key, used by one storage object of one process at a time.

        Returns
        -------
        Commit
            Where the frame lies, and whether it is the one that counts. Where each writer appends to a
            file of its own, every frame is settled and the reader decides which was first.
        """
        ...

    def frames(self, job: str) -> Iterator[tuple[str, int, Buffer]]:
        """Every committed frame of a job as (key, start, bytes), in the order of key and start.

        A frame that was cut short because its writer was killed is left out.
        """
        ...


def check_key(key: str) -> None:
    """Refuse a key that not every storage could hold."""
    problem = _problem(key)
    if problem:
        raise ConfigError(
            f"{key!r} cannot be the key of an object: {problem}. "
            "Use a relative path such as 'models/a.npy', its parts joined by single slashes."
        )


def _problem(key: str) -> str:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "it holds a lone surrogate, which has no bytes in UTF-8"
    if not 0 < size <= _MAX_KEY:
        return f"it has {size} bytes, and 1 to {_MAX_KEY} are possible"
    if min(key) < " " or "\x7f" in key:
        return "it holds a control character"
    for part in key.split("/"):
        if part in _RESERVED:
            return "it begins or ends with a slash, or has a part that is empty, '.' or '..'"
        if part.startswith(TEMPORARY) or len(part.encode()) > _MAX_PART:
            return f"one of its parts is longer than {_MAX_PART} bytes or begins with {TEMPORARY!r}"
    return ""


def check_name(name: str, what: str) -> None:
    """Refuse a job id or writer name that is not one part of a key."""
    check_key(name)
    if "/" in name:
        raise ConfigError(f"{name!r} cannot be the name of a {what}: it holds a slash.")


def check_range(start: int, stop: int | None) -> None:
    """Refuse a range that counts from the end or runs backwards."""
    if start < 0 or (stop is not None and stop < start):
        raise ConfigError(f"Bytes {start} to {stop} are no range: 0 <= start <= stop is needed.")


def check_keys(keys: Iterable[str]) -> None:
    """Refuse one string where several keys are meant: it would be taken for its letters."""
    if isinstance(keys, str):
        raise ConfigError(f"delete takes several keys; for one, pass [{keys!r}].")


def as_buffers(data: Buffer | Sequence[Buffer]) -> Sequence[Buffer]:
    """One buffer or several, as several."""
    return (data,) if isinstance(data, bytes | bytearray | memoryview | mmap.mmap) else data


def size_of(buffers: Sequence[Buffer]) -> int:
    """How many bytes the buffers hold together."""
    return sum([data.nbytes if isinstance(data, memoryview) else len(data) for data in buffers])


def frame_size(frame: Sequence[Buffer]) -> int:
    """How many bytes a frame holds; an empty one is refused, since nothing would mark its place."""
    size = size_of(frame)
    if not size:
        raise ConfigError("A frame without bytes cannot be committed.")
    return size


def outcomes(job: str) -> str:
    """Below which keys a job's outcomes lie."""
    check_name(job, "job")
    return f"jobs/{job}/out/"


def commit_object(storage: Objects, job: str, call: int, frame: Sequence[Buffer], attempt: int | None) -> Commit:
    """`Storage.commit` where each frame is an object of its own and the first one written counts."""
    size = frame_size(frame)
    key = f"{outcomes(job)}{call:010d}" + ("" if attempt is None else f".{attempt}")
    return Commit(storage.put(key, frame, if_absent=True), key, 0, size)


def object_frames(storage: Objects, keys: Iterable[str]) -> Iterator[tuple[str, int, Buffer]]:
    """`Storage.frames` where each frame is an object of its own."""
    for key in keys:
        frame = get_or_none(storage, key)
        if frame is not None:
            yield key, 0, frame


def is_remote(storage: Objects) -> bool:
    """Whether each verb is a request that takes a while and costs money."""
    return storage.url.startswith("s3:")


def get_or_none(storage: Objects, key: str) -> Buffer | None:
    """Read an object that may have been deleted since it was listed."""
    try:
        return storage.get(key)
    except KeyNotFoundError:
        return None
