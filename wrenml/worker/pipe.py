"""Messages between a supervisor and its worker child, over one socket.

To the child: requests. Back from it: frames of outcomes; large bodies are committed to storage by the child and only
named in the message. Both ways a fixed header gives the lengths of what follows, so nothing is parsed to be framed.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from wrenml.errors import WireError
from wrenml.outcome import MAGIC
from wrenml.storage.base import Buffer
from wrenml.wire import ArgumentRange, Input, Request

__all__ = [
    "INLINE_BYTES",
    "REQUEST_HEAD",
    "UNSTORED",
    "Inbox",
    "Reply",
    "Stored",
    "pack_reply",
    "pack_request",
    "read_exactly",
    "read_request",
]

UNSTORED = "wrenml: nothing can be stored: "  # the last words of a child that cannot even store a failure
INLINE_BYTES = 1 << 16  # arguments up to this size travel in the message, larger ones by storage
REQUEST_HEAD = struct.Struct("<IIII")  # lengths of: fields, job spec, offsets, arguments
_FIELDS = struct.Struct("<16sQIIdI32s32s")  # job, first, count, attempt, sent, depth, key, digest of the job spec
_REPLY_HEAD = struct.Struct(
    "<BBHIQQQ"
)  # request over, bodies left in storage, in memory, length, next call, start, stop


class Stored(NamedTuple):
    """Where a frame lies in storage: object, and the range of the whole frame in it."""

    key: str
    start: int
    stop: int


class Reply(NamedTuple):
    """A message from a child: a frame, perhaps without its bodies, where it is stored, how far the request has come."""

    frame: memoryview
    start: int
    stop: int
    over: bool
    next_call: int
    in_memory: bool = False


def pack_request(request: Request, spec: bytes = b"") -> list[Buffer]:
    """Encode a request for the pipe; `spec` goes along when the child has not had it."""
    fields = _FIELDS.pack(
        request.job.encode(), request.first, request.count, request.attempt, request.sent, request.depth,
        request.key, bytes.fromhex(request.spec),
    )  # fmt: skip
    if request.range is not None or request.inputs:
        fields += json.dumps([request.range, request.inputs]).encode()
    offsets = request.offsets if isinstance(request.offsets, memoryview) else memoryview(b"".join(
        [offset.to_bytes(8, "little") for offset in request.offsets]
    ))  # fmt: skip
    args = memoryview(request.args)
    return [REQUEST_HEAD.pack(len(fields), len(spec), offsets.nbytes, args.nbytes), fields, spec, offsets, args]


def read_request(sock: socket.socket) -> tuple[Request, bytes | None] | None:
    """Wait for the next request and its job spec, if that came along; None when the supervisor has gone."""
    head = read_exactly(sock, REQUEST_HEAD.size)
    if head is None:
        return None
    fields_size, spec_size, offsets_size, args_size = REQUEST_HEAD.unpack(head)
    data = read_exactly(sock, fields_size + spec_size + offsets_size + args_size)
    if data is None:
        return None
    view = memoryview(data)
    spec_at = fields_size + spec_size
    args_at = spec_at + offsets_size
    job, first, count, attempt, sent, depth, key, digest = _FIELDS.unpack_from(view)
    where, inputs = json.loads(data[_FIELDS.size : fields_size]) if fields_size > _FIELDS.size else (None, ())
    request = Request(
        job=job.decode(),
        first=first,
        count=count,
        attempt=attempt,
        spec=digest.hex(),
        key=key,
        offsets=view[spec_at:args_at].cast("Q"),
        args=view[args_at:],
        range=None if where is None else ArgumentRange(*where),
        inputs=tuple([Input(*entry) for entry in inputs]),
        sent=sent,
        depth=depth,
    )
    return request, bytes(view[fields_size:spec_at]) or None


def read_exactly(sock: socket.socket, size: int) -> bytearray | None:
    """So many bytes; None when the other end has gone."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = sock.recv_into(view)
        if not count:
            return None
        view = view[count:]
    return data


def pack_reply(
    head: bytes,
    bodies: Sequence[Buffer],
    next_call: int,
    *,
    over: bool,
    start: int = 0,
    stop: int = 0,
    in_memory: bool = False,
) -> bytes:
    """Encode a frame for the pipe; large bodies are left out, since the frame is in storage too.

    Parameters
    ----------
    head : bytes
        Of the frame; empty when there is none.
    bodies : sequence of buffers
        What follows it.
    next_call : int
        The first call that was not run.
    over : bool
        Whether this is the request's last message.
    start, stop : int
        Where the frame lies in the worker's segment.
    in_memory : bool
        Whether that is its segment of large frames.
    """
    large = sum(len(body) for body in bodies) > INLINE_BYTES
    payload = head if large else b"".join((head, *bodies))
    return _REPLY_HEAD.pack(over, large, in_memory, len(payload), next_call, start, stop) + payload


class Inbox:
    """Cuts the bytes that arrive from a child into replies."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Reply]:
        """Take bytes; give the replies that are complete now.

        Raises
        ------
        WireError
            If they are none: something other than wrenml wrote to the pipe.
        """
        if self._data:
            self._data += data
            data = bytes(self._data)
            self._data.clear()
        view = memoryview(data)
        at = 0
        while len(view) - at >= _REPLY_HEAD.size:
            over, large, in_memory, size, next_call, start, stop = _REPLY_HEAD.unpack_from(view, at)
            end = at + _REPLY_HEAD.size + size
            payload = view[at + _REPLY_HEAD.size : end]
            if (
                max(over, large, in_memory) > 1
                or not (size or over or next_call)
                or payload[:4] != MAGIC[: min(size, len(payload))]
            ):
                raise WireError("what came through a worker's pipe is no reply")
            if end > len(view):
                break
            at = end
            yield Reply(payload, start, stop, bool(over), next_call, bool(in_memory))
        if at < len(view):
            self._data += view[at:]
