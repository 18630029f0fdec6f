"""One call of `Parallel` under way: a thread that packs what is submitted, and reports what became of it.

::

    submit ──▶ waiting ──pack──▶ Executor.submit ──▶ under way ──▶ settled ──callbacks──▶ joblib, which submits more
                                                                      │
                                                          a failure is held until no task before it is open
"""

from __future__ import annotations

import contextvars
import copy
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Protocol

from wrenml.executor import Executor
from wrenml.ml.envelope import Envelope, caller
from wrenml.ml.parallel.packing import Pace, pack_size, room
from wrenml.ml.parallel.sharing import Sharing
from wrenml.ml.parallel.tasks import run_batches

__all__ = ["Batch", "Cost", "Dispatcher", "Outcome"]

_FITS: Final = "sklearn.model_selection._validation"
_WEIGHT: Final = 0.3
_JOIN_SECONDS: Final = 1.0


Kept = Callable[[list[Any]], list[Any]]
"""Makes of what the worker returned what the tasks did."""


class Batch(Protocol):
    """Tasks that joblib wants to be run together; called, it returns the list of their results."""

    items: list[Any]

    def __call__(self) -> list[Any]:
        """Run them."""

    def __len__(self) -> int:
        """How many there are."""


class Cost:
    """What a task takes, as far as it was measured."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        self.packing = 0.0
        self.largest = 1

    def measure(self, tasks: int, seconds: float) -> None:
        """Take note that so many tasks took so many seconds together."""
        each = seconds / max(tasks, 1)
        self.seconds = each if self.seconds is None else (1 - _WEIGHT) * self.seconds + _WEIGHT * each

    def packed(self, seconds: float) -> None:
        """Take note that a pack took so many seconds of the processor to make."""
        self.packing = (1 - _WEIGHT) * self.packing + _WEIGHT * seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch: an envelope, or the error that kept it from having one."""

    envelope: Envelope | None
    error: BaseException | None = None
    kept: Kept | None = None

    @property
    def failed(self) -> bool:
        """Whether there is no result."""
        return self.envelope is None or self.envelope.failure is not None

    def open(self) -> Any:
        """The results, once warnings were given and output was written.

        Raises
        ------
        BaseException
            What the batch ended with; its `__cause__` shows the worker's traceback.
        """
        if self.envelope is None:
            raise self.error or RuntimeError("there is neither a result nor an error")
        error = self.envelope.error()
        if error is None:
            return self.envelope.open() if self.kept is None else self.kept(self.envelope.open())
        self.envelope.replay()
        # joblib drops tracebacks, so this one goes the way of the standard library's.
        error.__cause__ = _WorkerTraceback(self.envelope.traceback)
        raise error


class _WorkerTraceback(Exception):  # it is only ever shown, as a cause
    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


@dataclass(slots=True, eq=False)
class _Task:
    number: int
    batch: Batch | None
    count: int
    callback: Callable[[Outcome], object]
    kept: Kept | None = None


def _sent(task: _Task) -> Batch | None:
    """The batch of a task as it is sent: scikit-learn's tasks without what belongs to this process."""
    batch = task.batch
    if batch is None or not any(_is_fit(item) for item in batch.items):
        return batch
    from wrenml.ml.parallel import told  # noqa: PLC0415  # it loads scikit-learn, which such tasks have loaded

    sent = copy.copy(batch)
    sent.items, task.kept = told.batch(batch.items)
    return sent


def _is_fit(item: tuple[Any, ...]) -> bool:
    """Whether a task fits an estimator for scikit-learn's searches and validation."""
    function = getattr(item[0], "function", None)
    return getattr(function, "__module__", None) == _FITS and len(item[1]) > 2  # noqa: PLR2004  # estimator, X, y


