"""Trials as their calls end: waiting for them, streaming them, what they cost."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, Self, overload

from wrenml import FutureList
from wrenml.errors import CallCancelled
from wrenml.ml.interrupting import interruptible, kept_or_not
from wrenml.ml.sweep.candidates import Params
from wrenml.ml.sweep.timed import Timed
from wrenml.ml.sweep.trial import Trial

__all__ = ["Errors", "Trials"]

Errors = Literal["return", "raise"]


class Trials(Sequence[Trial]):
    """The trials of calls that may be under way, in the order of the candidates.

    Whatever reads trials waits for them: one, where one is asked for. Ctrl-C meanwhile cancels what is not finished;
    what is stays here.

    Parameters
    ----------
    candidates : sequence of dict
        The parameters of each call.
    futures : FutureList
        The calls, in that order.
    name : str
        What the sweep is called.
    errors : {"return", "raise"}
        Whether failures are trials, or raised where they are read.
    cache : str, optional
        Name under which results are kept. Default: they are not.
    """

    def __init__(
        self,
        candidates: Sequence[Params],
        futures: FutureList[Timed],
        *,
        name: str,
        errors: Errors = "return",
        cache: str | None = None,
    ) -> None:
        self._candidates = candidates
        self._futures = futures
        self._name = name
        self._errors = errors
        self._cache = cache
        self._over: dict[int, Trial] = {}

    # The calls

    @property
    def futures(self) -> FutureList[Timed]:
        """The futures of the calls; their results are pairs of seconds and what the function returned."""
        return self._futures

    @property
    def done_count(self) -> int:
        """How many calls are over."""
        return self._futures.done_count

    def cancel(self) -> int:
        """Cancel the calls that are not over; return how many were."""
        return self._futures.cancel()

    def retry_failed(self) -> Self:
        """Run what failed or was cancelled again.

        Returns
        -------
        same type
            As long as this one; what succeeded is in it as it is here.
        """
        return type(self)(
            self._candidates, self._futures.retry_failed(), name=self._name, errors=self._errors, cache=self._cache
        )

    # The trials

    def __len__(self) -> int:
        return len(self._candidates)

    @overload
    def __getitem__(self, index: int) -> Trial: ...
    @overload
    def __getitem__(self, index: slice) -> list[Trial]: ...
    def __getitem__(self, index: int | slice) -> Trial | list[Trial]:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        place = range(len(self))[index]
        self._wait([place])
        return _priced(self._trial(place), self._rate())

    def __iter__(self) -> Iterator[Trial]:
        rate = None
        for place in range(len(self)):
            self._wait([place])
            rate = self._rate() if rate is None else rate
            yield _priced(self._trial(place), rate)

    def as_completed(self, timeout: float | None = None) -> Iterator[Trial]:
        """Stream the trials as their calls end; leaving the loop stops nothing.

        Parameters
        ----------
        timeout : float, optional
            Seconds for all together; forever by default.

        Yields
        ------
        Trial
            In no order; `dollars` is None.

        Raises
        ------
        TimeoutError
            If a call is not over in time.
        """
        places: dict[int, list[int]] = {}
        for place, future in enumerate(self._futures):
            places.setdefault(id(future), []).append(place)
        with self._interruptible():
            for future in self._futures.as_completed(timeout):
                if self._errors == "raise":
                    future.result()
                for place in places[id(future)]:
                    yield self._trial(place)

    def trials(self) -> list[Trial]:
        """Wait for all calls; return what came of them, in the order of the candidates.

        Raises
        ------
        BaseException
            With ``errors="raise"``, what the first call raised that failed.
        """
        everything = range(len(self))
        self._wait(everything)
        rate = self._rate()
        return [_priced(self._trial(place), rate) for place in everything]

    # Waiting and costs

    def _wait(self, places: Iterable[int]) -> None:
        with self._interruptible():
            for place in places:
                future = self._futures[place]
                if self._errors == "raise":
                    future.result()
                else:
                    with contextlib.suppress(CallCancelled):
                        future.exception()

    def _interruptible(self) -> contextlib.AbstractContextManager[None]:
        """On Ctrl-C cancel what is not over, and say how to go on."""
        return interruptible(
            lambda: (
                f"sweep {self._name} (job {self._futures.id}) is cancelled after {self.done_count} of {len(self)} "
                "calls. What is finished is in .records, and .retry_failed() runs the others; "
                f"{kept_or_not(self._cache)}"
            ),
            self.cancel,
        )

    def _trial(self, place: int) -> Trial:
        found = self._over.get(place)
        if found is None:
            found = self._over[place] = Trial.of(place, self._candidates[place], self._futures[place])
        return found

    def _rate(self) -> float | None:
        """Dollars for each second of a call that ran; None while some run."""
        # The last ones end last, so this is soon known.
        if not all(future.done() for future in reversed(self._futures)):
            return None
        whole = sum(_weight(self._trial(place)) for place in range(len(self)))
        return self._futures.cost.dollars / whole if whole else 0.0


def _priced(trial: Trial, rate: float | None) -> Trial:
    return trial if rate is None else dataclasses.replace(trial, dollars=rate * _weight(trial))


def _weight(trial: Trial) -> float:
    return 0.0 if trial.reused or trial.seconds is None else trial.seconds
