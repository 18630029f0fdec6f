"""Large files in memory, reached by links from the storage's folder, until they are moved there.

::

    <root>/blobs/<sha256>  ──link──▶  /dev/shm/wrenml-<uid>-<digest of root>/blobs/<sha256>~<token>
    <root>                 ◀──link──  /dev/shm/wrenml-<uid>-<digest of root>/.~root

A file has a name of its own and is locked from before its link is made until it is whole. Whoever replaces or removes
the link holds the file's lock too. So what nobody locks and nobody links to was left by a writer that was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256

from wrenml.storage.base import TEMPORARY, Buffer
from wrenml.storage.osfile import make_folders, open_new, write_all
from wrenml.storage.room import has_room, memory_limit

__all__ = ["BULK", "MEMORY", "Bulk", "lock"]

BULK = 1 << 20
"""Bytes from which an object or frame may lie in memory."""

MEMORY = "/dev/shm"  # noqa: S108  # what lies there is in a folder that only this user can enter
"""Where Linux keeps files in memory."""

_ROOT = "/" + TEMPORARY + "root"
_PIECE = 1 << 26
_HIDDEN = 0o077


class Bulk:
    """The files in memory of the storage at one root.

    Parameters
    ----------
    root : str
        The storage's folder.
    memory : str or None
        The file system in memory; None keeps new files out of it.
    """

    def __init__(self, root: str, memory: str | None) -> None:
        self._root = root
        self._memory = memory
        self._mine = f"{memory or MEMORY}/wrenml-{os.getuid()}-"
        self._folder: str | None = None
        self._limit: int | None = None

    @property
    def folder(self) -> str:
        """Where this storage's files lie: the same for every process that opens the root, by whatever path."""
        if self._folder is None:
            self._folder = self._mine + sha256(os.fsencode(os.path.realpath(self._root))).hexdigest()[:12]
        return self._folder

    # Reading

    def target(self, path: str) -> str | None:
        """The file in memory that a path of the storage links to; None if that is no such link."""
        try:
            target = os.readlink(path)
        except OSError:
            return None
        folder = target[: target.find("/", len(self._mine))]
        if not target.startswith(self._mine) or "/../" in target or not _is_private(folder):
            return None
        return target

    def has(self, path: str) -> bool:
        """Whether the path is a link to a file in memory that is there."""
        target = self.target(path)
        return target is not None and os.path.isfile(target)

    def open(self, path: str, flags: int = os.O_RDONLY) -> int | None:
        """Open the file in memory that a path links to; None if that is no such link, or the file is gone."""
        target = self.target(path)
        if target is None:
            return None
        try:
            return os.open(target, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None

    # Writing

    def put(self, key: str, path: str, buffers: Sequence[Buffer], size: int) -> bool | None:
        """Write an object unless there is one.

        Returns
        -------
        bool or None
            Whether this object was written; None if there is no room in memory, so that it must go to the disk.
        """
        fd = self.create(key, path, os.O_WRONLY, size, buffers)
        if isinstance(fd, int):
            os.close(fd)
            return True
        return fd

    def create(self, key: str, path: str, flags: int, size: int, buffers: Sequence[Buffer] = ()) -> int | bool | None:
        """Make a file with this content and link the path to it.

        Returns
        -------
        int, False or None
            The open file; False if something is at the path already; None if memory cannot be used.
        """
        if not self._usable(size):
            return None
        target = f"{self.folder}/{key}~{os.urandom(6).hex()}"
        try:
            fd = open_new(target, flags | os.O_EXCL)
        except OSError:
            return None
        placed = None
        try:
            if lock(fd):
                write_all(fd, buffers)
                self._link(target, path)
                fcntl.flock(fd, fcntl.LOCK_UN)
                return fd
        except FileExistsError:
            placed = False
        except OSError:
            pass  # the disk may do what memory cannot, or says better why not
        except BaseException:
            self._drop(target, fd)
            raise
        self._drop(target, fd)
        return placed

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more may lie in memory."""
        memory = self._memory
        if memory is None or sys.platform != "linux" or (memory == MEMORY and not os.path.ismount(memory)):
            self._memory = None
            return False
        if self._limit is None:
            self._limit = memory_limit()
        return has_room(memory, size, self._limit)

    def _usable(self, size: int) -> bool:
        if not self.has_room(size):
            return False
        with contextlib.suppress(OSError):
            make_folders(self.folder)
            os.symlink(os.path.realpath(self._root), self.folder + _ROOT)
        return _is_private(self.folder)

    @staticmethod
    def _link(target: str, path: str) -> None:
        try:
            os.symlink(target, path)
        except FileNotFoundError:
            make_folders(path[: path.rindex("/")])
            os.symlink(target, path)

    @staticmethod
    def _drop(target: str, fd: int) -> None:
        with contextlib.suppress(OSError):
            os.unlink(target)
        os.close(fd)

    def clear_dangling(self, path: str) -> None:
        """Remove a link whose file in memory is gone, as after the machine was started anew."""
        target = self.target(path)
        # The second look tells it from a file that has just been moved to the path.
        if target is not None and not os.path.exists(target) and self.target(path) == target:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    @contextlib.contextmanager
    def replacing(self, path: str) -> Iterator[None]:
        """While a path is replaced or removed; the file in memory that it links to goes with it."""
        fd = self.open(path)
        if fd is None:
            yield
            return
        try:
            there = lock(fd)
            target = self.target(path)
            yield
            if there and target is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(target)
                self._remove_empty(target)
        finally:
            os.close(fd)

    # Moving

    def names(self, folder: str) -> set[str]:
        """What a folder of keys has directly below it in memory."""
        try:
            return set(os.listdir(f"{self.folder}/{folder}")) if _is_private(self.folder) else set()
        except OSError:
            return set()

    def persist(self, prefix: str, older_than: float) -> int:
        """Move files to the disk; see `wrenml.storage.local.LocalStorage.persist`."""
        if not _is_private(self.folder):
            return 0
        moved = 0
        before = time.time() - older_than
        for target in list(_files(f"{self.folder}/{prefix[: prefix.rfind('/') + 1]}".rstrip("/"))):
            key = target[len(self.folder) + 1 :].rpartition("~")[0]
            if key.startswith(prefix):
                with contextlib.suppress(FileNotFoundError):
                    if os.stat(target).st_mtime <= before:
                        moved += self._move(target, f"{self._root}/{key}")
        return moved

    def _move(self, target: str, path: str) -> int:
        with _taken(target) as fd:
            if fd is None:
                return 0
            size = 0
            if self.target(path) == target:
                size = _copy(fd, path)
            os.unlink(target)
            self._remove_empty(target)
            return size

    def sweep(self) -> None:
        """Remove what this user's storages have in memory whose own folders are gone."""
        memory, _, name = self._mine.rpartition("/")
        with contextlib.suppress(OSError):
            for entry in os.listdir(memory):
                folder = f"{memory}/{entry}"
                if entry.startswith(name) and _is_private(folder):
                    with contextlib.suppress(OSError):
                        self._sweep(folder)

    @staticmethod
    def _sweep(folder: str) -> None:
        root = os.readlink(folder + _ROOT)
        if os.path.isdir(root):
            return
        for target in list(_files(folder)):
            # Whoever writes the first object makes the root before the lock is let go.
            with _taken(target) as fd:
                if fd is not None and not os.path.isdir(root):
                    os.unlink(target)
        for path, _, _ in os.walk(folder, topdown=False):
            if path == folder:
                os.unlink(folder + _ROOT)
            os.rmdir(path)

    def _remove_empty(self, target: str) -> None:
        folder = target[: target.rindex("/")]
        while len(folder) > len(self.folder):
            try:
                os.rmdir(folder)
            except OSError:
                return
            folder = folder[: folder.rindex("/")]


def lock(fd: int) -> bool:
    """Wait for the lock of an open file; False if the file has been removed. Closing it unlocks."""
    fcntl.flock(fd, fcntl.LOCK_EX)
    return os.fstat(fd).st_nlink > 0


@contextlib.contextmanager
def _taken(target: str) -> Iterator[int | None]:
    """Open and lock a file; None if it is gone."""
    fd = os.open(target, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        yield fd if lock(fd) else None
    finally:
        os.close(fd)


def _copy(fd: int, path: str) -> int:
    folder = path[: path.rindex("/") + 1]
    temporary = f"{folder}{TEMPORARY}{os.urandom(6).hex()}-{os.getpid()}"
    size = os.fstat(fd).st_size
    out = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        done = 0
        while done < size:
            done += os.sendfile(out, fd, done, min(size - done, _PIECE))
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    finally:
        os.close(out)
    return size


def _is_private(folder: str) -> bool:
    try:
        status = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & _HIDDEN


def _files(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path)
        elif not entry.is_symlink():
            yield entry.path
