"""Several buffers as one stream of bytes, without joining them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

from wrenml.storage.base import Buffer

__all__ = ["Chain", "as_views", "window", "windows"]


class Chain(io.RawIOBase):
    """A seekable stream over buffers.

    Parameters
    ----------
    views : sequence of memoryview
        Views of single bytes.
    """

    def __init__(self, views: Sequence[memoryview]) -> None:
        super().__init__()
        self._views = views
        self._size = sum(map(len, views))
        self._at = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The offset of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset from the start, the current one or the end."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def __len__(self) -> int:
        return self._size

    def __bool__(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:  # type: ignore[override] # the base takes any writable buffer
        """Fill the buffer as far as there are bytes."""
        with memoryview(buffer).cast("B") as target:
            done = 0
            for piece in window(self._views, self._at, self._at + len(target)):
                target[done : done + len(piece)] = piece
                done += len(piece)
        self._at += done
        return done


def as_views(buffers: Sequence[Buffer]) -> list[memoryview]:
    """Views of single bytes; empty buffers are left out."""
    views = [memoryview(buffer) for buffer in buffers]
    return [view.cast("B") for view in views if view.nbytes]


def window(views: Sequence[memoryview], start: int, stop: int) -> Iterator[memoryview]:
    """The pieces that make up a range of the views' bytes."""
    at = 0
    for view in views:
        if at >= stop:
            return
        piece = view[max(start - at, 0) : stop - at]
        if piece:
            yield piece
        at += len(view)


def windows(buffers: Sequence[Buffer], size: int) -> list[list[memoryview]]:
    """Cut the bytes of several buffers into parts of a size, the last one shorter."""
    views = as_views(buffers)
    total = sum(map(len, views))
    return [list(window(views, start, start + size)) for start in range(0, total, size)]
