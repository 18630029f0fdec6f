"""Backup calls: a second invocation beside one that takes much longer than its neighbours took.

Source: Dean and Ghemawat, "MapReduce: Simplified Data Processing on Large Clusters" (OSDI 2004), section 3.6.
"""

from __future__ import annotations

import time
from bisect import insort
from collections.abc import Callable

from wrenml.calls import Invocation
from wrenml.monitor.job import Job
from wrenml.retry import backup_due, most_backups

__all__ = ["Speculation"]

_LOOK = 1.0  # seconds
_KEPT = 1001


class Speculation:
    """The backup calls of one job.

    Parameters
    ----------
    job : Job
        Whose.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._lasted: list[float] = []
        self._started = 0
        self.due = time.monotonic() + _LOOK

    def took(self, seconds: float, calls: int) -> None:
        """Take note of calls that have ended."""
        if calls and len(self._lasted) < _KEPT:
            insort(self._lasted, seconds / calls)

    def look(self, start: Callable[[Job, Invocation], None]) -> None:
        """Have backups started where they are due; to be called with the monitor's lock held."""
        job, now = self._job, time.monotonic()
        self.due = now + _LOOK
        if not self._lasted:
            return
        median = self._lasted[len(self._lasted) // 2]
        for invocation in job.calls.in_flight:
            if self._started >= most_backups(job.calls.total):
                return
            waited = (now - invocation.sent) / max(1, invocation.count)
            if backup_due(waited, median, settled=job.calls.settled, total=job.calls.total):
                backup = job.calls.back_up(invocation)
                if backup is not None:
                    self._started += 1
                    start(job, backup)
