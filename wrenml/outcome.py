"""What travels from worker to client: frames of outcomes.

A frame holds the outcomes of one or more calls of one invocation under one tag::

    head (fixed size, the tag last) | records (44 bytes a call) | extras (JSON of failures, logs) | bodies

The tag covers job, invocation, head, records and extras; the head holds the SHA-256 of the bodies. So a reader checks
the tag first, may leave large bodies where they are, and checks the digest before it unpickles any of them.
A success without output costs 44 bytes and its pickled result; everything else about it is in the head.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple, Protocol

from wrenml.auth import TAG_SIZE, tag, verify
from wrenml.errors import AuthenticationError, WireError

__all__ = [
    "HEAD_SIZE",
    "MAGIC",
    "RECORD",
    "Extent",
    "Frame",
    "Outcome",
    "Status",
    "Timings",
    "frame_extent",
    "parse_frame",
    "read_frame",
    "seal_frame",
]

Buffer = bytes | bytearray | memoryview | mmap.mmap

MAGIC = b"wrn1"
_HEAD = struct.Struct("<4sBBeIIQIIQdd8s32s")
HEAD_SIZE = _HEAD.size + TAG_SIZE
RECORD = struct.Struct("<QBBHIdQIQ")  # call, status, retries, -, extra bytes, started, ran ns, unpickled us, body bytes
_COLD = 1
_FIRST_BYTES = 1 << 16
_MOST_BUSY = 65_000.0  # seconds; what half a precision's sixteen bits can hold


class Status:
    """How an attempt ended, as stored in a record."""

    SUCCESS = 0
    FAILURE = 1  # final: the user's exception, an exit, a limit reached
    LOST = 2  # of this attempt only: the infrastructure failed


class Timings(NamedTuple):
    """When things happened to a call: Unix seconds, and seconds of duration."""

    sent: float
    started: float
    unpickled: float
    ran: float
    stored: float


class Outcome(NamedTuple):
    """How one attempt at one call ended, without its body."""

    call: int
    attempt: int
    status: int
    retries: int
    timings: Timings
    peak_mb: float
    cold: bool
    worker: str
    extra: dict[str, object]
    body_bytes: int


class Extent(NamedTuple):
    """Bytes of a frame without its bodies and with them, and how long its calls ran, seconds."""

    head: int
    total: int
    seconds: float


class _Head(NamedTuple):
    """The fixed part of a frame, without its tag."""

    magic: bytes
    version: int
    flags: int
    busy: float
    calls: int
    attempt: int
    first: int
    peak_kb: int
    extra_bytes: int
    body_bytes: int
    sent: float
    stored: float
    worker: bytes
    body_sha256: bytes


class Frame:
    """An authenticated frame; make one with `parse_frame`."""

    __slots__ = ("_extras", "_head", "_records", "bodies", "bodies_at")

    def __init__(self, head: _Head, records: memoryview, extras: memoryview) -> None:
        self._head = head
        self._records = records
        self._extras = extras
        self.bodies_at = HEAD_SIZE + len(records) + len(extras)
        self.bodies: Buffer | None = None

    @property
    def count(self) -> int:
        """How many outcomes it holds."""
        return self._head.calls

    @property
    def first(self) -> int:
        """The first call of the invocation it belongs to."""
        return self._head.first

    @property
    def attempt(self) -> int:
        """The attempt of the invocation it belongs to."""
        return self._head.attempt

    @property
    def has_extras(self) -> bool:
        """Whether any call failed or printed."""
        return len(self._extras) > 0

    @property
    def extras(self) -> memoryview:
        """The JSON texts that the records count, one after another."""
        return self._extras

    @property
    def cold(self) -> bool:
        """Whether the worker's environment was new."""
        return bool(self._head.flags & _COLD)

    @property
    def busy(self) -> float:
        """What the environment is billed for since its last frame of this invocation, seconds (0.1 % precise)."""
        return self._head.busy

    @property
    def peak_mb(self) -> float:
        """Peak memory of the worker, MB."""
        return self._head.peak_kb / 1024

    @property
    def body_bytes(self) -> int:
        """Length of all bodies together, bytes."""
        return self._head.body_bytes

    @property
    def body_sha256(self) -> bytes:
        """Digest of all bodies together."""
        return self._head.body_sha256

    def records(self) -> Iterator[tuple[int, int, int, int, int, float, int, int, int]]:
        """Iterate over the raw records: the hot path of settling."""
        return RECORD.iter_unpack(self._records)

    def outcomes(self) -> Iterator[tuple[Outcome, int, int]]:
        """Iterate over (outcome, start of its body, end of its body), the latter relative to the bodies."""
        head = self._head
        at = body = 0
        for call, status, retries, _, extra_len, started, ran, unpickled, body_len in self.records():
            extra = json.loads(bytes(self._extras[at : at + extra_len])) if extra_len else {}
            yield (
                Outcome(
                    call=call,
                    attempt=head.attempt,
                    status=status,
                    retries=retries,
                    timings=Timings(head.sent, started, unpickled / 1e6, ran / 1e9, head.stored),
                    peak_mb=self.peak_mb,
                    cold=bool(head.flags & _COLD),
                    worker=head.worker.hex(),
                    extra=extra,
                    body_bytes=body_len,
                ),
                body,
                body + body_len,
            )
            at += extra_len
            body += body_len

    def release(self) -> None:
        """Let go of the bytes: what is left says where the bodies lie and what their digest is."""
        self._records = self._extras = memoryview(b"")
        self.bodies = None

    def check_bodies(self, bodies: Buffer) -> None:
        """Raise `AuthenticationError` unless these are the bodies the worker wrote."""
        if sha256(bodies).digest() != self._head.body_sha256:
            raise AuthenticationError(
                "a result was changed or truncated after its worker wrote it; it was not unpickled. Run the call again."
            )


