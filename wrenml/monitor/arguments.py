"""The packed argument list of a job, in the chunks in which it came."""

from __future__ import annotations

import json
import threading
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from wrenml import auth
from wrenml.pickling import PackedItems
from wrenml.storage.base import Buffer
from wrenml.wire import ArgumentRange, args_key

_SEGMENT_BYTES = 1 << 20

__all__ = ["Arguments", "Chunk", "read_segment"]


@dataclass(slots=True, eq=False)
class Chunk:
    """Packed arguments of calls ``first … first + len(offsets) - 2``."""

    first: int
    data: bytes
    offsets: array[int]
    inputs: dict[int, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    segment: int | None = None
    position: int = 0  # of the data in the stored segment

    @property
    def stop(self) -> int:
        """The call after the last."""
        return self.first + len(self.offsets) - 1


def _joined(run: list[Chunk]) -> Chunk:
    offsets = array("Q", [0])
    for chunk in run:
        base = offsets[-1]
        offsets.extend([base + offset for offset in chunk.offsets[1:]])
    inputs = {call: wanted for chunk in run for call, wanted in chunk.inputs.items()}
    return Chunk(run[0].first, b"".join([chunk.data for chunk in run]), offsets, inputs)


def _runs(chunks: list[Chunk]) -> Iterator[list[Chunk]]:
    """Those that are not stored, neighbours together up to a segment's size."""
    run: list[Chunk] = []
    size = 0
    for chunk in chunks:
        if chunk.segment is not None:
            continue
        if run and (run[-1].stop != chunk.first or size > _SEGMENT_BYTES):
            yield run
            run, size = [], 0
        run.append(chunk)
        size += len(chunk.data)
    if run:
        yield run


def _encode(chunk: Chunk, key: bytes, job: str, segment: int) -> list[Buffer]:
    inputs = {str(call): wanted for call, wanted in chunk.inputs.items()}
    head = json.dumps({"first": chunk.first, "count": len(chunk.offsets) - 1, "inputs": inputs}).encode()
    offsets = chunk.offsets.tobytes()
    size = len(head).to_bytes(4, "little")
    signed = auth.tag(key, *_signed([size, head, offsets, chunk.data], job, segment))
    chunk.position = len(signed) + len(size) + len(head) + len(offsets)
    return [signed, size, head, offsets, chunk.data]


def read_segment(data: Buffer, key: bytes, job: str, segment: int) -> Chunk:
    """Decode a stored segment of a job's arguments.

    Raises
    ------
    AuthenticationError
        If no client of this stack wrote it.
    """
    view = memoryview(data)
    signed = _signed([view[auth.TAG_SIZE :]], job, segment)
    auth.require(key, bytes(view[: auth.TAG_SIZE]), signed, "an argument list")
    size = int.from_bytes(view[auth.TAG_SIZE : auth.TAG_SIZE + 4], "little")
    at = auth.TAG_SIZE + 4
    record = json.loads(bytes(view[at : at + size]))
    at += size
    offsets = array("Q")
    offsets.frombytes(view[at : at + 8 * (record["count"] + 1)])
    at += 8 * (record["count"] + 1)
    inputs = {int(call): tuple((j, c) for j, c in wanted) for call, wanted in record["inputs"].items()}
    return Chunk(record["first"], bytes(view[at:]), offsets, inputs, segment, at)


def _signed(parts: Sequence[Buffer], job: str, segment: int) -> tuple[bytes, ...]:
    digest = sha256()
    for part in parts:
        digest.update(part)
    return b"args", job.encode(), b"%d" % segment, digest.digest()


class Arguments:
    """What a job's calls are called with, kept until they are settled.

    Parameters
    ----------
    job : str
        Job id.
    key : bytes
        Key that authenticates the stored segments.
    put : callable
        Stores an object: ``put(key, buffers)``.
    """

    def __init__(self, job: str, key: bytes, put: Callable[[str, list[Buffer]], object]) -> None:
        self._job = job
        self._key = key
        self._put = put
        self._chunks: deque[Chunk] = deque()
        self._unwritten: deque[Chunk] = deque()
        self._segments = 0
        self._lock = threading.Lock()

    def add(self, chunk: Chunk) -> None:
        """Append a chunk; it is written by the next `write`."""
        self._chunks.append(chunk)
        self._unwritten.append(chunk)

    def store(self, chunk: Chunk) -> None:
        """Store a chunk that is about to be appended."""
        with self._lock:
            self._store([chunk])

    def restore(self, chunk: Chunk) -> None:
        """Append a chunk that was read from storage."""
        self._chunks.append(chunk)
        self._segments += 1

    def write(self) -> None:
        """Store what is not stored yet, small chunks together; what cannot be stored, the next time."""
        with self._lock:
            try:
                for run in _runs([*self._unwritten]):
                    self._store(run)
            finally:
                while self._unwritten and self._unwritten[0].segment is not None:
                    self._unwritten.popleft()

    def _store(self, run: list[Chunk]) -> None:
        """Store neighbouring chunks as one segment; their numbers have no gaps."""
        segment = self._segments
        whole = run[0] if len(run) == 1 else _joined(run)
        self._put(args_key(self._job, segment), _encode(whole, self._key, self._job, segment))
        self._segments += 1
        position = whole.position
        for chunk in run:
            chunk.position = position
            chunk.segment = segment
            position += len(chunk.data)

    def _find(self, call: int) -> Chunk:
        chunks = self._chunks
        for chunk in (chunks[0], chunks[-1]):
            if chunk.first <= call < chunk.stop:
                return chunk
        return chunks[bisect_right(chunks, call, key=lambda chunk: chunk.first) - 1]

    def take(self, first: int, count: int) -> tuple[memoryview, memoryview]:
        """Packed arguments of consecutive calls: (offsets as unsigned 64-bit integers, data)."""
        chunk = self._find(first)
        at = first - chunk.first
        if first + count > chunk.stop:
            return self._gather(first, count)
        offsets = chunk.offsets[at : at + count + 1]
        base = offsets[0]
        data = memoryview(chunk.data)[base : offsets[-1]]
        if base:
            offsets = array("Q", [offset - base for offset in offsets])
        return memoryview(offsets), data

    def _gather(self, first: int, count: int) -> tuple[memoryview, memoryview]:
        offsets = array("Q", [0])
        parts = []
        call = first
        while call < first + count:
            chunk = self._find(call)
            stop = min(chunk.stop, first + count)
            for i in range(call - chunk.first, stop - chunk.first):
                offsets.append(offsets[-1] + chunk.offsets[i + 1] - chunk.offsets[i])
            parts.append(memoryview(chunk.data)[chunk.offsets[call - chunk.first] : chunk.offsets[stop - chunk.first]])
            call = stop
        return memoryview(offsets), memoryview(b"".join(parts))

    def locate(self, first: int, count: int) -> tuple[memoryview, ArgumentRange] | None:
        """Where the arguments of consecutive calls lie in storage; None if not all in one segment."""
        chunk = self._find(first)
        if first + count > chunk.stop:
            return None
        offsets, data = self.take(first, count)
        if chunk.segment is None:
            with self._lock:
                if chunk.segment is None:
                    self._store([chunk])
        start = chunk.position + chunk.offsets[first - chunk.first]
        key = args_key(self._job, chunk.segment or 0)
        return offsets, ArgumentRange(key, start, start + len(data), sha256(data).hexdigest())

    def inputs(self, first: int, count: int) -> list[tuple[str, int]]:
        """The calls whose results are arguments of these calls."""
        wanted: list[tuple[str, int]] = []
        call = first
        while call < first + count:
            chunk = self._find(call)
            for index in chunk.inputs:
                if call <= index < first + count:
                    wanted += chunk.inputs[index]
            call = chunk.stop
        return list(dict.fromkeys(wanted))

    def pick(self, calls: Sequence[int]) -> PackedItems:
        """The packed arguments of some calls, as those of a new job."""
        offsets = array("Q", [0])
        parts = []
        inputs = {}
        for i, call in enumerate(calls):
            chunk = self._find(call)
            begin, end = chunk.offsets[call - chunk.first : call - chunk.first + 2]
            parts.append(memoryview(chunk.data)[begin:end])
            offsets.append(offsets[-1] + end - begin)
            if call in chunk.inputs:
                inputs[i] = chunk.inputs[call]
        return PackedItems(b"".join(parts), offsets, {}, inputs)

    def trim(self, is_through: Callable[[int, int], bool]) -> None:
        """Forget leading chunks all of whose calls are settled and which are stored."""
        while self._chunks and self._chunks[0].segment is not None:
            chunk = self._chunks[0]
            if not is_through(chunk.first, chunk.stop):
                return
            self._chunks.popleft()
