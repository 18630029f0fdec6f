"""Whole writes, private reads and clear errors over plain file descriptors."""

from __future__ import annotations

import errno
import mmap
import os
import sys
from collections.abc import Sequence

from wrenml.errors import AccessDeniedError, KeyNotFoundError, StorageError
from wrenml.storage.base import LARGE, Buffer, size_of

__all__ = ["as_storage_error", "make_folders", "open_new", "read_range", "write_all"]

_IOV_MAX = 1024
# Above this, some systems refuse a write and others cut it short.
_WRITE_MAX = 1 << 30
# From here on mapping costs less than reading into fresh memory, and workers share the pages.
_MAP = 1 << 17
# Before Python 3.13 each mapping holds a descriptor; the caller's own files need the rest.
_MAX_MAPPED = 128
_TRACKS_DESCRIPTORS = sys.version_info < (3, 13)

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}


def write_all(fd: int, buffers: Sequence[Buffer]) -> None:
    """Write the buffers one after another: one system call, unless they are many, huge or cut short."""
    size = size_of(buffers)
    written = 0
    if len(buffers) <= _IOV_MAX and size <= _WRITE_MAX:
        written = os.writev(fd, buffers)
        if written == size:
            return
    _write_rest(fd, buffers, written)


def _write_rest(fd: int, buffers: Sequence[Buffer], written: int) -> None:
    for buffer in buffers:
        # A cast needs items, and an empty buffer may have a shape that has none.
        view = memoryview(buffer)
        if written >= view.nbytes:
            written -= view.nbytes
            continue
        view = view.cast("B")[written:]
        written = 0
        while view:
            view = view[os.write(fd, view[:_WRITE_MAX]) :]


def read_range(fd: int, start: int, stop: int | None) -> Buffer:
    """Bytes of an open file as the caller's own buffer: small ones read, large ones mapped copy-on-write."""
    if stop is not None and stop - start < LARGE:
        return os.pread(fd, stop - start, start)
    end = os.fstat(fd).st_size
    size = (end if stop is None else min(stop, end)) - start
    if size < LARGE:
        return os.pread(fd, max(size, 0), start)
    if size >= _MAP and not (_TRACKS_DESCRIPTORS and fd >= _MAX_MAPPED):
        try:
            return _map(fd, start, size)
        except OSError:
            # Not every file system can be mapped, and reading is always right.
            pass
    return _read(fd, start, size)


def _map(fd: int, start: int, size: int) -> memoryview:
    skipped = start % mmap.ALLOCATIONGRANULARITY
    if sys.version_info >= (3, 13):
        mapped = mmap.mmap(fd, size + skipped, access=mmap.ACCESS_COPY, offset=start - skipped, trackfd=False)
    else:
        mapped = mmap.mmap(fd, size + skipped, access=mmap.ACCESS_COPY, offset=start - skipped)
    return memoryview(mapped)[skipped:]


def _read(fd: int, start: int, size: int) -> bytearray:
    data = bytearray(size)
    done = 0
    with memoryview(data) as view:
        while done < size:
            count = os.preadv(fd, [view[done : done + _WRITE_MAX]], start + done)
            if not count:
                break
            done += count
    del data[done:]
    return data


def open_new(path: str, flags: int) -> int:
    """Open a file for writing, making its folders only when they turn out to be missing."""
    # Whoever deletes the last object of a folder removes the folder, perhaps just before our file comes.
    for _ in range(16):
        try:
            return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError:
            make_folders(path[: path.rindex("/")])
    return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def make_folders(path: str) -> None:
    """Make a folder and those above it, each for this user only."""
    # As above; but some file systems, /proc for one, say this of a folder that is there and takes no other.
    for _ in range(16):
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            return
        except FileNotFoundError:
            make_folders(path[: path.rindex("/")] or "/")
        else:
            return
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


def as_storage_error(error: OSError, key: str, path: str) -> StorageError:
    """Say what the operating system refused, what that means here and what to do."""
    if error.errno in _ABSENT and not os.path.isdir(path):
        return KeyNotFoundError(f"There is no object {key!r} in this storage (no file {path}).")
    if error.errno in _FULL:
        return StorageError(
            f"No room for {path}: {error.strerror}. Nothing was stored under {key!r}. "
            "Free some space or raise the limit, or use a storage folder on another disk."
        )
    if error.errno in _DENIED:
        return AccessDeniedError(
            f"This user may not use {path}: {error.strerror}. "
            "Give it read and write permission there, or use another storage folder."
        )
    if error.errno == errno.EMFILE:
        return StorageError(
            f"Could not open {path}: this process has as many files open as it may. "
            "Raise the limit (ulimit -n), or close files that are no longer needed."
        )
    return StorageError(f"The file system failed at {path}: {error.strerror}. Check the disk and the path.")
