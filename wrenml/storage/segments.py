"""A segment: a file to which one writer appends frames, each behind its length."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from collections.abc import Callable, Iterator, Sequence

from wrenml.storage.base import Buffer
from wrenml.storage.bulk import lock
from wrenml.storage.osfile import read_range, write_all

__all__ = ["APPENDING", "Segment", "walk"]

APPENDING = os.O_RDWR | os.O_APPEND

_LENGTH = struct.Struct("<Q")


def walk(data: Buffer) -> Iterator[tuple[int, int]]:
    """Where each whole frame of a segment starts and stops; the torn one of a killed writer is none."""
    end = 0
    while end + _LENGTH.size <= len(data):
        start = end + _LENGTH.size
        (size,) = _LENGTH.unpack_from(data, end)
        if not size or start + size > len(data):
            return
        end = start + size
        yield start, end


class Segment:
    """An open segment of this writer.

    The descriptor closes with the last reference, so that a segment dropped from a cache while a thread still
    appends to it stays usable for that thread.

    Parameters
    ----------
    fd : int
        The file, open to be read and appended to; the segment closes it. A torn frame at its end is cut off.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._end = 0
        if os.fstat(self._fd).st_size:
            self._end = max((stop for _, stop in walk(read_range(self._fd, 0, None))), default=0)
            os.ftruncate(self._fd, self._end)

    def append(self, frame: Sequence[Buffer], size: int) -> tuple[int, int]:
        """Append a frame of so many bytes by one system call and say where it starts and stops."""
        try:
            write_all(self._fd, [_LENGTH.pack(size), *frame])
        except BaseException:
            # Half a frame in the middle would hide every frame after it.
            os.ftruncate(self._fd, self._end)
            raise
        start = self._end + _LENGTH.size
        self._end = start + size
        return start, self._end

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """While nobody else may move or remove the file; False if somebody has."""
        there = lock(self._fd)
        try:
            yield there
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self._fd)  # at the interpreter's end the module may be empty already
