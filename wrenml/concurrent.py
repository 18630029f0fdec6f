"""The standard library's face of an executor: `concurrent.futures.Executor`, with its states and its `map`.

It stands on the same jobs and the same monitor as the executor it belongs to. Differences from the standard
library's pools:

- A dead worker costs only its own call, which is run again; if its worker dies every time, its future raises
  `wrenml.errors.WorkerLost`, a `BrokenExecutor`. The pool heals itself: only a failing initializer breaks it.
- What cannot be unpickled fails its own call, with the exception that unpickling raised.
- A future counts as running while a worker has its call. If the worker dies, or the call is taken back from a
  busy one, it is pending again.
- A call that exits raises `wrenml.errors.CallExited` where its result is read, not ``SystemExit``.
- The initializer runs in a worker before its first call of each function.
- What a call prints is kept with its outcome and does not appear on the client's standard output.
- The remote traceback is the exception's own, not a ``_RemoteTraceback`` as its cause.
- A cancelled future is cancelled and notified at once: no executor has to take note.
- Neither `max_workers` nor `max_tasks_per_child`: the workers belong to the executor behind.
"""

from __future__ import annotations

import concurrent.futures
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, ParamSpec, TypeVar, cast

from wrenml.errors import ConfigError, InitializerFailed, SerializationError
from wrenml.futures import Future
from wrenml.monitor.job import Job
from wrenml.monitor.loop import Monitor
from wrenml.opened import OpenJobs, name_of
from wrenml.options import Options, resolve_options
from wrenml.session import Session
from wrenml.wire import Applied

__all__ = ["ConcurrentExecutor", "ConcurrentFuture"]

R = TypeVar("R")
P = ParamSpec("P")

_log = logging.getLogger("concurrent.futures")  # where the standard library reports it


class ConcurrentFuture(Future[R]):
    """A future that behaves as the standard library says: once a worker has its call it cannot be cancelled.

    Parameters
    ----------
    monitor : Monitor
        Settles it.
    job : Job
        Its job.
    call : int
        Number of the call in the job.
    """

    def __init__(self, monitor: Monitor, job: Job, call: int) -> None:
        super().__init__(job, call)
        self._monitor = monitor
        self._job = job

    def cancel(self) -> bool:
        """Cancel the call unless a worker has it or it is over; return whether it is cancelled."""
        return bool(self._monitor.cancel(self._job, [self._call], running=False)) or self.cancelled()

    def running(self) -> bool:
        """Whether a worker has the call."""
        return self._monitor.is_running(self._job, self._call)


