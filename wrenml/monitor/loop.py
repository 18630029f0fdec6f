"""The loop that waits for everybody: it hands out calls, takes outcomes, and makes up its mind about losses.

::

    add ──▶ ready jobs ──dispatch──▶ invoker ──collect──▶ frames ──▶ deliver ──▶ futures
                ▲                                  └──▶ lost ──▶ calls.lost ──▶ again, or the client's own outcome
                └───────────────────────────────────────────────────────┘
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from itertools import pairwise

from wrenml.calls import Invocation
from wrenml.crew import Crew
from wrenml.errors import ExecutorClosedError, WireError, WorkerCrashed, WrenmlError
from wrenml.events import CallsSettled, CallsThrottled, Event, Hook, JobEnded
from wrenml.invoke.base import Event as Arrival
from wrenml.invoke.base import FrameArrived, Invoker, RequestOver, Throttled, WorkerGone
from wrenml.monitor import spending
from wrenml.monitor.arguments import Chunk
from wrenml.monitor.deliver import deliver, settle_many
from wrenml.monitor.dispatcher import Dispatcher
from wrenml.monitor.job import Job, Origin
from wrenml.monitor.losing import Losing
from wrenml.monitor.outcomes import check_place, known_frames, store, write_journal
from wrenml.monitor.speculating import Speculation
from wrenml.monitor.telling import Telling
from wrenml.monitor.writing import Writing, write_job
from wrenml.outcome import parse_frame
from wrenml.storage.base import Buffer

__all__ = ["Monitor"]

_log = logging.getLogger("wrenml")

_WRITERS = 8


class Monitor:
    """Runs jobs on one invoker.

    Parameters
    ----------
    invoker : Invoker
        Starts work.
    workers : int
        How many requests can run at a time.
    threaded : bool
        Whether a thread of its own waits for workers. Without, `dispatch` runs everything before it returns.
    """

    def __init__(self, invoker: Invoker, workers: int, *, threaded: bool = True) -> None:
        self._invoker = invoker
        self._threaded = threaded
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._speculations: dict[str, Speculation] = {}
        self._writing = Writing(self._lock)
        self._writers = Crew(_WRITERS, "wrenml-write")
        self._telling = Telling(self._lock)
        self._thread: threading.Thread | None = None
        self._closing = False
        self._refusal: WrenmlError | None = None
        self._asleep = False
        self._idle = threading.Condition(self._lock)
        self._losing = Losing(self._lock, self._telling, self._writers, self._queue, self._end_if_over)
        self._dispatcher = Dispatcher(invoker, workers, self._losing, self._telling, self._end_if_over, self._give_back)

    # For the executor

    def observe(self, hook: Hook) -> None:
        """Have a hook told what happens from now on."""
        self._telling.observe(hook)

    def add(self, job: Job) -> None:
        """Take note of a job, or that one has more calls, and hand out what can be handed out.

        Raises
        ------
        ExecutorClosedError, WorkerCrashed
            If nobody waits for workers any more.
        """
        with self._lock:
            if self._refusal is not None:
                raise self._refusal.with_traceback(None)
            self._jobs[job.id] = job
            if job.plan.speculate and job.remote:
                self._speculations.setdefault(job.id, Speculation(job))
            if job.calls.unsettled:
                self._queue(job)
            if job.calls.total or not job.remote:
                self._writing.add(job)
            try:
                self._dispatch(job)
                self._rouse()
            except Exception as error:
                self._abandon(job, WorkerCrashed(f"the calls could not be handed out: {error!r}"))
                raise
            self._end_if_over(job)
        if not self._threaded:
            self._run_here(job)
        self._telling.tell()

    def is_too_large(self, chunk: Chunk) -> bool:
        """Whether an argument of the chunk cannot travel in a request."""
        ends = chunk.offsets
        return len(chunk.data) > self._invoker.carries and any(
            stop - start > self._invoker.carries for start, stop in pairwise(ends)
        )

    def most_calls(self, chunksize: int | None) -> int:
        """How many calls an invocation has at most, where so many are asked for; 0 for any number."""
        return 0 if self._invoker.batches else chunksize or 1

    def write_later(self, task: Callable[[], None]) -> None:
        """Have something written to storage that nobody waits for."""
        self._writers.run(task)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until what is to be written for other clients is written; False if that took longer than `timeout`."""
        self._write(everything=True)
        return self._writers.drain(timeout)

    def extend(self, job: Job, chunk: Chunk, count: int, held: Collection[int]) -> None:
        """Append calls to a job, some of them held until `release`; `add` hands them out."""
        # The loop may be taking calls of the job at this moment, or forgetting arguments that no call needs.
        with self._lock:
            job.arguments.add(chunk)
            if not held:
                job.calls.add(count)
                return
            for i in range(count):
                job.calls.add(1, held=i in held)

    def _rouse(self) -> None:
        """See to it that somebody waits, and not for longer than there is nothing to do."""
        if self._closing:
            return
        if self._threaded and self._thread is None:
            thread = threading.Thread(target=self._run, name="wrenml-monitor", daemon=True)
            thread.start()
            self._thread = thread
        elif self._asleep:
            self._invoker.wake()

    def close_job(self, job: Job) -> None:
        """Take note that a job gets no more calls."""
        with self._lock:
            job.closed = True
            self._end_if_over(job)
        self._telling.tell()

    def is_running(self, job: Job, call: int) -> bool:
        """Whether a worker has the call."""
        with self._lock:
            return job.calls.is_in_flight(call)

    def cancel(self, job: Job, calls: Iterable[int], *, running: bool = True) -> int:
        """Cancel calls that are not settled, those that a worker has only with `running`; return how many were."""
        with self._lock:
            if not running:
                calls = [call for call in calls if not job.calls.is_in_flight(call)]
            cancelled = [call for call in calls if job.calls.settle(call)]
            if not cancelled:
                return 0
            job.tally.cancelled += len(cancelled)
            self._telling.owe(settle_many(job, [(call, None) for call in cancelled]))
            self._losing.cancel(job, cancelled)
            for invocation in job.calls.in_flight:
                self._cancel_running(job, invocation, set(cancelled))
            self._telling.note(CallsSettled(job.id, 0, 0, len(cancelled), 0.0))
            self._end_if_over(job)
            if not self._closing:
                self._invoker.wake()
        self._telling.tell()
        return len(cancelled)

    def _cancel_running(self, job: Job, invocation: Invocation, cancelled: set[int]) -> None:
        name = (job.id, invocation.first, invocation.attempt)
        if job.calls.all_settled(invocation.first, invocation.stop):
            self._invoker.cancel(name, None)
            return
        for call in cancelled.intersection(range(invocation.first, invocation.stop)):
            self._invoker.cancel(name, call)

    def release(self, job: Job, call: int) -> None:
        """Take note that a held call's inputs are there."""
        with self._lock:
            job.calls.release(call)
            self._queue(job)
            self._dispatch(job)
            self._rouse()
        if not self._threaded:
            self._run_here(job)

    def fail(self, job: Job, calls: list[int], cause: BaseException) -> None:
        """Give calls an outcome of the client's making: this exception."""
        with self._lock:
            self._losing.give_up(job, calls, cause)
            self._end_if_over(job)
        self._telling.tell()

    def supply(self, job: Job, found: Mapping[int, Buffer]) -> None:
        """Give calls the packed results that are known without running them."""
        for made in known_frames(job, found):
            stored = store(job, made.first, [made.data])  # without the lock, since it may take a while
            with self._lock:
                self._losing.settle(job, made, stored)
        self._telling.tell()

    @property
    def calls_here(self) -> bool:
        """Whether this is the thread that settles futures: in a callback, where nothing can be waited for."""
        return threading.current_thread() is self._thread

    def wait_until_idle(self, timeout: float | None = None) -> bool:
        """Wait until no job has calls left; False if it took longer than `timeout` seconds."""
        with self._idle:
            return self._idle.wait_for(lambda: not any(j.calls.unsettled for j in [*self._jobs.values()]), timeout)

    def close(self) -> None:
        """Cancel what is left and end the workers."""
        with self._lock:
            self._refusal = ExecutorClosedError()
            jobs = list(self._jobs.values())
        for job in jobs:
            self.cancel(job, range(job.calls.total))
        with self._lock:
            self._closing = True
            self._invoker.wake()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._write(everything=True)
        self._writers.close()
        self._invoker.close()

    # The loop

    def _run(self) -> None:
        try:
            while not self._closing:
                self._write()
                self._invoker.wait(self._patience())
                self._step()
        except BaseException as error:  # whoever waits must learn that nobody settles futures any more
            self._break(error)
            raise

    def _run_here(self, job: Job) -> None:
        try:
            while job.calls.unsettled and (job.calls.has_pending or job.calls.in_flight):
                self._step(job)
        except KeyboardInterrupt:
            self.cancel(job, range(job.calls.total))
            raise
        self._write(everything=True)

    def _write(self, *, everything: bool = False) -> None:
        for job in self._writing.due_jobs(everything=everything):
            if job.remote:
                self._writers.run(partial(write_job, job))
            else:
                write_job(job)

    def _step(self, job: Job | None = None) -> None:
        with self._lock:
            for arrival in self._invoker.collect():
                self._take(arrival)
            self._dispatch(job)
            for speculation in list(self._speculations.values()):
                if speculation.due <= time.monotonic():
                    speculation.look(self._dispatcher.send)
        self._telling.tell()

    def _patience(self) -> float | None:
        with self._lock:
            due = min([one.due for one in self._speculations.values()], default=self._writing.due)
            due = due if self._writing.due is None or due is None else min(due, self._writing.due)
            self._asleep = due is None
        return None if due is None else max(0.0, due - time.monotonic())

    def _queue(self, job: Job) -> None:
        if self._threaded:
            self._dispatcher.queue(job)

    def _dispatch(self, job: Job | None) -> None:
        if self._threaded:
            self._dispatcher.dispatch()
        elif job is not None:
            self._dispatcher.dispatch_here(job)

    # Taking in

    def _take(self, arrival: Arrival) -> None:
        name, first, attempt = arrival.name
        job = self._jobs.get(name)
        if job is None:
            return
        if isinstance(arrival, WorkerGone) and arrival.exposed:
            job.exposed.add((first, attempt))
        invocation = job.calls.find(first, attempt)
        if invocation is None:
            return
        if isinstance(arrival, FrameArrived):
            self._settle(job, invocation, arrival)
            return
        if isinstance(arrival, RequestOver):
            self._end_request(job, invocation, arrival)
            return
        if isinstance(arrival, Throttled):
            self._telling.note(CallsThrottled(job.id, arrival.window))
            return
        if arrival.blame:
            self._losing.lose(job, invocation, arrival.suspect, arrival.cause, retry=arrival.retry)
        else:
            self._give_back(job, invocation)

    def _settle(self, job: Job, invocation: Invocation, arrival: FrameArrived) -> None:
        try:
            frame = parse_frame(arrival.frame, job.id, job.outcome_key)
            if job.remote:
                check_place(frame, arrival.stored.key, job.manifest.most, job.calls.total)
        except WireError as error:
            _log.warning("wrenml: an outcome of job %s was refused: %s", job.id, error)
            self._invoker.refuse(arrival.name, arrival.stored.key)
            return
        spending.count_frame(job, invocation, frame)
        stored = arrival.stored
        origin = Origin(frame, stored.key, stored.start)
        if frame.attempt > 1 and not job.remote:
            write_journal(job, frame)
        made = deliver(job, frame, origin)
        self._telling.owe(made.callbacks)
        settled = made.succeeded + made.failed
        if settled:
            self._telling.note(CallsSettled(job.id, made.succeeded, made.failed, 0, made.seconds, spending.spent(job)))
            if job.id in self._speculations:
                self._speculations[job.id].took(made.seconds, settled)
        for call, cause in made.lost.items():
            self._losing.lose_call(job, invocation, call, cause)

    def _give_back(self, job: Job, invocation: Invocation) -> None:
        """End an invocation that has done nothing."""
        name = (job.id, invocation.first, invocation.attempt)
        self._end_request(job, invocation, RequestOver(name, invocation.first))

    def _end_request(self, job: Job, invocation: Invocation, over: RequestOver) -> None:
        if over.next_call < invocation.stop and job.calls.give_back(invocation, over.next_call):
            self._queue(job)
        if not (over.final and self._invoker.finish(over.name)):
            return
        job.calls.end(invocation)
        job.in_flight -= 1
        spending.count_end(job, invocation)
        job.forget_key(invocation)
        for twin in job.calls.twins(invocation):
            if job.calls.all_settled(twin.first, twin.stop):
                self._invoker.cancel((job.id, twin.first, twin.attempt), None)
        if job.calls.owes(invocation):
            cause = WorkerCrashed("the worker's report of these calls was refused (the log says why); run them again.")
            self._losing.lose(job, invocation, None, cause, counted=True)
            return
        job.arguments.trim(job.calls.all_settled)
        self._end_if_over(job)

    def _end_if_over(self, job: Job) -> None:
        if not job.calls.unsettled:
            self._idle.notify_all()
        if job.over and self._jobs.pop(job.id, None) is not None:
            job.ended = time.monotonic()
            self._speculations.pop(job.id, None)
            self._telling.note(JobEnded(job.id, job.ended - job.started, cost=job.cost))

    def _break(self, error: BaseException) -> None:
        _log.error("wrenml: the monitor failed", exc_info=error)
        self._refusal = WorkerCrashed(f"wrenml's monitor failed: {error!r}")
        for job in list(self._jobs.values()):
            self._abandon(job, self._refusal)
        self._telling.tell()

    def _abandon(self, job: Job, error: WrenmlError) -> None:
        """Settle what is left of a job without storing it: nothing else can be relied on any more."""
        with self._lock:
            job.broken = error
            self._losing.fail(job, range(job.calls.total), error)
            self._jobs.pop(job.id, None)
            self._idle.notify_all()

    def tell(self, event: Event) -> None:
        """Give an event to the hooks."""
        with self._lock:
            self._telling.note(event)
        self._telling.tell()
