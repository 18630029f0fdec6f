"""When a job's calls were sent, ran and ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from wrenml.monitor.records import Record
from wrenml.reporting.summing import is_cancelled, is_failed

__all__ = ["CallTimes", "running", "thinned", "times_of"]


class CallTimes(NamedTuple):
    """One call; times in Unix seconds by the clocks of who noted them."""

    call: int
    sent: float
    started: float
    ended: float
    failed: bool
    cold: bool
    worker: str

    @property
    def seconds(self) -> float:
        """How long its function ran."""
        return self.ended - self.started


def times_of(record: Record) -> list[CallTimes]:
    """List the calls of a job that ran, by number.

    Parameters
    ----------
    record : Record
        Of the job.

    Returns
    -------
    list of CallTimes
        Without calls that have no outcome, were cancelled, or whose results were in a cache.
    """
    return [
        CallTimes(
            call,
            min(outcome.timings.sent or outcome.timings.started, outcome.timings.started),
            outcome.timings.started,
            outcome.timings.started + outcome.timings.ran,
            is_failed(found),
            outcome.cold,
            outcome.worker,
        )
        for call, found in sorted(record.found.items())
        if (outcome := found.outcome).timings.started and outcome.attempt and not is_cancelled(found)
    ]


def running(calls: Iterable[CallTimes]) -> list[tuple[float, int]]:
    """How many calls ran at a time.

    Returns
    -------
    list of (float, int)
        Times at which the number changes, rising, and the number from then on.
    """
    changes = sorted([(each.started, 1) for each in calls] + [(each.ended, -1) for each in calls])
    steps, count = [], 0
    for time, together in groupby(changes, key=lambda change: change[0]):
        count += sum(change for _, change in together)
        steps.append((time, count))
    return steps


def thinned(calls: Sequence[CallTimes], most: int) -> list[CallTimes]:
    """Take about as many calls as can be told apart, evenly, and those that failed before others.

    Parameters
    ----------
    calls : sequence of CallTimes
        By number.
    most : int
        At least 1.

    Returns
    -------
    list of CallTimes
        At most as many, by number.
    """
    if len(calls) <= most:
        return list(calls)
    failed = [each for each in calls if each.failed]
    if len(failed) >= most:
        return _every(failed, most)
    return sorted(failed + _every([each for each in calls if not each.failed], most - len(failed)))


def _every(calls: Sequence[CallTimes], most: int) -> list[CallTimes]:
    return [calls[place * len(calls) // most] for place in range(most)]
