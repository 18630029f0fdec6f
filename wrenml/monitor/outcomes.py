"""Outcomes that the client writes itself: for calls that were cancelled, given up or never sent."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from wrenml import auth
from wrenml.errors import CallCancelled, WireError, WrenmlError
from wrenml.monitor.job import Job, Origin
from wrenml.outcome import RECORD, Frame, Status, parse_frame, seal_frame
from wrenml.storage.base import Buffer, Commit
from wrenml.worker.failing import explain

__all__ = [
    "CANCELLED",
    "CLIENT",
    "JOURNAL",
    "ClientFrame",
    "check_place",
    "client_frame",
    "known_frames",
    "read_outcome",
    "store",
    "write_journal",
]

_log = logging.getLogger("wrenml")

CANCELLED: dict[str, object] = {"kind": "cancelled"}
CLIENT = "client"
JOURNAL = "journal"
_FRAME_BYTES = 1 << 23
_FRAME_CALLS = 1000


class ClientFrame(NamedTuple):
    """A frame for some calls, and the first of them."""

    first: int
    data: bytes


def store(job: Job, first: int, parts: Sequence[Buffer], writer: str = CLIENT) -> Commit:
    """Store a frame of the client's; where that fails this process goes on, and others do not learn of it."""
    try:
        return job.storage.commit(job.id, first, parts, attempt=None, writer=writer)
    except WrenmlError as error:
        _log.warning("wrenml: outcomes of job %s can be read in this process only: %s", job.id, error)
        return Commit(settled=True, key="", start=0, stop=0)


def read_outcome(job: Job, key: str) -> Origin | None:
    """Read an outcome that somebody else has written; None if it is none, or cannot be read."""
    try:
        frame = parse_frame(job.storage.get(key), job.id, job.outcome_key)
        check_place(frame, key, job.manifest.most, job.calls.total)
    except WrenmlError as error:
        _log.warning("wrenml: the outcome at %s cannot be read: %s", key, error)
        return None
    return Origin(frame, key, 0)


def check_place(frame: Frame, key: str, most: int, total: int | None = None) -> None:
    """Check that a frame of a worker's, in a bucket, is about the calls that it may be about.

    Else it would hide another call's outcome, or who knows the key of one invocation could speak for all others.

    Parameters
    ----------
    frame : Frame
        Its tag is right.
    key : str
        Under which it lies.
    most : int
        How many calls an invocation of the job has at most; 0 for any number.
    total : int, optional
        How many the job has.

    Raises
    ------
    WireError
        If it lies under the name of none of its calls, or has some that its invocation was not given.
    """
    calls = [record[0] for record in frame.records()]
    name = key.rpartition("/")[2].partition(".")[0]
    if not name.isdecimal() or int(name) not in calls:
        raise WireError(f"what lies at {key} is the outcome of other calls")
    limits = [limit for limit in (frame.first + most if most else None, total) if limit is not None]
    if min(calls) < frame.first or any(max(calls) >= limit for limit in limits):
        raise WireError(f"what lies at {key} is about calls that its invocation was not given")


def write_journal(job: Job, frame: Frame) -> None:
    """Note which attempt settles calls that were started more than once: two workers may have reported."""
    calls = [record[0] for record in frame.records() if not job.calls.is_settled(record[0])]
    if calls:
        text = json.dumps([[call, frame.attempt] for call in calls]).encode()
        signed = auth.tag(auth.label_key(job.key, JOURNAL), b"journal", job.id.encode(), text)
        store(job, calls[0], [signed, text], JOURNAL)


def client_frame(job: Job, calls: list[int], cause: BaseException, *, single: bool = False) -> Iterator[ClientFrame]:
    """Make the frames that give these calls the same failure, tagged under the client's own key.

    With `single` there is one for each call, so that each is written under its own name.
    """
    text, body = explain(cause)
    if isinstance(cause, CallCancelled):
        text |= CANCELLED
    extra = json.dumps(text).encode()
    now = time.time()
    run: list[int] = []
    for call in [*calls, None]:
        if run and (single or call != run[-1] + 1):
            records = b"".join([RECORD.pack(c, Status.FAILURE, 0, 0, len(extra), now, 0, 0, len(body)) for c in run])
            yield _sealed(job, run[0], records, extra * len(run), [body] * len(run))
            run = []
        if call is not None:
            run.append(call)


def known_frames(job: Job, found: Mapping[int, Buffer]) -> Iterator[ClientFrame]:
    """Make the frames that give calls the packed results that are known without running them."""
    now = time.time()
    records: dict[int, bytes] = {}
    bodies: list[Buffer] = []
    size = 0
    for call, body in found.items():
        if records and (size > _FRAME_BYTES or len(records) == _FRAME_CALLS):
            yield _sealed(job, next(iter(records)), b"".join(records.values()), b"", bodies)
            records, bodies, size = {}, [], 0
        records[call] = RECORD.pack(call, Status.SUCCESS, 0, 0, 0, now, 0, 0, len(body))
        bodies.append(body)
        size += len(body)
    if records:
        yield _sealed(job, next(iter(records)), b"".join(records.values()), b"", bodies)


def _sealed(job: Job, first: int, records: bytes, extras: bytes, bodies: list[Buffer]) -> ClientFrame:
    now = time.time()
    key = auth.invocation_key(auth.label_key(job.key, CLIENT), first, 0)
    head = seal_frame(key, job.id, (first, 0), records, extras, bodies, sent=now, stored=now, worker=bytes(8))
    return ClientFrame(first, b"".join([head, *bodies]))
