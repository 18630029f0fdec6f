"""Hands out calls: whose turn it is, how many go together, and whether they may be sent at all."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from wrenml.calls import Invocation
from wrenml.errors import WorkerCrashed, WrenmlError
from wrenml.events import CallsSettled
from wrenml.invoke.base import Invoker
from wrenml.monitor import spending
from wrenml.monitor.job import Job
from wrenml.monitor.losing import Losing
from wrenml.monitor.telling import Telling
from wrenml.retry import batch_size, is_short

__all__ = ["Dispatcher"]


class Dispatcher:
    """Gives the invoker what it has room for; everything is to be called with the monitor's lock held.

    Parameters
    ----------
    invoker : Invoker
        Starts work.
    workers : int
        How many requests can run at a time.
    losing : Losing
        Told of what could not be sent.
    telling : Telling
        Is given events.
    look : callable
        Told a job that may be over.
    interrupted : callable
        Told a job and its invocation that was not sent since an interrupt came.
    """

    def __init__(
        self,
        invoker: Invoker,
        workers: int,
        losing: Losing,
        telling: Telling,
        look: Callable[[Job], None],
        interrupted: Callable[[Job, Invocation], None],
    ) -> None:
        self._invoker = invoker
        self._workers = workers
        self._losing = losing
        self._telling = telling
        self._look = look
        self._interrupted = interrupted
        self._ready: deque[Job] = deque()

    def queue(self, job: Job) -> None:
        """Come to a job's calls in turn."""
        # Once at a time, or the job that is added to most often would have most turns.
        if not job.queued:
            job.queued = True
            self._ready.append(job)

    def dispatch_here(self, job: Job) -> None:
        """Hand out calls of this job only: it may be one that a call of another one is waiting for."""
        while job.calls.has_pending and not job.broken and self._invoker.room(deep=False):
            invocation = job.calls.take(self._size(job))
            if invocation is not None:
                self.send(job, invocation)

    def dispatch(self) -> None:
        """Hand out calls of all jobs, in turn."""
        ready = self._ready
        passed = 0
        while ready and passed < len(ready):
            job = ready[0]
            if not job.calls.has_pending or job.broken or self._overspent(job):
                ready.popleft().queued = False
                continue
            deep = is_short(call_seconds=job.call_seconds, batch=job.batch)
            if not self._invoker.room(deep=deep):
                return
            window = job.plan.max_in_flight
            if (window is not None and job.in_flight >= window) or spending.must_wait(job):
                passed += 1
            elif (invocation := job.calls.take(self._size(job))) is not None:
                passed = 0
                self.send(job, invocation)
            ready.rotate(-1)

    def _overspent(self, job: Job) -> bool:
        """Whether what waits of a job may not be sent any more: then it has failed."""
        cause = spending.refusal(job)
        if cause is None:
            return False
        calls: list[int] = []
        while (invocation := job.calls.take(job.calls.total)) is not None:
            job.calls.end(invocation)
            calls += range(invocation.first, invocation.stop)
        # They are not stored: that would cost a request for each.
        self._losing.fail(job, calls, cause)
        self._telling.note(CallsSettled(job.id, 0, len(calls), 0, 0.0))
        self._look(job)
        return True

    def _size(self, job: Job) -> int:
        if job.plan.chunksize is not None:
            return job.plan.chunksize
        if not self._invoker.batches:
            return 1
        workers = min(self._workers, job.plan.max_in_flight or self._workers)
        job.batch = batch_size(
            call_seconds=job.call_seconds,
            last=job.batch,
            pending=job.calls.pending,
            workers=workers,
            closed=job.closed,
        )
        return job.batch

    def send(self, job: Job, invocation: Invocation) -> None:
        """Send calls that were taken from their job."""
        job.in_flight += 1
        invocation.sent = time.monotonic()
        try:
            request = job.request(invocation, self._invoker.carries)
            self._invoker.invoke(request, job.spec, job.limits(invocation))
            spending.count_sent(job)
        except WrenmlError as error:
            self._losing.lose(job, invocation, None, error, retry=False)
        except (OSError, RuntimeError) as error:
            cause = WorkerCrashed(f"no worker could be started: {error}")
            self._losing.lose(job, invocation, None, cause, retry=False)
        except BaseException:  # an interrupt; the calls may be those of another job
            self._interrupted(job, invocation)
            raise
