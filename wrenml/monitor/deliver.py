"""From frames to settled futures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from hashlib import sha256
from typing import NamedTuple

from wrenml.errors import WireError
from wrenml.failures import rebuild
from wrenml.futures import Block, Future, Raw
from wrenml.monitor.job import Job, Origin
from wrenml.outcome import Frame, Status
from wrenml.storage.base import Storage
from wrenml.wire import Input

__all__ = ["Callbacks", "Delivered", "call_back", "deliver", "locate", "settle_many"]

_log = logging.getLogger("wrenml")

Callbacks = list[tuple[Future[object], Callable[[Future[object]], object]]]
_WEIGHT = 0.5


class Delivered(NamedTuple):
    """What a frame has settled.

    Parameters
    ----------
    callbacks : list
        To be called when no lock is held.
    succeeded, failed : int
        How many calls were settled so.
    seconds : float
        How long they ran.
    lost : dict of int to exception
        Calls whose outcome says that they may be run again, and why.
    """

    callbacks: Callbacks
    succeeded: int
    failed: int
    seconds: float
    lost: dict[int, BaseException]


def deliver(job: Job, frame: Frame, origin: Origin) -> Delivered:
    """Settle the calls of a frame."""
    if not frame.has_extras and job.cache is None:
        records = list(frame.records())
        first, stop = records[0][0], records[-1][0] + 1
        if stop - first == len(records) and job.calls.settle_run(first, stop):
            return _deliver_block(job, frame, origin, records)
    outcomes: list[tuple[int, Raw]] = []
    lost: dict[int, BaseException] = {}
    failed = 0
    nanoseconds = 0
    bodies = frame.bodies
    settle = job.calls.settle
    at = 0
    if not frame.has_extras:
        for call, _, _, _, _, _, ran, _, size in frame.records():
            stop = at + size
            if settle(call):
                outcomes.append((call, Raw(bodies, at, stop, origin)))
            at = stop
            nanoseconds += ran
    else:
        for outcome, start, end in frame.outcomes():
            nanoseconds += int(outcome.timings.ran * 1e9)
            if outcome.status == Status.LOST:
                lost[outcome.call] = rebuild(outcome.extra, b"" if bodies is None else memoryview(bodies)[start:end])
            elif settle(outcome.call):
                stop = end - _capture_bytes(outcome.extra)
                failure = outcome.extra if outcome.status == Status.FAILURE else None
                failed += failure is not None
                outcomes.append((outcome.call, Raw(bodies, start, stop, origin, failure)))
    frame.release()
    if job.cache is not None:
        _keep(job, outcomes)
    _count(job, frame, len(outcomes) - failed, failed, nanoseconds)
    return Delivered(settle_many(job, outcomes), len(outcomes) - failed, failed, nanoseconds / 1e9, lost)


def _deliver_block(
    job: Job, frame: Frame, origin: Origin, records: list[tuple[int, int, int, int, int, float, int, int, int]]
) -> Delivered:
    """Settle neighbouring calls that all succeeded and printed nothing: nearly all there ever are."""
    nanoseconds = sum([record[6] for record in records])
    block = Block(records[0][0], [record[8] for record in records], frame.bodies, origin)
    frame.release()
    _count(job, frame, len(records), 0, nanoseconds)
    futures = job.futures
    callbacks: Callbacks = []
    with job.condition:
        if futures is None:
            job.slots[block.first] = block
        else:
            calls = range(block.first, block.first + len(records))
            take = futures.pop if isinstance(futures, dict) else futures.__getitem__
            for call in calls:
                future = take(call)
                if future.is_observed:
                    future.settle(block)
                    callbacks += [(future, callback) for callback in future.take_callbacks()]
                else:
                    future.settle_unobserved(block)
        job.condition.notify_all()
    return Delivered(callbacks, len(records), 0, nanoseconds / 1e9, {})


def _count(job: Job, frame: Frame, succeeded: int, failed: int, nanoseconds: int) -> None:
    _measure(job, succeeded + failed, nanoseconds)
    job.tally.succeeded += succeeded
    job.tally.failed += failed
    job.tally.seconds += nanoseconds / 1e9
    job.tally.peak_mb = max(job.tally.peak_mb, frame.peak_mb)


def _capture_bytes(extra: dict[str, object]) -> int:
    value = extra.get("capture", 0)
    return value if isinstance(value, int) else 0


def _keep(job: Job, outcomes: list[tuple[int, Raw]]) -> None:
    # Before the futures are settled: who has seen a result finds it in the cache.
    for call, raw in outcomes:
        if raw.failure is None and job.cache is not None:
            job.cache.keep(call, partial(job.body, raw))


def _measure(job: Job, count: int, nanoseconds: int) -> None:
    # What no worker ran, such as cached results, says nothing about how long calls take.
    if nanoseconds and count:
        seconds = nanoseconds / 1e9 / count
        known = job.call_seconds
        job.call_seconds = seconds if known is None else known + _WEIGHT * (seconds - known)


def settle_many(job: Job, outcomes: Iterable[tuple[int, Raw | None]]) -> Callbacks:
    """Give outcomes (None: cancelled) to the futures or slots of a job, and wake who waits for them."""
    callbacks: Callbacks = []
    futures = job.futures
    with job.condition:
        if futures is None:
            job.slots.update(outcomes)
        else:
            take = futures.pop if isinstance(futures, dict) else futures.__getitem__
            for call, raw in outcomes:
                future = take(call)
                future.settle(raw)
                if future.has_callbacks:
                    callbacks += [(future, callback) for callback in future.take_callbacks()]
        job.condition.notify_all()
    return callbacks


def call_back(callbacks: Callbacks) -> None:
    """Call who asked to be called; to be done with no lock held."""
    for future, callback in callbacks:
        try:
            callback(future)
        except (Exception, SystemExit):  # noqa: BLE001  # the user's code, in our thread
            _log.exception("wrenml: a callback of %r failed", future)


def locate(storage: Storage, raw: Raw | None, job: str, call: int) -> Input:
    """Say where a stored result lies, for a worker that has it as an argument."""
    if raw is None or not isinstance(raw.origin, Origin):
        raise WireError(f"the result of call {call} of job {job} is not in storage")
    origin = raw.origin
    start = origin.start + origin.frame.bodies_at
    begin, end = start + raw.start, start + raw.stop
    if raw.bodies is None and raw.start == 0 and raw.stop == origin.frame.body_bytes:
        return Input(job, call, origin.key, begin, end, origin.frame.body_sha256.hex())
    body = storage.get(origin.key, start=begin, stop=end) if raw.bodies is None else _part(raw)
    return Input(job, call, origin.key, begin, end, sha256(body).hexdigest())


def _part(raw: Raw) -> memoryview:
    return memoryview(raw.bodies or b"")[raw.start : raw.stop]
