"""The hook that writes to `logging`, and the remedies it knows."""

from __future__ import annotations

import logging

from wrenml.events import CallsRetried, CallsSettled, CallsThrottled, Event, JobStarted
from wrenml.observe.text import plural

__all__ = ["LARGE_ARGUMENT", "Log", "warn_large_function", "warn_repeated_argument"]

_log = logging.getLogger("wrenml")

LARGE_ARGUMENT = 10_000_000
"""Bytes of data that are worth being put once."""

_LARGE_FUNCTION = 10_000_000  # bytes
_SHORT_CALL = 0.2  # seconds
_MANY_CALLS = 20


class Log:
    """Writes what happens to jobs to the logger ``wrenml``, which is yours to configure.

    Each record has ``action`` (``job_started``, ``calls_settled``, ``calls_retried``, ``calls_throttled``,
    ``job_ended``) and ``job`` as extra fields. Outcomes are of level DEBUG, the others INFO. A job on AWS whose
    calls are so short that starting them takes longer is a WARNING that says what to do.
    """

    def __init__(self) -> None:
        self._remote: dict[str, tuple[str, int, float]] = {}

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, CallsSettled):
            self._settled(event)
        elif isinstance(event, JobStarted):
            if event.backend == "aws":
                self._remote[event.job] = event.name, 0, 0.0
            calls = plural(event.total, "call") if event.closed else "a stream of calls"
            _write(logging.INFO, event, "job_started", "%s starts: %s on %s", event.name, calls, event.backend)
        elif isinstance(event, CallsRetried):
            _write(logging.INFO, event, "calls_retried", "%d run again: %s", event.count, event.cause)
        elif isinstance(event, CallsThrottled):
            _write(
                logging.INFO, event, "calls_throttled",
                "Lambda takes no more for the moment; at most %d invocations are on their way", event.window,
            )  # fmt: skip
        else:
            cost = f", {event.cost}" if event.cost.priced_on else ""
            _write(logging.INFO, event, "job_ended", "over after %.2f s%s", event.wall, cost)
            self._advise(event)

    def _settled(self, event: CallsSettled) -> None:
        counts = event.succeeded, event.failed, event.cancelled
        _write(logging.DEBUG, event, "calls_settled", "%d succeeded, %d failed, %d cancelled", *counts)
        if event.job in self._remote:
            name, count, seconds = self._remote[event.job]
            count += event.succeeded + event.failed
            self._remote[event.job] = name, count, seconds + event.seconds

    def _advise(self, event: Event) -> None:
        name, count, seconds = self._remote.pop(event.job, ("", 0, 0.0))
        if count >= _MANY_CALLS and seconds / count < _SHORT_CALL:
            size = max(2, round(1.0 / max(seconds / count, 0.001)))
            _write(
                logging.WARNING, event, "short_calls",
                "the calls of %s last %.0f ms on average, so starting workers takes longer than working; "
                "chunksize=%d gives each invocation about a second of them",
                name, 1000 * seconds / count, size,
            )  # fmt: skip


def _write(level: int, event: Event, action: str, message: str, *values: object) -> None:
    if _log.isEnabledFor(level):
        _log.log(level, f"job %s: {message}", event.job, *values, extra={"action": action, "job": event.job})


def warn_large_function(name: str, size: int) -> None:
    """Warn where a packed function is so large that every worker takes long to load it.

    Parameters
    ----------
    name : str
        The function's.
    size : int
        Bytes of the pickle, without what is stored apart.
    """
    if size > _LARGE_FUNCTION:
        _log.warning(
            "wrenml: %s is %.0f MB when pickled, because of what it refers to (globals, closure, bound "
            "arguments), and each worker loads all of it. Hold large data in numpy arrays, or pass "
            "executor.put(data) as an argument.",
            name, size / 1e6,
        )  # fmt: skip


def warn_repeated_argument(size: int, times: int) -> None:
    """Warn where one call after another brings the same large data.

    Parameters
    ----------
    size : int
        Bytes of the data.
    times : int
        How many calls have brought it.
    """
    _log.warning(
        "wrenml: the same %.0f MB of data have come with %d calls. They are stored once, but read from end to end for "
        "each call, to see that they are the same. Put them once, and pass what stands for them: "
        "data = executor.put(data); or give all calls to one map().",
        size / 1e6, times,
    )  # fmt: skip
