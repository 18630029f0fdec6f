"""Streaming: results of a long or endless input, with only a window of it in memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar, cast

from wrenml.errors import CallCancelled
from wrenml.futures import Block, Future, Raw
from wrenml.monitor.job import Job
from wrenml.retry import BATCH_SECONDS, CALL_OVERHEAD
from wrenml.session import Session

__all__ = ["stream"]

T = TypeVar("T")
R = TypeVar("R")

_WINDOW_BATCHES = 6  # in the window a worker: two in flight, two waiting, two being read
_WINDOW_CALLS = 20_000
_PULL_CALLS = 2_000


def stream(
    session: Session,
    start: Callable[[list[Any]], tuple[Job, set[str]]],
    iterable: Iterable[T],
    window: int | None,
    *,
    ordered: bool,
) -> Iterator[R]:
    """Yield results while pulling input, in the caller's thread.

    Parameters
    ----------
    session : Session
        Runs the calls.
    start : callable
        Makes a job for elements like the ones given; returns it with the names of the modules it knows of.
    iterable : iterable
        Pulled no further ahead than the window.
    window : int, optional
        The most calls that are pulled and not yet yielded. By default it follows the measured time of a call.
    ordered : bool
        Whether results come in the order of the input, or as they are there.
    """
    source = _Source(iterable)
    first = source.pull(1)
    if not first:
        source.raise_failure()
        return
    streamed = _Stream(session, start, source, window, ordered=ordered)
    try:
        streamed.begin(first)
        yield from cast("Iterator[R]", streamed.results())
    except KeyboardInterrupt as interrupt:
        streamed.interrupted()
        # Where this waited tells nobody anything.
        raise interrupt.with_traceback(None) from None
    finally:
        streamed.close()


class _Source:
    """The input, with its end or failure kept until the results before it are out."""

    def __init__(self, iterable: Iterable[object]) -> None:
        self._iterator = iter(iterable)
        self._failure: BaseException | None = None
        self.exhausted = False

    def pull(self, count: int) -> list[object]:
        items: list[object] = []
        if self.exhausted:
            return items
        try:
            items.extend(islice(self._iterator, count))
        except Exception as error:  # noqa: BLE001  # the user's generator; raised when its turn comes
            self._failure = error
            self.exhausted = True
            return items
        self.exhausted = len(items) < count
        return items

    @property
    def more(self) -> bool:
        """Whether there may be more."""
        return not self.exhausted

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()


class _Stream:
    """One iteration under way.

    Its calls belong to one job, unless elements turn up that need local modules the job did not bring along: then
    the results before them are yielded, and another job goes on.
    """

    def __init__(
        self,
        session: Session,
        start: Callable[[list[Any]], tuple[Job, set[str]]],
        source: _Source,
        window: int | None,
        *,
        ordered: bool,
    ) -> None:
        self._session = session
        self._start = start
        self._source = source
        self._window = window
        self._ordered = ordered
        self._held: list[object] = []
        self._yielded = 0
        self._begun = False
        self._job: Job
        self._modules: set[str]

    def begin(self, items: list[object]) -> None:
        self._job, self._modules = self._start(items)
        self._begun = True
        self._yielded = 0
        self._submit(items)

    def _submit(self, items: list[object]) -> None:
        seen: dict[tuple[str, int], Future[object]] = {}
        packer = self._session.packer(seen)
        packed = packer.dumps_many(items, start=self._job.calls.total)
        if packer.modules <= self._modules or not self._session.brings_modules(packer.modules - self._modules):
            self._modules |= packer.modules
            self._session.add_calls(self._job, packed, seen, close=self._source.exhausted, items=items)
        else:
            self._held = items

    def _room(self) -> int:
        if self._window is not None:
            return self._window
        seconds = self._job.call_seconds
        if seconds is None:
            return 2 * self._session.workers
        calls = _WINDOW_BATCHES * self._session.workers * BATCH_SECONDS / (seconds + CALL_OVERHEAD)
        return max(2 * self._session.workers, min(int(calls), _WINDOW_CALLS))

    def _fill(self) -> None:
        """Pull what the window has room for, in steps of some size: each costs a look at the workers."""
        if self._source.exhausted or self._held:
            return
        window = self._room()
        room = window - (self._job.calls.total - self._yielded)
        if room * 4 >= window or room >= _PULL_CALLS:
            items = self._source.pull(min(room, _PULL_CALLS))
            if items:
                self._submit(items)
            if not self._source.more:
                self._session.monitor.close_job(self._job)

    def results(self) -> Iterator[object]:
        while True:
            self._fill()
            if self._yielded == self._job.calls.total:
                if self._held:
                    self._session.monitor.close_job(self._job)
                    held, self._held = self._held, []
                    self.begin(held)
                elif self._source.exhausted:
                    self._source.raise_failure()
                    return
            for call, settled in self._next():
                if isinstance(settled, Block):
                    for value, error in self._job.decode_block(settled):
                        if error is not None:
                            raise error
                        yield value
                    self._yielded += len(settled.sizes)
                else:
                    self._yielded += 1
                    yield self._decoded(call, settled)

    def _next(self) -> list[tuple[int, Raw | Block | None]]:
        """Wait for results; take all that can be yielded now."""
        job, slots = self._job, self._job.slots
        taken: list[tuple[int, Raw | Block | None]] = []
        with job.condition:
            if self._ordered:
                call = self._yielded
                while call not in slots:
                    job.condition.wait()
                while call in slots:
                    settled = slots.pop(call)
                    taken.append((call, settled))
                    call += len(settled.sizes) if isinstance(settled, Block) else 1
            else:
                while not slots:
                    job.condition.wait()
                taken.extend(slots.items())
                slots.clear()
        return taken

    def _decoded(self, call: int, raw: Raw | None) -> object:
        if raw is None:
            raise CallCancelled(f"call {call} of job {self._job.id} was cancelled")
        result, error = self._job.decode(call, raw)
        if error is not None:
            raise error
        return result

    def interrupted(self) -> None:
        self.close()
        if self._begun:
            sys.stderr.write(
                f"\nwrenml: interrupted; job {self._job.id} is cancelled: `wrenml show {self._job.id[:8]}`\n"
            )

    def close(self) -> None:
        self._source.close()
        if not self._begun:
            return
        job = self._job
        if job.calls.unsettled:
            job.cancel(range(job.calls.total))
        self._session.monitor.close_job(job)
