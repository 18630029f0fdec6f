"""How packed bytes are laid out.

A value with nothing out of band is a plain pickle (protocol 5, first byte 0x80). Any other is::

    prefix   16 bytes   magic, version, flags, number of buffers, length of the stream
    table    40 bytes each: a blob's SHA-256, or offset and length of an inline buffer
    stream   the pickle
    inline   each buffer at a multiple of 64 bytes from the start of the body
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Sequence
from pickle import PickleBuffer
from typing import NamedTuple, TypeAlias

from wrenml.errors import WireError

__all__ = [
    "ALIGNMENT",
    "PLAIN",
    "Buffer",
    "Inline",
    "Parts",
    "keep_out",
    "prefix",
    "stream_offset",
    "take_apart",
]

Buffer: TypeAlias = bytes | bytearray | memoryview | mmap.mmap

PLAIN = 0x80
ALIGNMENT = 64

_MAGIC = 0xC7
_VERSION = 1
_HAS_REFERENCES = 1
_PREFIX = struct.Struct("<BBHIQ")
_ENTRY = struct.Struct("<B7x32s")
_INLINE = struct.Struct("<QQ16x")
_KIND_BLOB, _KIND_INLINE = 0, 1


class Inline(NamedTuple):
    """Where a buffer lies in the body, bytes."""

    offset: int
    length: int


class Parts(NamedTuple):
    """A packed body taken apart: the pickle stream, its buffers in order, and whether it has references."""

    stream: memoryview
    buffers: list[memoryview]
    references: bool


def keep_out(buffers: list[PickleBuffer], threshold: int) -> Callable[[PickleBuffer], bool]:
    """Return a pickler's callback that collects the contiguous buffers of `threshold` bytes and more."""

    def callback(buffer: PickleBuffer) -> bool:
        view = memoryview(buffer)
        if view.nbytes < threshold or not view.contiguous:
            return True
        buffers.append(buffer)
        return False

    return callback


def prefix(stream_length: int, table: Sequence[bytes | Inline], *, references: bool) -> bytes:
    """Return what stands before the pickle stream.

    Parameters
    ----------
    stream_length : int
        Length of the pickle stream, bytes.
    table : sequence of bytes or Inline
        For each buffer, in the pickler's order, its 32-byte digest or its place in the body.
    references : bool
        Whether the stream has persistent references.
    """
    flags = _HAS_REFERENCES if references else 0
    out = [_PREFIX.pack(_MAGIC, _VERSION, flags, len(table), stream_length)]
    for entry in table:
        if isinstance(entry, Inline):
            out.append(_ENTRY.pack(_KIND_INLINE, _INLINE.pack(entry.offset, entry.length)))
        else:
            out.append(_ENTRY.pack(_KIND_BLOB, entry))
    return b"".join(out)


def stream_offset(buffers: int) -> int:
    """Return where the pickle stream starts in a body with that many buffers, bytes."""
    return _PREFIX.size + buffers * _ENTRY.size


def take_apart(data: Buffer, get_blob: Callable[[bytes], Buffer]) -> Parts:
    """Take a packed body apart without copying it.

    Parameters
    ----------
    data : Buffer
        A body that is not plain.
    get_blob : callable
        Asked once for each blob in the table, with its digest.

    Raises
    ------
    WireError
        The bytes are truncated, or not packed by this version.
    """
    view = memoryview(data)
    if len(view) < _PREFIX.size:
        raise WireError("A packed value is truncated: its prefix is not whole. Run the call again.")
    magic, version, flags, count, length = _PREFIX.unpack_from(view)
    if magic != _MAGIC or version != _VERSION:
        raise WireError(
            f"A packed value starts with {bytes(view[:2])!r}, which this version of wrenml does not write. "
            "Use the same wrenml on both sides."
        )
    start = stream_offset(count)
    if start + length > len(view):
        raise WireError(f"A packed value is truncated at {len(view)} bytes. Run the call again.")
    buffers = [_buffer(view, _PREFIX.size + i * _ENTRY.size, get_blob) for i in range(count)]
    return Parts(view[start : start + length], buffers, bool(flags & _HAS_REFERENCES))


def _buffer(view: memoryview, at: int, get_blob: Callable[[bytes], Buffer]) -> memoryview:
    kind, payload = _ENTRY.unpack_from(view, at)
    if kind == _KIND_BLOB:
        return memoryview(get_blob(payload))
    offset, length = _INLINE.unpack(payload)
    if kind != _KIND_INLINE or offset + length > len(view):
        raise WireError(f"A packed value is truncated at {len(view)} bytes. Run the call again.")
    return view[offset : offset + length]