class Dispatcher:
    """Carries the batches of one call of `Parallel` to the workers.

    Parameters
    ----------
    executor : Executor
        Runs them.
    lanes : int
        How many packs may run at a time.
    threads : int, optional
        How many threads numerical libraries may use in a worker. Default: what it was started with.
    pace : Pace
        What is worth an invocation.
    cost : Cost
        What a task takes; shared with who decides how large batches are.
    """

    def __init__(self, executor: Executor, lanes: int, threads: int | None, pace: Pace, cost: Cost) -> None:
        self._executor = executor
        self._lanes = lanes
        self._threads = threads
        self._pace = pace
        self._cost = cost
        self._sharing = Sharing(executor, caller())
        self._changed = threading.Condition()
        self._waiting: deque[_Task] = deque()
        self._arrived: deque[tuple[list[_Task], Future[list[Envelope]]]] = deque()
        self._under_way: set[Future[list[Envelope]]] = set()
        self._open: dict[int, _Task] = {}
        self._held: dict[int, Outcome] = {}
        self._submitted = 0
        self._since: float | None = None
        self._ended = False
        # Callbacks warn and print: as the caller would, who may have set that in a context.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._run,), name="wrenml-joblib", daemon=True)
        self._thread.start()

    # For the backend

    @property
    def idle(self) -> bool:
        """Whether everything that was submitted is settled."""
        return not self._open

    @property
    def ended(self) -> bool:
        """Whether nothing can be submitted any more."""
        return self._ended

    def submit(self, batch: Batch, callback: Callable[[Outcome], object]) -> None:
        """Queue a batch; `callback` is given its outcome, in the dispatcher's thread."""
        with self._changed:
            task = _Task(self._submitted, batch, len(batch), callback)
            self._submitted += 1
            self._open[task.number] = task
            self._waiting.append(task)
            self._changed.notify()

    def end(self) -> None:
        """Cancel what is not settled, end the workers that are at it, and end the thread."""
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._open.clear()
            futures = list(self._under_way)
            self._changed.notify()
        for future in futures:
            future.cancel()
        if threading.current_thread() is not self._thread:
            self._thread.join(_JOIN_SECONDS)

    # The thread

    def _run(self) -> None:
        try:
            while self._wait():
                self._settle()
                self._send()
        except BaseException as error:  # whoever waits must learn that nobody settles tasks any more
            self._break(error)
            raise

    def _wait(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._arrived or self._may_send(), self._patience())
            return not self._ended

    def _patience(self) -> float | None:
        """Seconds until more may be sent without anything having arrived; None if only an arrival can change that."""
        if self._since is None or self._cost.seconds is not None or not self._waiting:
            return None
        waited = time.monotonic() - self._since
        return self._pace.patience - waited % self._pace.patience

    def _may_send(self) -> bool:
        return bool(self._waiting) and not self._held and len(self._under_way) < self._room()

    def _room(self) -> int:
        waited = 0.0 if self._since is None else time.monotonic() - self._since
        workers = self._executor.session.workers
        measured = self._cost.seconds is not None
        return room(self._pace, lanes=self._lanes, workers=workers, measured=measured, waited=waited)

    def _send(self) -> None:
        while True:
            with self._changed:
                if self._ended or not self._may_send():
                    return
                tasks = self._take()
            try:
                self._send_pack(tasks)
            except Exception as error:  # noqa: BLE001  # what cannot be sent, for whatever reason, is told by its tasks
                self._report_all(tasks, error)

    def _take(self) -> list[_Task]:
        pending = sum(task.count for task in self._waiting)
        cost = self._cost
        size = pack_size(
            self._pace,
            seconds=cost.seconds,
            pending=pending,
            lanes=self._lanes,
            last=cost.largest,
            packing=cost.packing,
        )
        tasks = [self._waiting.popleft()]
        count = tasks[0].count
        while self._waiting and count + self._waiting[0].count <= size:
            tasks.append(self._waiting.popleft())
            count += tasks[-1].count
        cost.largest = max(cost.largest, count)
        return tasks

    def _send_pack(self, tasks: list[_Task]) -> None:
        began = time.thread_time()
        parcel = self._sharing.pack([_sent(task) for task in tasks])
        self._cost.packed(time.thread_time() - began)
        future = self._executor.submit(run_batches, self._threads, parcel)
        for task in tasks:
            task.batch = None
        self._since = self._since or time.monotonic()
        with self._changed:
            self._under_way.add(future)
            ended = self._ended
        future.add_done_callback(lambda done: self._arrive(tasks, done))
        if ended:
            future.cancel()

    def _arrive(self, tasks: list[_Task], future: Future[list[Envelope]]) -> None:
        with self._changed:
            self._under_way.discard(future)
            self._arrived.append((tasks, future))
            self._changed.notify()

    def _settle(self) -> None:
        while self._arrived:
            tasks, future = self._arrived.popleft()
            try:
                envelopes = future.result()
            except BaseException as error:  # noqa: BLE001  # whatever kept the pack from being run
                self._report_all(tasks, error)
                continue
            for task, envelope in zip(tasks, envelopes, strict=False):
                if envelope.failure is None:
                    self._cost.measure(task.count, envelope.seconds)
                self._report(task, Outcome(envelope, kept=task.kept))
            # Behind a failure a pack is not run; joblib will drop what is left as it drops all that is not settled.

    def _report_all(self, tasks: Sequence[_Task], error: BaseException) -> None:
        for task in tasks:
            self._report(task, Outcome(None, error))

    def _report(self, task: _Task, outcome: Outcome) -> None:
        with self._changed:
            if self._ended or task.number not in self._open:
                return
            if outcome.failed:
                self._held[task.number] = outcome
            else:
                del self._open[task.number]
        if not outcome.failed:
            task.callback(outcome)
        self._release()

    def _release(self) -> None:
        """Report the first failure, if no task before it is open: joblib raises what it is told first."""
        with self._changed:
            if self._ended or not self._held or min(self._open) not in self._held:
                return
            first = min(self._held)
            task, outcome = self._open.pop(first), self._held.pop(first)
        task.callback(outcome)

    def _break(self, error: BaseException) -> None:
        with self._changed:
            tasks = [] if self._ended else [*self._open.values()]
            self._ended = True
        for task in tasks:
            task.callback(Outcome(None, error))
