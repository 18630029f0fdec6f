"""What observers are told: frozen records, given to hooks by the monitor's thread."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from wrenml.costs import FREE, Cost

__all__ = ["CallsRetried", "CallsSettled", "CallsThrottled", "Event", "Hook", "JobEnded", "JobStarted"]


class JobStarted(NamedTuple):
    """A job has calls to run: `total` so far, more to come unless `closed`, as `single` ones or streamed."""

    job: str
    name: str
    backend: str
    total: int
    workers: int
    closed: bool
    progress: bool | None = None
    single: bool = False
    estimate: str = ""  # of what it may cost, in words


class CallsSettled(NamedTuple):
    """Calls got their outcomes.

    `seconds` is how long they ran, together; `spent` what the job has cost so far, dollars, None if nothing can.
    """

    job: str
    succeeded: int
    failed: int
    cancelled: int
    seconds: float
    spent: float | None = None


class CallsRetried(NamedTuple):
    """Calls lost their worker and are run again."""

    job: str
    count: int  # type: ignore[assignment]  # not the method of tuples
    cause: str


class CallsThrottled(NamedTuple):
    """Lambda takes no more for the moment: calls are sent again, at most `window` invocations being on their way."""

    job: str
    window: int


class JobEnded(NamedTuple):
    """All calls of a closed job have their outcomes; `wall` is seconds since it started, `cost` what it cost."""

    job: str
    wall: float
    interrupted: bool = False
    cost: Cost = FREE


Event = JobStarted | CallsSettled | CallsRetried | CallsThrottled | JobEnded


class Hook(Protocol):
    """An observer. It is called from the monitor's thread, must not block, and may not fail a job."""

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
