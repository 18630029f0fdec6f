"""What the emulated Lambda writes down of each invocation: reports, counts and log lines."""

from __future__ import annotations

import json
import math
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from wrenml.testing.emulator.functions import FunctionVersion

__all__ = ["Books", "LogWriter", "Report", "log_time", "platform_line"]

LogWriter = Callable[[FunctionVersion, str, Sequence[str]], None]
"""Takes a version, the name of a log stream and its next lines."""

_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class Report:
    """One run of a handler: what the REPORT line says, and who asked for it.

    Parameters
    ----------
    request_id : str
        The same for every attempt and every copy of one event.
    function, version : str
        What ran.
    qualifier : str
        How it was called for: an alias, a version or ``$LATEST``.
    kind : str
        ``RequestResponse`` or ``Event``.
    attempt : int
        From 1.
    environment : str
        Which environment ran it: its log stream.
    duration_ms, init_ms : float
        How long the handler ran, and the init phase before it: 0 in a warm environment.
    memory_mb, peak_mb : int
        The limit, and the most that was seen.
    fault : str, optional
        Kind of the function error, if it was one.
    """

    request_id: str
    function: str
    version: str
    qualifier: str
    kind: str
    attempt: int
    environment: str
    duration_ms: float
    init_ms: float
    memory_mb: int
    peak_mb: int
    fault: str | None = None

    @property
    def billed_ms(self) -> int:
        """Milliseconds that are billed: the init phase is, too."""
        return math.ceil(self.duration_ms + self.init_ms)

    @property
    def gb_seconds(self) -> float:
        """GB-seconds that are billed."""
        return self.billed_ms / 1000 * self.memory_mb / 1024

    def line(self, status: str | None) -> str:
        """Return the line of the log, as Lambda writes it."""
        parts = [
            f"REPORT RequestId: {self.request_id}",
            f"Duration: {self.duration_ms:.2f} ms",
            f"Billed Duration: {self.billed_ms} ms",
            f"Memory Size: {self.memory_mb} MB",
            f"Max Memory Used: {self.peak_mb} MB",
        ]
        if self.init_ms:
            parts.append(f"Init Duration: {self.init_ms:.2f} ms")
        if status:
            parts.append(f"Status: {status}")
        if self.fault and status == "error":
            parts.append(f"Error Type: {self.fault}")
        return "\t".join(parts) + "\t"

    def record(self, status: str | None) -> dict[str, object]:
        """Return the same for a log in JSON."""
        metrics = {
            "durationMs": round(self.duration_ms, 3),
            "billedDurationMs": self.billed_ms,
            "memorySizeMB": self.memory_mb,
            "maxMemoryUsedMB": self.peak_mb,
        }
        if self.init_ms:
            metrics["initDurationMs"] = round(self.init_ms, 3)
        fault = {"errorType": self.fault} if self.fault and status == "error" else {}
        return {"requestId": self.request_id, "metrics": metrics, "status": status or "success", **fault}


class Books:
    """Reports and counts, read from any thread.

    The counts have CloudWatch's names: ``Invocations``, ``Errors``, ``Throttles``, ``AsyncEventsReceived``,
    ``AsyncEventsDropped``, ``DestinationDeliveryFailures``; and ``ColdStarts``, ``EventsDoubled``, ``EventsLost``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._reports: deque[Report] = deque(maxlen=_KEPT)
        self._running = 0
        self._peak = 0

    def count(self, what: str, number: int = 1) -> None:
        """Add to a count."""
        if number:
            with self._lock:
                self._counts[what] += number

    def started(self) -> None:
        """Note that an invocation has begun."""
        with self._lock:
            self._running += 1
            self._peak = max(self._peak, self._running)

    def abandoned(self) -> None:
        """Note that one came to nothing that could be reported."""
        with self._lock:
            self._running -= 1

    def ended(self, report: Report) -> None:
        """Enter the report of an invocation that has ended."""
        with self._lock:
            self._running -= 1
            self._counts["Invocations"] += 1
            self._counts["Errors"] += report.fault is not None
            self._reports.append(report)

    @property
    def reports(self) -> tuple[Report, ...]:
        """The latest, oldest first."""
        with self._lock:
            return tuple(self._reports)

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each thing has happened."""
        with self._lock:
            return Counter(self._counts)

    @property
    def concurrency(self) -> tuple[int, int]:
        """Invocations under way now, and the most there were at a time."""
        with self._lock:
            return self._running, self._peak

    def clear(self) -> None:
        """Begin again: no reports, no counts."""
        with self._lock:
            self._counts.clear()
            self._reports.clear()
            self._peak = self._running


def log_time(seconds: float) -> str:
    """Write a time as Lambda's logs do."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def platform_line(seconds: float, kind: str, record: Mapping[str, object]) -> str:
    """Return a line of Lambda's own in a log in JSON."""
    return json.dumps({"time": log_time(seconds), "type": f"platform.{kind}", "record": record})
