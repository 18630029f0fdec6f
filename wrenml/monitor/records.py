"""What storage knows of a job, read back."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from wrenml import auth
from wrenml.errors import KeyNotFoundError, WireError
from wrenml.futures import Raw
from wrenml.monitor.arguments import Chunk, read_segment
from wrenml.monitor.job import Origin
from wrenml.monitor.manifest import Manifest, read_manifest
from wrenml.monitor.outcomes import CANCELLED, CLIENT, JOURNAL, check_place
from wrenml.monitor.state import read_state
from wrenml.outcome import Frame, Outcome, Status, Timings, parse_frame, read_frame
from wrenml.processes import is_alive
from wrenml.storage.base import IN_MEMORY, Buffer, Storage, is_remote
from wrenml.wire import outcome_prefix

__all__ = ["Found", "Record", "frames_of", "output_of", "read_arguments", "read_job", "read_outcomes"]


_READERS = 16


@dataclass(frozen=True, slots=True)
class Found:
    """An outcome in storage: what it says, and its bodies' place."""

    outcome: Outcome
    origin: Origin | None
    start: int
    stop: int

    @property
    def capture_bytes(self) -> int:
        """How much of the body's end is captured output."""
        value = self.outcome.extra.get("capture", 0)
        return value if isinstance(value, int) else 0

    def raw(self) -> Raw | None:
        """As futures take it: None for cancelled."""
        if self.outcome.extra.get("kind") == "cancelled":
            return None
        failure = self.outcome.extra if self.outcome.status != Status.SUCCESS else None
        return Raw(None, self.start, self.stop - self.capture_bytes, self.origin, failure)


@dataclass(slots=True)
class Record:
    """All that storage knows of a job."""

    manifest: Manifest
    key: bytes
    total: int = 0
    chunks: list[Chunk] = field(default_factory=list)
    found: dict[int, Found] = field(default_factory=dict)
    refused: int = 0
    seen: set[str] = field(default_factory=set)

    @property
    def client_alive(self) -> bool:
        """Whether the client that made the job may still be at work, or something that it has started."""
        manifest = self.manifest
        if manifest.patience:
            last = max((found.outcome.timings.stored for found in self.found.values()), default=manifest.created)
            return time.time() < max(last, manifest.created) + manifest.patience
        if manifest.host != socket.gethostname():
            return True
        return manifest.pid != os.getpid() and is_alive(manifest.pid, manifest.began)


def read_job(storage: Storage, root: bytes, job: str) -> Record:
    """Read what storage knows of a job.

    Raises
    ------
    JobNotFoundError
        If there is no such job.
    AuthenticationError
        If its records were not written with this root key.
    """
    key = auth.job_key(root, job)
    record = Record(read_manifest(storage, job, key), key)
    record.chunks = read_arguments(storage, key, job)
    record.total = max((chunk.stop for chunk in record.chunks), default=0)
    read_outcomes(storage, record)
    return record


def read_arguments(storage: Storage, key: bytes, job: str) -> list[Chunk]:
    """Read a job's stored arguments; `key` is the job's.

    Raises
    ------
    AuthenticationError
        If a segment was not written with it.
    """
    label = auth.label_key(key, "args")
    return [
        read_segment(storage.get(name), label, job, segment)
        for segment, name in enumerate(storage.list(f"jobs/{job}/args/"))
    ]


def read_outcomes(storage: Storage, record: Record) -> None:
    """Read the outcomes that are there now; where a call has several, the one that its client went by."""
    job = record.manifest.job
    journal: dict[int, int] = {}
    remote = is_remote(storage)
    if remote:
        for call in read_state(storage, record.key, job):
            record.found[call] = _cancelled(call)
    for key, start, data in _new_frames(storage, record) if remote else storage.frames(job):
        writer = key.removeprefix(outcome_prefix(job)).removesuffix(IN_MEMORY)
        if writer == JOURNAL:
            journal.update(_journal(record, data))
            continue
        for found in _outcomes(record, _labels(record.key, remote=remote, client=writer == CLIENT), key, start, data):
            known = record.found.get(found.outcome.call)
            if known is None or _prefers(journal, found, known):
                record.found[found.outcome.call] = found
    record.total = max([record.total, *(call + 1 for call in record.found)])


def frames_of(found: Iterable[Found]) -> list[Frame]:
    """The frames that outcomes are in, each once."""
    return list({id(one.origin.frame): one.origin.frame for one in found if one.origin}.values())


def _new_frames(storage: Storage, record: Record) -> Iterator[tuple[str, int, Buffer]]:
    """The frames in a bucket that have not been read before, large bodies left where they are."""

    def read(key: str) -> Buffer | None:
        try:
            return read_frame(storage, key)
        except KeyNotFoundError:
            return None

    fresh = [key for key in storage.list(outcome_prefix(record.manifest.job)) if key not in record.seen]
    with ThreadPoolExecutor(_READERS) as pool:
        for key, frame in zip(fresh, pool.map(read, fresh), strict=True):
            if frame is not None:
                record.seen.add(key)
                yield key, 0, frame


def _cancelled(call: int) -> Found:
    never = Timings(0.0, 0.0, 0.0, 0.0, 0.0)
    outcome = Outcome(call, 0, Status.FAILURE, 0, never, 0.0, cold=False, worker="", extra=CANCELLED, body_bytes=0)
    return Found(outcome, None, 0, 0)


def _prefers(journal: dict[int, int], found: Found, known: Found) -> bool:
    if known.origin is None:
        return False
    wanted = journal.get(found.outcome.call)
    if wanted is not None:
        return found.outcome.attempt == wanted
    return found.outcome.attempt < known.outcome.attempt


def _labels(key: bytes, *, remote: bool, client: bool) -> tuple[bytes, ...]:
    """The keys that an outcome may be under: in a bucket, its name does not tell who wrote it."""
    ours = auth.label_key(key, CLIENT)
    if remote:
        return key, ours
    return (ours,) if client else (key,)


def _outcomes(record: Record, labels: Sequence[bytes], key: str, start: int, data: Buffer) -> Iterator[Found]:
    frame = None
    for base in labels:
        with suppress(WireError):
            checked = parse_frame(data, record.manifest.job, partial(auth.invocation_key, base))
            if base is record.key and record.manifest.most:
                check_place(checked, key, record.manifest.most)
            frame = checked
            break
    if frame is None:
        record.refused += 1
        return
    outcomes = list(frame.outcomes())
    frame.release()
    origin = Origin(frame, key, start)
    for outcome, begin, end in outcomes:
        if outcome.status != Status.LOST:
            yield Found(outcome, origin, begin, end)


def _journal(record: Record, data: Buffer) -> dict[int, int]:
    raw = bytes(data)
    signed, text = raw[: auth.TAG_SIZE], raw[auth.TAG_SIZE :]
    if not auth.verify(auth.label_key(record.key, JOURNAL), signed, b"journal", record.manifest.job.encode(), text):
        record.refused += 1
        return {}
    return dict(json.loads(text))


def output_of(storage: Storage, found: Found) -> str:
    """What a call printed, as far as it was kept."""
    size = found.capture_bytes
    if not size or found.origin is None:
        return ""
    start = found.origin.start + found.origin.frame.bodies_at
    data = storage.get(found.origin.key, start=start + found.stop - size, stop=start + found.stop)
    return bytes(data).decode(errors="replace")
