"""What a call prints: caught at the level of file descriptors, so that native code and subprocesses count too."""

from __future__ import annotations

import os

__all__ = ["HEAD_BYTES", "TAIL_BYTES", "Capture", "cut_output", "read_output"]

HEAD_BYTES = 32_768
TAIL_BYTES = 32_768
_TRIM_BYTES = 1 << 20


def read_output(descriptor: int, start: int, stop: int) -> str:
    """Read what was written between two positions: all of it, or its head and tail and how much lies between."""
    size = stop - start
    if size <= HEAD_BYTES + TAIL_BYTES:
        return os.pread(descriptor, size, start).decode(errors="replace")
    head = os.pread(descriptor, HEAD_BYTES, start).decode(errors="replace")
    # What `cut_output` took away and nothing was written over reads as zeros.
    tail = os.pread(descriptor, TAIL_BYTES, stop - TAIL_BYTES).lstrip(b"\0").decode(errors="replace")
    return f"{head}\n[… {size - HEAD_BYTES - TAIL_BYTES:,} bytes left out …]\n{tail}"


def cut_output(descriptor: int, start: int, most: int) -> None:
    """Free what lies between head and tail of what was written from `start` on, if it takes more than `most` bytes.

    Positions stay what they were, so that the writer, which may go on all the while, need not know.
    """
    status = os.fstat(descriptor)
    if status.st_blocks * 512 > most and status.st_size - start > HEAD_BYTES + TAIL_BYTES:
        place = status.st_size - TAIL_BYTES
        tail = os.pread(descriptor, TAIL_BYTES, place)
        os.ftruncate(descriptor, start + HEAD_BYTES)
        os.pwrite(descriptor, tail, place)


class Capture:
    """The standard output and error of a worker child: one appended file, read after each call that wrote to it.

    The child's streams are unbuffered, so that the file's position tells at once whether anything was written.

    Parameters
    ----------
    descriptor : int
        Of the file that is standard output and standard error.
    """

    __slots__ = ("_descriptor", "_start")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._start = os.lseek(descriptor, 0, os.SEEK_END)

    @property
    def start(self) -> int:
        """Where what is written next begins."""
        return self._start

    def take(self) -> tuple[str, int] | None:
        """Return what was written since the last time, and its length in bytes; None if nothing was."""
        end = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        if end == self._start:
            return None
        start = min(self._start, end)
        size = end - start
        text = read_output(self._descriptor, start, end)
        if end > _TRIM_BYTES:
            os.ftruncate(self._descriptor, 0)
            end = os.lseek(self._descriptor, 0, os.SEEK_SET)
        else:
            os.lseek(self._descriptor, end, os.SEEK_SET)
        self._start = end
        return text, size
