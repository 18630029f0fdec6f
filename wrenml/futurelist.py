"""The futures of a map, as a sequence."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeVar, cast, overload

from wrenml.costs import FREE, Cost
from wrenml.errors import CallCancelled, ConfigError
from wrenml.futures import Future
from wrenml.monitor.job import Job
from wrenml.waiting import as_completed

__all__ = ["FutureList", "Summary"]

R = TypeVar("R")

Errors = Literal["raise", "return", "skip"]


class Summary(NamedTuple):
    """What became of the calls of a map; durations in seconds, memory in MB, what AWS charges in dollars."""

    calls: int
    succeeded: int
    failed: int
    cancelled: int
    pending: int
    retried: int
    call_seconds: float
    wall_seconds: float
    peak_mb: float
    gb_seconds: float = 0.0
    dollars: float = 0.0


class FutureList(Sequence[Future[R]]):
    """The futures of a map, one for each element, in its order.

    Parameters
    ----------
    futures : iterable of Future
        In the order of the elements.
    job : Job, optional
        The job they belong to; None for futures of several jobs.
    """

    __slots__ = ("_futures", "_job")

    def __init__(self, futures: Iterable[Future[R]], job: Job | None = None) -> None:
        self._futures = list(futures)
        self._job = job

    @property
    def id(self) -> str:
        """Id of the job; empty for futures of several jobs."""
        return "" if self._job is None else self._job.id

    @overload
    def __getitem__(self, index: int) -> Future[R]: ...
    @overload
    def __getitem__(self, index: slice) -> FutureList[R]: ...
    def __getitem__(self, index: int | slice) -> Future[R] | FutureList[R]:
        if isinstance(index, slice):
            return FutureList(self._futures[index], self._job)
        return self._futures[index]

    def __len__(self) -> int:
        return len(self._futures)

    def __iter__(self) -> Iterator[Future[R]]:
        return iter(self._futures)

    def __reduce__(self) -> tuple[Callable[..., FutureList[R] | list[Future[R]]], tuple[list[Future[R]]]]:
        return _again, (self._futures,)

    def __add__(self, other: Iterable[Future[R]]) -> FutureList[R]:
        return FutureList([*self._futures, *other])

    def __radd__(self, other: Iterable[Future[R]]) -> FutureList[R]:
        return FutureList([*other, *self._futures])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FutureList):
            return self._futures == other._futures
        return NotImplemented if not isinstance(other, list) else self._futures == other

    __hash__ = None  # type: ignore[assignment]

    @property
    def done_count(self) -> int:
        """How many calls have their outcomes."""
        return sum(future.done() for future in self._futures)

    @overload
    def results(self, *, errors: Literal["raise"] = "raise", timeout: float | None = None) -> list[R]: ...
    @overload
    def results(self, *, errors: Literal["return"], timeout: float | None = None) -> list[R | BaseException]: ...
    @overload
    def results(self, *, errors: Literal["skip"], timeout: float | None = None) -> list[tuple[int, R]]: ...
    def results(self, *, errors: Errors = "raise", timeout: float | None = None) -> Sequence[object]:
        """Wait for all calls and return their results, in order.

        Parameters
        ----------
        errors : {"raise", "return", "skip"}, default "raise"
            ``"raise"`` raises the first exception in the order of the elements. ``"return"`` puts exceptions in the
            places of the results. ``"skip"`` returns ``(index, result)`` pairs of the calls that succeeded.
        timeout : float, optional
            Seconds to wait for all together; forever by default.

        Raises
        ------
        TimeoutError
            If a call has no outcome in time. Nothing is lost: ask again.
        """
        return list(self._stream(errors, timeout))

    @overload
    def iter_results(self, *, errors: Literal["raise"] = "raise", timeout: float | None = None) -> Iterator[R]: ...
    @overload
    def iter_results(
        self, *, errors: Literal["return"], timeout: float | None = None
    ) -> Iterator[R | BaseException]: ...
    @overload
    def iter_results(self, *, errors: Literal["skip"], timeout: float | None = None) -> Iterator[tuple[int, R]]: ...
    def iter_results(self, *, errors: Errors = "raise", timeout: float | None = None) -> Iterator[object]:
        """Stream the results in order, each as soon as those before it are there; parameters as for `results`."""
        return self._stream(errors, timeout)

    def _stream(self, errors: Errors, timeout: float | None) -> Iterator[object]:
        if errors not in ("raise", "return", "skip"):
            raise ConfigError(f'errors={errors!r}: choose "raise", "return" or "skip"')
        return self._outcomes(errors, timeout)

    def _outcomes(self, errors: Errors, timeout: float | None) -> Iterator[object]:
        deadline = None if timeout is None else time.monotonic() + timeout
        for index, future in enumerate(self._futures):
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                value = future.result(left)
            except KeyboardInterrupt as interrupt:
                self._interrupted()
                # Where this waited tells nobody anything.
                raise interrupt.with_traceback(None) from None
            except BaseException as error:
                if not future.done() and isinstance(error, TimeoutError):
                    count = f"{self.done_count} of {len(self)} calls have their outcomes"
                    raise TimeoutError(f"{count} after {timeout:g} s; nothing is lost, ask again") from None
                if errors == "raise" or not future.done():
                    raise
                if errors == "return":
                    yield error
            else:
                yield (index, value) if errors == "skip" else value

    def _outcome(self, future: Future[R], timeout: float | None) -> BaseException | None:
        try:
            return future.exception(timeout)
        except CallCancelled as cancelled:
            return cancelled
        except KeyboardInterrupt as interrupt:
            self._interrupted()
            # Where this waited tells nobody anything.
            raise interrupt.with_traceback(None) from None

    def _interrupted(self) -> None:
        """Say how to come back to what is under way, and stop it."""
        if self._job is not None:
            sys.stderr.write(
                f"\nwrenml: interrupted; job {self.id} is cancelled after {self.done_count} of {len(self)} calls: "
                f"`wrenml show {self.id[:8]}`\n"
            )
        with contextlib.suppress(KeyboardInterrupt):  # a second one is in a hurry: no more than the first asked for
            self.cancel()

    def exceptions(self, timeout: float | None = None) -> list[BaseException | None]:
        """Wait for all calls and return their exceptions, None for those that succeeded, in order.

        Raises
        ------
        TimeoutError
            If a call has no outcome after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        return [
            self._outcome(future, None if deadline is None else max(0.0, deadline - time.monotonic()))
            for future in self._futures
        ]

    def as_completed(self, timeout: float | None = None) -> Iterator[Future[R]]:
        """Stream the futures as their calls end.

        Raises
        ------
        TimeoutError
            If a call has no outcome after `timeout` seconds.
        """
        return as_completed(self._futures, timeout)

    def cancel(self) -> int:
        """Cancel the calls that have no outcome yet; return how many were.

        Calls that wait are never started; a running call's worker is ended and replaced.
        """
        jobs: dict[int, tuple[Future[R], list[int]]] = {}
        for future in self._futures:
            jobs.setdefault(id(future.owner), (future, []))[1].append(future.index)
        return sum(first.owner.cancel(calls) for first, calls in jobs.values() if first.owner is not None)

    def retry_failed(self) -> FutureList[R]:
        """Run the calls that failed or were cancelled again, as a new job.

        Returns
        -------
        FutureList
            As long as this one: the futures that succeeded or are not over, and new ones in the places of the others.
        """
        failed = [
            i for i, future in enumerate(self._futures) if future.done() and (future.cancelled() or future.errored())
        ]
        futures = list(self._futures)
        again: dict[int, tuple[Job, list[int]]] = {}
        for i in failed:
            owner = futures[i].owner
            if isinstance(owner, Job):
                again.setdefault(id(owner), (owner, []))[1].append(i)
        job = None
        for owner, places in again.values():
            job, fresh = owner.run_again([futures[i].index for i in places])
            for i, future in zip(places, fresh, strict=True):
                futures[i] = cast("Future[R]", future)
        return FutureList(futures, self._job if job is None else job)

    def summary(self) -> Summary:
        """Count what became of the calls, and what they took."""
        done = [future for future in self._futures if future.done()]
        cancelled = sum(future.cancelled() for future in done)
        failed = sum(future.errored() for future in done)
        tally = None if self._job is None else self._job.tally
        cost = self.cost
        wall = 0.0 if self._job is None else (self._job.ended or time.monotonic()) - self._job.started
        return Summary(
            calls=len(self),
            succeeded=len(done) - cancelled - failed,
            failed=failed,
            cancelled=cancelled,
            pending=len(self) - len(done),
            retried=0 if tally is None else tally.retried,
            call_seconds=0.0 if tally is None else tally.seconds,
            wall_seconds=wall,
            peak_mb=0.0 if tally is None else tally.peak_mb,
            gb_seconds=cost.gb_seconds,
            dollars=cost.dollars,
        )

    @property
    def cost(self) -> Cost:
        """What the calls' jobs have cost so far, as counted; nothing for jobs that ran locally or inline."""
        owners = {id(future.owner): future.owner for future in self._futures}
        if self._job is not None:
            owners[id(self._job)] = self._job
        return sum((owner.cost for owner in owners.values() if isinstance(owner, Job)), FREE)

    def logs(self, index: int) -> str:
        """What a call printed: its standard output and error, head and tail of it where it is long.

        Parameters
        ----------
        index : int
            Place of the call in this list.

        Raises
        ------
        TimeoutError
            If the call has no outcome yet.
        """
        future = self._futures[index]
        if not future.done():
            raise TimeoutError(f"{future!r} is not over; what it prints can be read when it is")
        owner = future.owner
        return owner.output(future.index) if isinstance(owner, Job) else ""

    def timeline(self) -> Any:  # noqa: ANN401  # matplotlib has no types
        """Draw when each call was sent, ran and ended, and how many ran at a time.

        Returns
        -------
        matplotlib.figure.Figure
            With a line for each call that is over (some are left out of more than 2,000), by its place in this list.
            Times are read from storage: on AWS about a request a call.

        Raises
        ------
        ConfigError
            If no call is over.
        NotSupportedError
            If there is no matplotlib.
        """
        from wrenml.reporting.live import timeline_of  # noqa: PLC0415  # few maps are drawn

        return timeline_of(self._futures)

    def report(self, path: str | os.PathLike[str]) -> None:
        """Write all that is known of the calls' jobs now to one HTML file, which needs nothing beside it.

        Parameters
        ----------
        path : str or path
            Of the file, which is replaced.

        Raises
        ------
        ConfigError
            If the futures belong to no job.
        OSError
            If the file cannot be written.
        """
        from wrenml.reporting.live import report_of  # noqa: PLC0415  # few maps are reported

        text = report_of(self._futures)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def __repr__(self) -> str:
        failed = sum(future.done() and future.errored() for future in self._futures)
        name = "" if self._job is None else f" {self._job.manifest.name} {self.id}"
        trouble = f", {failed} failed" if failed else ""
        return f"<FutureList{name}: {self.done_count} of {len(self)} done{trouble}>"

    def _repr_html_(self) -> str:
        count = self.summary()
        rows = "".join(
            f"<tr><td>{name.replace('_', ' ')}</td><td>{round(value, 4 if name == 'dollars' else 2):,}</td></tr>"
            for name, value in zip(count._fields, count, strict=True)
        )
        return f"<table><caption>wrenml job {self.id}</caption>{rows}</table>"


def _again(futures: list[Future[R]]) -> FutureList[R] | list[Future[R]]:
    """Make an unpickled list: of one job, if its futures are; of results, where a call has it as an argument."""
    if not all(isinstance(future, Future) for future in futures):
        return futures
    owners = {id(future.owner): future.owner for future in futures}
    owner = next(iter(owners.values()), None)
    return FutureList(futures, owner if len(owners) == 1 and isinstance(owner, Job) else None)