def frame_extent(data: Buffer) -> Extent:
    """How long the frame is that begins here; what is no frame is taken to be as long as it is.

    The numbers are not authenticated.
    """
    view = memoryview(data)
    if len(view) < HEAD_SIZE or view[:4] != MAGIC:
        return Extent(len(view), len(view), 0.0)
    head = _Head._make(_HEAD.unpack(view[: _HEAD.size]))
    records = view[HEAD_SIZE : HEAD_SIZE + head.calls * RECORD.size]
    size = HEAD_SIZE + head.calls * RECORD.size + head.extra_bytes
    whole = records[: len(records) // RECORD.size * RECORD.size]
    return Extent(size, size + head.body_bytes, sum([record[6] for record in RECORD.iter_unpack(whole)]) / 1e9)


class _Readable(Protocol):
    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> Buffer: ...


def read_frame(storage: _Readable, key: str) -> Buffer:
    """Read an outcome object, without its bodies where they are large.

    Parameters
    ----------
    storage : Objects
        Where it lies.
    key : str
        Its name.

    Raises
    ------
    StorageError
        If it cannot be read.
    """
    data = storage.get(key, start=0, stop=_FIRST_BYTES)
    extent = frame_extent(data)
    if extent.head > len(data):
        data = storage.get(key, start=0, stop=extent.head)
    return data if extent.total <= len(data) else memoryview(data)[: extent.head]


def seal_frame(  # noqa: PLR0913  # the fields of the head
    key: bytes,
    job: str,
    invocation: tuple[int, int],
    records: bytes,
    extras: bytes,
    bodies: Sequence[Buffer],
    *,
    peak_kb: int = 0,
    cold: bool = False,
    sent: float = 0.0,
    stored: float = 0.0,
    worker: bytes = b"",
    busy: float = 0.0,
) -> bytes:
    """Return head, records and extras of a frame; the bodies follow them.

    Parameters
    ----------
    key : bytes
        The invocation's key.
    job : str
        Job id.
    invocation : tuple of (int, int)
        First call and attempt of the invocation.
    records : bytes
        Packed with `RECORD`, in the order of `bodies`.
    extras : bytes
        The JSON texts that the records count, one after another.
    bodies : sequence of buffers
        Packed results and exceptions.
    peak_kb : int
        Peak memory of the worker, KB.
    cold : bool
        Whether the worker's environment was new.
    sent, stored : float
        Unix time, seconds.
    worker : bytes
        Eight bytes that name the worker.
    busy : float
        What the environment is billed for since its start, the request, or its last frame; seconds.
    """
    digest = sha256()
    size = 0
    for body in bodies:
        digest.update(body)
        size += len(body) if isinstance(body, bytes) else memoryview(body).nbytes
    first, attempt = invocation
    head = _HEAD.pack(
        MAGIC, 1, _COLD if cold else 0, min(busy, _MOST_BUSY), len(records) // RECORD.size, attempt, first,
        min(peak_kb, 0xFFFFFFFF), len(extras), size, sent, stored, worker, digest.digest(),
    )  # fmt: skip
    signed = tag(key, b"outcome", job.encode(), head, records, extras)
    return b"".join((head, signed, records, extras))


def parse_frame(data: Buffer, job: str, key_of: Callable[[int, int], bytes]) -> Frame:
    """Check a frame's tag and return it; nothing in it is unpickled.

    Parameters
    ----------
    data : buffer
        The frame, with or without its bodies.
    job : str
        Job id.
    key_of : callable
        Gives the invocation key for (first call, attempt).

    Raises
    ------
    AuthenticationError
        If the frame was not written by that invocation's worker, or its bodies are not those the worker wrote.
    WireError
        If it is no frame at all.
    """
    view = memoryview(data)
    if len(view) < HEAD_SIZE or view[:4] != MAGIC:
        raise WireError("not an outcome frame: too short, or other bytes than an outcome begins with")
    raw = view[: _HEAD.size]
    head = _Head._make(_HEAD.unpack(raw))
    records_end = HEAD_SIZE + head.calls * RECORD.size
    extras_end = records_end + head.extra_bytes
    if len(view) < extras_end:
        raise WireError("a truncated outcome frame")
    records = view[HEAD_SIZE:records_end]
    extras = view[records_end:extras_end]
    given = bytes(view[_HEAD.size : HEAD_SIZE])
    if not verify(
        key_of(head.first, head.attempt), given, b"outcome", job.encode(), bytes(raw), bytes(records), bytes(extras)
    ):
        raise AuthenticationError
    frame = Frame(head, records, extras)
    if len(view) > extras_end or not head.body_bytes:
        bodies = view[extras_end : extras_end + head.body_bytes]
        frame.check_bodies(bodies)
        frame.bodies = bodies
    return frame
