"""From frames to settled futures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from hashlib import sha256

from wrenml.errors import WireError
from wrenml.futures import Future, Raw
from wrenml.monitor.job import Job, Origin
from wrenml.outcome import Frame, Status
from wrenml.storage.base import Storage
from wrenml.wire import Input

__all__ = ["Callbacks", "call_back", "deliver", "locate", "settle_many"]

_log = logging.getLogger("wrenml")

Callbacks = list[tuple[Future[object], Callable[[Future[object]], object]]]
_WEIGHT = 0.5


def deliver(job: Job, frame: Frame, origin: Origin) -> tuple[Callbacks, int, int, float, list[int]]:
    """Settle the calls of a frame.

    Returns
    -------
    callbacks
        To be called when no lock is held.
    succeeded, failed : int
        How many calls were settled so.
    seconds : float
        How long they ran.
    lost : list of int
        Calls whose outcome says that the infrastructure failed.
    """
    outcomes: list[tuple[int, Raw]] = []
    lost: list[int] = []
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
                lost.append(outcome.call)
            elif settle(outcome.call):
                stop = end - _capture_bytes(outcome.extra)
                failure = outcome.extra if outcome.status == Status.FAILURE else None
                failed += failure is not None
                outcomes.append((outcome.call, Raw(bodies, start, stop, origin, failure)))
    _measure(job, frame.count, nanoseconds)
    frame.release()
    if job.cache is not None:
        _keep(job, outcomes)
    succeeded = len(outcomes) - failed
    job.tally.succeeded += succeeded
    job.tally.failed += failed
    job.tally.seconds += nanoseconds / 1e9
    job.tally.peak_mb = max(job.tally.peak_mb, frame.peak_mb)
    return settle_many(job, outcomes), succeeded, failed, nanoseconds / 1e9, lost


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
    if nanoseconds:
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
        except Exception:
            _log.exception("wrenml: a callback of %r failed", future)


def locate(storage: Storage, raw: Raw | None, job: str, call: int) -> Input:
    """Say where a stored result lies, for a worker that has it as an argument."""
    if raw is None or not isinstance(raw.origin, Origin):
        raise WireError(f"the result of call {call} of job {job} is not in storage")
    origin = raw.origin
    start = origin.start + origin.frame.bodies_at
    begin, end = start + raw.start, start + raw.stop
    body = storage.get(origin.key, start=begin, stop=end) if raw.bodies is None else _part(raw)
    return Input(job, call, origin.key, begin, end, sha256(body).hexdigest())


def _part(raw: Raw) -> memoryview:
    return memoryview(raw.bodies or b"")[raw.start : raw.stop]
