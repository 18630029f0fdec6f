"""Jobs summed up from what storage knows of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from wrenml.monitor.records import Found, Record
from wrenml.observe.text import span
from wrenml.outcome import Status

__all__ = ["View", "is_cancelled", "is_failed", "message"]

_LITTLE = 0.1  # of the time it took: what was saved is not worth a word


@dataclass(frozen=True, slots=True)
class View:
    """What a job comes to; durations in seconds, memory in MB."""

    id: str
    name: str
    state: str  # running, done, failed, cancelled, lost
    calls: int
    succeeded: int
    failed: int
    cancelled: int
    missing: int
    started: str
    wall_seconds: float
    call_seconds: float
    peak_mb: float
    backend: str
    python: str
    host: str
    pid: int
    tags: dict[str, str]

    @classmethod
    def of(cls, record: Record, *, alive: bool | None = None) -> View:
        """Sum up a job.

        Parameters
        ----------
        record : Record
            Of the job.
        alive : bool, optional
            Whether anybody is at work on it. Default: what the record tells.
        """
        manifest, found = record.manifest, record.found.values()
        outcomes = [one.outcome for one in found]
        cancelled = sum(is_cancelled(one) for one in found)
        failed = sum(outcome.status != Status.SUCCESS for outcome in outcomes) - cancelled
        missing = record.total - len(outcomes)
        stored = max((outcome.timings.stored for outcome in outcomes), default=manifest.created)
        return cls(
            id=manifest.job,
            name=manifest.name,
            state=_state(failed, cancelled, missing, alive=record.client_alive if alive is None else alive),
            calls=record.total,
            succeeded=len(outcomes) - failed - cancelled,
            failed=failed,
            cancelled=cancelled,
            missing=missing,
            started=datetime.fromtimestamp(manifest.created, UTC).astimezone().isoformat(timespec="seconds"),
            wall_seconds=max(stored - manifest.created, 0.0),
            call_seconds=sum(outcome.timings.ran for outcome in outcomes),
            peak_mb=max((outcome.peak_mb for outcome in outcomes), default=0.0),
            backend=manifest.backend,
            python=manifest.python,
            host=manifest.host,
            pid=manifest.pid,
            tags=dict(manifest.tags),
        )

    @property
    def took(self) -> str:
        """How long it took; and how much faster that was than one call after another, where calls took a while."""
        if self.call_seconds < _LITTLE * self.wall_seconds:
            return span(self.wall_seconds)
        faster = self.call_seconds / self.wall_seconds
        return f"{span(self.wall_seconds)}, {faster:.1f}× serial ({span(self.call_seconds)})"


def _state(failed: int, cancelled: int, missing: int, *, alive: bool) -> str:
    if missing:
        return "running" if alive else "lost"
    if failed:
        return "failed"
    return "cancelled" if cancelled else "done"


def is_cancelled(found: Found) -> bool:
    """Whether a call was cancelled."""
    return found.outcome.extra.get("kind") == "cancelled"


def is_failed(found: Found) -> bool:
    """Whether a call failed, and was not cancelled."""
    return found.outcome.status != Status.SUCCESS and not is_cancelled(found)


def message(found: Found) -> str:
    """A failure in one line: the exception's type and what it says."""
    extra = found.outcome.extra
    name = str(extra.get("type", "an exception")).removeprefix("builtins.")
    text = " ".join(str(extra.get("message", "")).split())
    return f"{name}: {text}" if text else name
