"""What observers are told: frozen records, given to hooks by the monitor's thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["CallsRetried", "CallsSettled", "Event", "Hook", "JobEnded", "JobStarted"]


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A job has calls to run: `total` so far, more to come unless `closed`, as `single` ones or streamed."""

    job: str
    name: str
    backend: str
    total: int
    workers: int
    closed: bool
    progress: bool | None = None
    single: bool = False


@dataclass(frozen=True, slots=True)
class CallsSettled:
    """Calls got their outcomes; `seconds` is how long they ran, together."""

    job: str
    succeeded: int
    failed: int
    cancelled: int
    seconds: float


@dataclass(frozen=True, slots=True)
class CallsRetried:
    """Calls lost their worker and are run again."""

    job: str
    count: int
    cause: str


@dataclass(frozen=True, slots=True)
class JobEnded:
    """All calls of a closed job have their outcomes; `wall` is seconds since it started."""

    job: str
    wall: float
    interrupted: bool = False


Event = JobStarted | CallsSettled | CallsRetried | JobEnded


class Hook(Protocol):
    """An observer. It is called from the monitor's thread, must not block, and may not fail a job."""

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
