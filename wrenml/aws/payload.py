"""Bodies of requests: hashed once, and sent as often as it takes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from hashlib import sha256
from typing import Protocol

from wrenml.aws.signing import EMPTY_SHA256

__all__ = ["Payload", "Stream"]

_BLOCK = 1 << 20


class Stream(Protocol):
    """Bytes that can be read more than once."""

    def read(self, size: int = -1, /) -> bytes | None:
        """Up to so many bytes; none at the end."""
        ...

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to an offset."""
        ...

    def tell(self) -> int:
        """Where the next byte is."""
        ...


class Payload:
    """A body.

    Parameters
    ----------
    body : bytes, bytearray, memoryview or Stream
        What is sent; a stream from where it stands to its end.
    """

    def __init__(self, body: bytes | bytearray | memoryview | Stream = b"") -> None:
        self._body = body
        if isinstance(body, bytes | bytearray | memoryview):
            self.size = body.nbytes if isinstance(body, memoryview) else len(body)
        else:
            self._start = body.tell()
            self.size = body.seek(0, io.SEEK_END) - self._start

    def sha256(self) -> str:
        """The hash of its bytes, in hex."""
        if not self.size:
            return EMPTY_SHA256
        digest = sha256()
        for block in self.blocks():
            digest.update(block)
        return digest.hexdigest()

    def blocks(self) -> Iterator[bytes | bytearray | memoryview]:
        """Its bytes, from the first one on each time."""
        body = self._body
        if isinstance(body, bytes | bytearray | memoryview):
            yield body
            return
        body.seek(self._start)
        while block := body.read(_BLOCK):
            yield block
