"""What calls cost: estimated before they are sent, counted while they run, kept within `max_cost`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from wrenml.calls import Invocation
from wrenml.costs import FREE, Cost, Estimate, Meter, Place, Requests, estimate
from wrenml.errors import CallTimeout, CostLimitReached
from wrenml.events import CallsSettled, Event, JobEnded, JobStarted
from wrenml.monitor.job import CARRIED_BYTES, Job, Plan
from wrenml.monitor.manifest import Manifest
from wrenml.monitor.records import Record, frames_of
from wrenml.options import Options
from wrenml.outcome import Frame

__all__ = [
    "Spending",
    "cost_of_record",
    "count_end",
    "count_frame",
    "count_sent",
    "must_wait",
    "place_of",
    "recount",
    "refusal",
    "spent",
]

_KNOWN = 1000  # jobs' names


class Spending:
    """What the calls of one executor cost: nothing, until `charge`. A hook, which learns how long calls last."""

    def __init__(self) -> None:
        self._place: Place | None = None
        self._requests: Requests | None = None
        self._names: dict[str, str] = {}
        self._lasted: dict[str, tuple[int, float]] = {}

    def charge(self, place: Place, requests: Requests | None = None) -> None:
        """Calls are run where they cost money.

        Parameters
        ----------
        place : Place
            That is where.
        requests : Requests, optional
            Where the storage's requests are counted. Default: they are not.
        """
        self._place = place
        self._requests = requests

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if self._place is None:
            return
        if isinstance(event, JobStarted):
            self._names[event.job] = event.name
        elif isinstance(event, JobEnded):
            self._names.pop(event.job, None)
        elif isinstance(event, CallsSettled) and event.seconds and event.job in self._names:
            name = self._names[event.job]
            count, seconds = self._lasted.pop(name, (0, 0.0))
            self._lasted[name] = count + event.succeeded + event.failed, seconds + event.seconds
            if len(self._lasted) > _KNOWN:
                del self._lasted[next(iter(self._lasted))]

    def place(self, wanted: Sequence[int] | None) -> dict[str, object]:
        """Where calls that want so much memory, MB, are run: for a manifest."""
        return {} if self._place is None else asdict(_sized(self._place, wanted))

    def meter(self, manifest: Manifest, limit: float | None = None) -> Meter | None:
        """What counts the use of a job that may cost so many dollars; None where calls cost nothing."""
        place = place_of(manifest)
        return None if place is None else Meter(manifest.job, place, self._requests, limit)

    def estimate(
        self, name: str, calls: int, options: Options | Plan, at_once: int, *, stored_bytes: int = 0
    ) -> Estimate | None:
        """What a map may cost; None where calls cost nothing.

        Parameters
        ----------
        name : str
            The job's: how long calls of that name lasted before in this process is taken for how long these will.
        calls : int
            How many.
        options : Options or Plan
            Of the map.
        at_once : int
            Invocations that run at a time.
        stored_bytes : int, default 0
            Of function and arguments.
        """
        place = self._place
        if place is None:
            return None
        count, seconds = self._lasted.get(name, (0, 0.0))
        return estimate(
            calls,
            _sized(place, options.memory_mb),
            chunksize=options.chunksize or 1,
            at_once=min(at_once, options.max_in_flight or at_once),
            seconds=seconds / count if count else None,
            limit=options.timeout,
            stored_bytes=stored_bytes,
        )


def _sized(place: Place, wanted: Sequence[int] | None) -> Place:
    return replace(place, memory_mb=place.function_mb(wanted[0] if wanted else None))


def place_of(manifest: Manifest) -> Place | None:
    """Where a job's calls were run; None where they cost nothing."""
    known: dict[str, Any] = dict(manifest.place)
    return Place(**{**known, "sizes": tuple(known["sizes"])}) if known else None


def recount(meter: Meter, frames: Iterable[Frame]) -> None:
    """Count what a job's workers have used, from its outcomes.

    What its client requested, and what was run in vain, is not stored.
    """
    invocations = set()
    for frame in frames:
        if frame.busy:
            invocations.add((frame.first, frame.attempt))
            meter.ran(frame.busy, size=frame.bodies_at + frame.body_bytes)
    for _ in invocations:
        meter.invoked()
        meter.ended()


def spent(job: Job) -> float | None:
    """Dollars that a job has cost so far; None where calls cost nothing."""
    return None if job.meter is None else job.meter.cost.dollars


def cost_of_record(record: Record) -> Cost:
    """What a job has cost, as far as storage tells."""
    place = place_of(record.manifest)
    if place is None:
        return FREE
    meter = Meter(record.manifest.job, place)
    recount(meter, frames_of(record.found.values()))
    return meter.cost


def count_sent(job: Job) -> None:
    """Take note that an invocation is sent."""
    if job.meter is not None:
        job.meter.invoked()


def count_frame(job: Job, invocation: Invocation, frame: Frame) -> None:
    """Take note of an outcome that a worker wrote."""
    if job.meter is not None:
        reads = frame.cold and len(job.spec) > CARRIED_BYTES
        size = frame.bodies_at + frame.body_bytes
        job.meter.ran(frame.busy, _memory(job, invocation), size=size, reads=reads)


def count_end(job: Job, invocation: Invocation, cause: BaseException | None = None) -> None:
    """Take note that an invocation is over; `cause` is why no worker said so.

    How long an environment lived that died is not known, but for one that Lambda ended at its limit.
    """
    if job.meter is None:
        return
    if isinstance(cause, CallTimeout):
        job.meter.ended(_memory(job, invocation), seconds=job.meter.place.timeout)
    else:
        job.meter.ended(_memory(job, invocation))


def _memory(job: Job, invocation: Invocation) -> int | None:
    return job.limits(invocation).memory_mb if invocation.count else None


def must_wait(job: Job) -> bool:
    """Whether no further invocation of a job is to be sent before those under way are over."""
    return job.meter is not None and not job.meter.affords(call_limit=job.plan.timeout)


def refusal(job: Job) -> CostLimitReached | None:
    """Why no further invocation of a job is to be sent at all; None if that is not so."""
    meter = job.meter
    if meter is None or meter.limit is None or job.in_flight or not must_wait(job):
        return None
    return CostLimitReached(
        f"max_cost={meter.limit:g} dollars are spent (the job has cost {meter.cost}), so this call was not started. "
        "Raise max_cost=, or run what is left for as much again: futures.retry_failed()."
    )
