"""When jobs are written to storage: whole maps at once, the arguments of single calls together, a moment later."""

from __future__ import annotations

import logging
import threading
import time

from wrenml.errors import WrenmlError
from wrenml.monitor.job import Job

__all__ = ["Writing", "write_job"]

_log = logging.getLogger("wrenml")

_AFTER = 0.05  # seconds


class Writing:
    """Jobs of which something is not written yet.

    Parameters
    ----------
    lock : RLock
        The monitor's; not held while anything is written.
    """

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._jobs: dict[str, Job] = {}
        self.due: float | None = None  # monotonic seconds

    def add(self, job: Job) -> None:
        """Take note that there is something to write; to be called with the lock held."""
        if job.id not in self._jobs:
            self._jobs[job.id] = job
            due = time.monotonic() + (_AFTER if job.written else 0.0)
            self.due = min(due, self.due or due)

    def due_jobs(self, *, everything: bool = False) -> list[Job]:
        """Take the jobs that are to be written now, or all; to be called without the lock."""
        if self.due is None or not (everything or self.due <= time.monotonic()):
            return []
        with self._lock:
            self.due = None
            jobs = list(self._jobs.values())
            self._jobs.clear()
        return jobs


def write_job(job: Job) -> None:
    """Write what of a job is not written yet."""
    try:
        job.write()
    except WrenmlError as error:
        _log.warning("wrenml: job %s cannot be attached to from elsewhere: %s", job.id, error)
