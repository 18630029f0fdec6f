"""What becomes of calls whose worker did not bring them to an end: another attempt, or an outcome of the client's."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import cast

from wrenml import auth
from wrenml.calls import Invocation
from wrenml.crew import Crew
from wrenml.errors import CallCancelled, CallTimeout, WorkerLost, WorkerOutOfMemory, WrenmlError
from wrenml.events import CallsRetried, CallsSettled
from wrenml.futures import Raw
from wrenml.monitor import spending
from wrenml.monitor.deliver import deliver, settle_many
from wrenml.monitor.job import Job, Origin
from wrenml.monitor.outcomes import CLIENT, ClientFrame, client_frame, read_outcome, store
from wrenml.monitor.telling import Telling
from wrenml.outcome import parse_frame
from wrenml.storage.base import Commit

__all__ = ["Losing"]

_log = logging.getLogger("wrenml")

# So many calls lost before they ran, and no success: the fault is not theirs, and the others would be lost too.
_HOPELESS = 5


class Losing:
    """Decides about losses; everything is to be called with the monitor's lock held.

    Parameters
    ----------
    lock : RLock
        The monitor's.
    telling : Telling
        Is given callbacks and events.
    writers : Crew
        Write to storages where writing takes a while.
    queue : callable
        Told a job that has calls to be handed out.
    look : callable
        Told a job that may be over.
    """

    def __init__(
        self,
        lock: threading.RLock,
        telling: Telling,
        writers: Crew,
        queue: Callable[[Job], None],
        look: Callable[[Job], None],
    ) -> None:
        self._lock = lock
        self._telling = telling
        self._writers = writers
        self._queue = queue
        self._look = look

    def lose_call(self, job: Job, invocation: Invocation, call: int, cause: BaseException) -> None:
        """Decide about a call whose worker lives and says that it did not come to an end with it."""
        if isinstance(cause, WorkerOutOfMemory) and not job.limits(invocation).last:
            job.outgrow(call)
            blame = False
        else:
            # There was no time for it, since others took that. An invocation that settles nothing has no such excuse.
            blame = type(cause) not in {WorkerLost, CallTimeout} or not job.calls.any_settled(invocation)
        if job.calls.lose(invocation, call, blame=blame):
            job.tally.retried += 1
            self._telling.note(CallsRetried(job.id, 1, str(cause).partition("\n")[0]))
            self._queue(job)
        else:
            self._give_up_lost(job, [call], call, cause)

    def lose(  # what a loss is
        self,
        job: Job,
        invocation: Invocation,
        suspect: int | None,
        cause: BaseException,
        *,
        retry: bool = True,
        counted: bool = False,
    ) -> None:
        """Decide about the calls of an invocation that is over.

        Parameters
        ----------
        job : Job
            Theirs.
        invocation : Invocation
            That is over.
        suspect : int, optional
            The call that ran, if known.
        cause : BaseException
            Why it ended.
        retry : bool
            Whether another attempt could do better.
        counted : bool
            Whether it no longer counts as being in flight.
        """
        if not counted:
            job.in_flight -= 1
            spending.count_end(job, invocation, cause)
        outgrown = isinstance(cause, WorkerOutOfMemory) and suspect is not None and not job.limits(invocation).last
        if outgrown:
            job.outgrow(cast("int", suspect))
        losses = job.calls.lost(invocation, suspect, retry=retry, counted=not outgrown)
        if losses.again:
            self._queue(job)
            job.tally.retried += len(losses.again)
            self._telling.note(CallsRetried(job.id, len(losses.again), str(cause).partition("\n")[0]))
        if losses.given_up:
            self._give_up_lost(job, list(losses.given_up), suspect, cause)
        elif suspect is None and job.remote and self._is_common(job, invocation, cause):
            self._give_up_all(job, cause, len(job.faults[type(cause)]))
        self._look(job)

    @staticmethod
    def _is_common(job: Job, invocation: Invocation, cause: BaseException) -> bool:
        """Whether so many calls met the same fault, and none had an outcome, that the others would meet it too."""
        # That nothing was heard of a call says nothing about others; a faulty package, role or function does.
        if type(cause) is WorkerLost or job.calls.settled:
            return False
        met = job.faults.setdefault(type(cause), set())
        met.update(range(invocation.first, invocation.stop))
        return len(met) >= _HOPELESS

    def _give_up_lost(self, job: Job, calls: list[int], suspect: int | None, cause: BaseException) -> None:
        times = max(job.calls.attempts_blamed(call) for call in calls)
        allowed = job.manifest.infra_retries
        if times > allowed:
            cause.add_note(f"wrenml: attempts: {times}, which is all that infra_retries={allowed} allows")
        if suspect is None:
            job.tally.lost += len(calls)
            if job.tally.lost >= _HOPELESS and not job.tally.succeeded:
                self._give_up_all(job, cause, job.tally.lost)
                return
        self.give_up(job, calls, cause)

    def _give_up_all(self, job: Job, cause: BaseException, met: int) -> None:
        """Give up what is left of a job, of which nothing succeeded."""
        cause.add_note(f"wrenml: {met} calls ended so and none succeeded; the others were given up")
        while (invocation := job.calls.take(job.calls.total)) is not None:
            job.calls.end(invocation)
        self.give_up(job, [call for call in range(job.calls.total) if not job.calls.is_settled(call)], cause)

    def give_up(self, job: Job, calls: list[int], cause: BaseException) -> None:
        """Give calls an outcome of the client's making: this exception."""
        # Until that is written, other losses of the same calls may be noticed.
        calls = [call for call in calls if call not in job.given_up]
        job.given_up.update(calls if job.remote else ())
        for made in client_frame(job, calls, cause, single=job.remote):
            if job.remote:
                self._writers.run(partial(self._settle_there, job, made))
            else:
                self.settle(job, made, store(job, made.first, [made.data]))

    def _settle_there(self, job: Job, made: ClientFrame) -> None:
        """Settle a call in a bucket: what lies there first is its outcome, perhaps that of a worker after all."""
        known = store(job, made.first, [made.data])
        found = None if known.settled else read_outcome(job, known.key)
        with self._lock:
            if found is None:
                self.settle(job, made, known)
            else:
                there = deliver(job, found.frame, found)
                self._telling.owe(there.callbacks)
                self._telling.note(CallsSettled(job.id, there.succeeded, there.failed, 0, there.seconds))
            self._look(job)
        self._telling.tell()

    def settle(self, job: Job, made: ClientFrame, commit: Commit) -> None:
        """Settle the calls of a frame of the client's, which was stored there."""
        key = auth.label_key(job.key, CLIENT)
        frame = parse_frame(made.data, job.id, lambda first, attempt: auth.invocation_key(key, first, attempt))
        settled = deliver(job, frame, Origin(frame, commit.key, commit.start))
        self._telling.owe(settled.callbacks)
        self._telling.note(CallsSettled(job.id, settled.succeeded, settled.failed, 0, 0.0))

    def fail(self, job: Job, calls: Iterable[int], error: WrenmlError) -> None:
        """Settle calls without storing that."""
        failure: dict[str, object] = {"kind": "lost", "type": type(error).__name__, "message": str(error)}
        rest = [call for call in calls if job.calls.settle(call)]
        job.tally.failed += len(rest)
        self._telling.owe(settle_many(job, [(call, Raw(b"", 0, 0, error, failure)) for call in rest]))

    def cancel(self, job: Job, calls: list[int]) -> None:
        """Let other clients and workers know that calls were cancelled."""
        if job.remote:
            job.cancelled.update(calls)
            self._writers.run(partial(_write_state, job))
            return
        for frame in client_frame(job, calls, CallCancelled()):
            store(job, frame.first, [frame.data])


def _write_state(job: Job) -> None:
    try:
        job.write_state()
    except WrenmlError as error:
        _log.warning("wrenml: workers of job %s do not learn that calls were cancelled: %s", job.id, error)
