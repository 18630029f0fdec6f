"""Content-addressed blobs as a packer writes them: each once, a buffer hashed once while it cannot change."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pickle import PickleBuffer

from wrenml.pickling.format import Buffer, prefix

__all__ = ["Blobs", "PutBlob"]

PutBlob = Callable[[bytes, Sequence[Buffer]], None]


class Blobs:
    """Hands buffers to `put_blob`, once for each digest.

    Parameters
    ----------
    put_blob : callable
        Takes the 32-byte SHA-256 and the buffers whose bytes, one after the other, it is of.
    """

    __slots__ = ("_depth", "_known", "_put", "_waiting", "_written")

    def __init__(self, put_blob: PutBlob) -> None:
        self._put = put_blob
        self._written: set[bytes] = set()
        # The view is held so that its address cannot come to belong to another buffer.
        self._known: dict[tuple[int, int], tuple[memoryview, bytes]] = {}
        self._waiting: dict[bytes, bytes | memoryview] = {}
        self._depth = 0

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Within this, a buffer met again is taken to hold the same bytes."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._known.clear()
                self._waiting.clear()

    def flush(self) -> None:
        """Put what was written: apart, so that a storage's errors never look like a pickler's."""
        while self._waiting:
            digest = next(iter(self._waiting))
            self._put(digest, (self._waiting[digest],))
            self._written.add(digest)
            del self._waiting[digest]

    def write(self, data: bytes | memoryview) -> bytes:
        """Take bytes to be put and return their digest."""
        import hashlib  # noqa: PLC0415 - slow to load, and small values need no blob

        digest = hashlib.sha256(data).digest()
        if digest not in self._written:
            self._waiting[digest] = data
        return digest

    def write_buffer(self, buffer: PickleBuffer) -> bytes:
        """Take a contiguous buffer to be put and return its digest."""
        view = buffer.raw()
        address = _address(view)
        if address is None:
            return self.write(view)
        key = (address, view.nbytes)
        if key not in self._known:
            self._known[key] = (view, self.write(view))
        return self._known[key][1]

    def join(self, stream: bytes, buffers: Sequence[PickleBuffer], *, references: bool = False) -> bytes:
        """Return the packed form of a pickle stream and the buffers out of it, which become blobs."""
        if not buffers and not references:
            return stream
        table = [self.write_buffer(buffer) for buffer in buffers]
        return prefix(len(stream), table, references=references) + stream


def _address(view: memoryview) -> int | None:
    # Only numpy tells where any buffer lies; without it a buffer met again is hashed again.
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    return int(numpy.frombuffer(view, "u1").__array_interface__["data"][0])