class ConcurrentExecutor(concurrent.futures.Executor):
    """A `concurrent.futures.Executor` over a session; made by `wrenml.Executor.concurrent`.

    Parameters
    ----------
    session : Session
        Runs the calls. It is not ended with this executor.
    options : Options
        Of all calls.
    initializer : callable, optional
        Called with `initargs` in each worker before the first call.
    initargs : tuple
        Its arguments.
    """

    def __init__(
        self,
        session: Session,
        options: Options,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[object, ...] = (),
    ) -> None:
        if initializer is not None:
            options = resolve_options({"initializer": partial(initializer, *initargs)}, base=options)
        self._session = session
        self._options = options
        self._make: Callable[[Job, int], Future[Any]] = partial(ConcurrentFuture, session.monitor)
        self._singles = OpenJobs(session, options, self._made)
        self._jobs: weakref.WeakSet[Job] = weakref.WeakSet()
        self._lock = threading.RLock()  # inline, a call may submit calls
        self._shut = False
        self._broken: str | bool = False

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call ``fn(*args, **kwargs)`` on a worker; return its future.

        What cannot be pickled is told by the future.

        Raises
        ------
        RuntimeError
            After `shutdown`, of this executor or of the one it belongs to.
        InitializerFailed
            If the initializer failed in a worker: a `concurrent.futures.BrokenExecutor`.
        """
        with self._lock:
            self._check()
            try:
                future = self._singles.call(fn, (args, kwargs), Applied.KEYWORDS)
            except SerializationError as error:
                return _failed(error)
        self._watch([future])
        return future

    def map(
        self,
        fn: Callable[..., R],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[R]:
        """Yield the results of ``fn`` over the elements of the iterables, in order.

        Parameters
        ----------
        fn : callable
            Takes one element of each iterable.
        *iterables : iterable
            Pulled at once, to the end of the shortest.
        timeout : float, optional
            Seconds from now in which all results have to be there.
        chunksize : int, default 1
            Calls a worker is given together. With 1, short ones are put together by their measured time.
        buffersize : int, optional
            The most elements pulled whose results were not yet yielded; endless iterables need one.

        Yields
        ------
        object
            Results. A call's exception is raised in its place; then, or when the iterator is closed, the
            calls that no worker has yet are cancelled.

        Raises
        ------
        TimeoutError
            If a result is not there in time.
        ConfigError
            If `chunksize` or `buffersize` is less than 1: a ValueError.
        """
        if chunksize < 1:
            raise ConfigError(f"chunksize={chunksize!r}: chunksize must be >= 1.")
        if buffersize is not None and buffersize < 1:
            raise ConfigError(f"buffersize={buffersize!r}: buffersize must be None or > 0")
        end = None if timeout is None else time.monotonic() + timeout
        elements = zip(*iterables, strict=False)
        if buffersize is None:
            return _results(deque(self._start(fn, list(elements), chunksize)), end)
        futures = deque(self.submit(fn, *element) for element in islice(elements, buffersize))
        return _results(futures, end, (self.submit(fn, *element) for element in elements))

    def _start(self, fn: Callable[..., R], elements: list[tuple[Any, ...]], chunksize: int) -> list[Future[R]]:
        session = self._session
        options = self._options if chunksize == 1 else resolve_options({"chunksize": chunksize}, base=self._options)
        seen: dict[tuple[str, int], Future[object]] = {}
        with self._lock:
            self._check()
            packer = session.packer(seen)
            try:
                with packer.snapshot():
                    function = session.pack_function(fn, packer, options)
                    packed = packer.dumps_many(elements)
            except SerializationError as error:
                return [_failed(error) for _ in elements[:1]]
            job = session.new_job(function, packer, options, name_of(fn), Applied.STAR)
            futures = [self._made(job, call) for call in range(len(elements))]
            # The job lets go of each when it is settled: who reads the results decides how long they live.
            job.futures = dict(enumerate(futures))
            session.use_cache(job, fn, options)
            session.add_calls(job, packed, seen, close=True, items=elements)
        self._watch(futures)
        return cast("list[Future[R]]", futures)

    def _made(self, job: Job, call: int) -> Future[object]:
        self._jobs.add(job)
        return self._make(job, call)

    def _check(self) -> None:
        if self._broken:
            raise InitializerFailed(f"{self._broken}; make a new executor when it is mended")
        if self._shut:
            raise RuntimeError("cannot schedule new futures after shutdown")  # as the standard library says it
        if self._session.closed:
            raise RuntimeError("cannot schedule new futures after shutdown of the wrenml executor behind this one")

    def _watch(self, futures: Iterable[Future[Any]]) -> None:
        if self._options.initializer is not None:
            for future in futures:
                future.add_done_callback(self._note_failure)

    def _note_failure(self, future: concurrent.futures.Future[Any]) -> None:
        if self._broken or future.cancelled() or not cast("Future[Any]", future).errored():
            return
        error = future.exception()
        if isinstance(error, InitializerFailed):
            _log.critical("Exception in initializer:", exc_info=error)
            self._broken = str(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  # the standard library's signature
        """Take no more calls.

        The workers stay with the `wrenml.Executor` that this one belongs to.

        Parameters
        ----------
        wait : bool, default True
            Return when all calls are over.
        cancel_futures : bool, default False
            Cancel the calls that no worker has yet.
        """
        with self._lock:
            self._shut = True
            self._singles.close()
            jobs = list(self._jobs)
        if cancel_futures:
            for job in jobs:
                self._session.monitor.cancel(job, range(job.calls.total), running=False)
        if wait:
            for job in jobs:
                with job.condition:
                    job.condition.wait_for(lambda calls=job.calls: not calls.unsettled)  # type: ignore[misc]


def _failed(error: Exception) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def _results(futures: deque[Future[R]], end: float | None, more: Iterable[Future[R]] = ()) -> Iterator[R]:
    """Yield results in order, keeping no reference to what was yielded; cancel what is left at the end."""
    rest = iter(more)
    try:
        while futures:
            yield _next_result(futures, end, rest)
    finally:
        for future in futures:
            future.cancel()


def _next_result(futures: deque[Future[R]], end: float | None, rest: Iterator[Future[R]]) -> R:
    future = futures.popleft()
    try:
        futures.extend(islice(rest, 1))
        return future.result(None if end is None else end - time.monotonic())
    except TimeoutError:
        future.cancel()
        raise
    finally:
        # Break the cycle exception -> traceback -> frame -> future -> exception.
        del future
