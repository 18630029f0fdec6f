"""The outcomes of a sweep, while it runs and afterwards."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, overload

from wrenml import FutureList
from wrenml.errors import CallCancelled, ConfigError, NotSupportedError, WrenmlError
from wrenml.ml.sweep.candidates import Params
from wrenml.ml.sweep.plotting import draw
from wrenml.ml.sweep.table import RESULT, as_html, metrics_of, rows
from wrenml.ml.sweep.timed import Timed
from wrenml.ml.sweep.trial import Trial

__all__ = ["Errors", "SweepResult"]

Errors = Literal["return", "raise"]


class SweepResult(Sequence[Trial]):
    """A sweep's trials, in the order of the candidates. Made by `wrenml.ml.sweep.sweep`, which does not wait.

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

    def retry_failed(self) -> SweepResult:
        """Run what failed or was cancelled again.

        Returns
        -------
        SweepResult
            As long as this one; what succeeded is in it as it is here.
        """
        return SweepResult(
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

    @property
    def failed(self) -> list[Trial]:
        """The trials without a result."""
        return [trial for trial in self.trials() if trial.error is not None]

    def best(self, key: str | Callable[[Any], float] | None = None, *, maximize: bool = True) -> Trial:
        """Return the trial with the largest result.

        Parameters
        ----------
        key : str or callable, optional
            A metric, or what makes a number of a result. Default: the result, or its only metric.
        maximize : bool, default True
            False returns the one with the smallest.

        Returns
        -------
        Trial
            The first of several equal ones. Failures, None and NaN are never the best.

        Raises
        ------
        ConfigError
            If there are several metrics, and none is named.
        WrenmlError
            If no trial has a number there.
        """
        trials = self.trials()
        value = key if callable(key) else _reader(metrics_of(trials), key)
        results = [(value(trial.result), trial) for trial in trials if trial.error is None]
        # Only NaN differs from itself.
        found = [(number, trial) for number, trial in results if number is not None and number == number]  # noqa: PLR0124
        if not found:
            first = next((f"; the first error is {t.error.type}: {t.error.message}" for t in trials if t.error), "")
            raise WrenmlError(f"none of {len(trials)} candidates has a number to compare{first}")
        choose = max if maximize else min
        return choose(found, key=lambda pair: pair[0])[1]

    # The table

    @property
    def records(self) -> list[dict[str, Any]]:
        """The trials as plain dicts with the same keys; see `wrenml.ml.sweep.table.rows`."""
        return rows(self.trials())

    def to_frame(self) -> Any:
        """Return the records as a `pandas.DataFrame`, a row for each candidate.

        Raises
        ------
        NotSupportedError
            If there is no pandas.
        """
        try:
            import pandas as pd  # noqa: PLC0415  # slow to load, and optional
        except ImportError as error:
            raise NotSupportedError(
                "to_frame() needs pandas, which cannot be imported: pip install 'wrenml[pandas]'; .records has its rows"
            ) from error
        return pd.DataFrame(self.records)

    def plot(self, x: str, y: str | None = None, hue: str | None = None, *, ax: Any = None) -> Any:
        """Draw results over a parameter.

        Parameters
        ----------
        x : str
            Column of the records for the horizontal axis: logarithmic if its values are wide apart, in order of
            appearance if they are no numbers.
        y : str, optional
            Column for the vertical axis. Default: the result, or its only metric.
        hue : str, optional
            Column for whose values there is a line each. Default: one line.
        ax : matplotlib.axes.Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            With lines through the means of results at the same place, and the results as points.

        Raises
        ------
        ConfigError
            If there is no such column, or no number to draw.
        NotSupportedError
            If there is no matplotlib.
        """
        trials = self.trials()
        return draw(rows(trials), x, y or _only(metrics_of(trials), "y"), hue, ax)

    def __repr__(self) -> str:
        return f"<SweepResult {self._state()}>"

    def _repr_html_(self) -> str:
        over = [self._trial(place) for place, future in enumerate(self._futures) if future.done()]
        return as_html(over, f"sweep {self._state()}")

    def _state(self) -> str:
        failed = sum(future.done() and (future.cancelled() or future.errored()) for future in self._futures)
        trouble = f", {failed} failed" if failed else ""
        return f"{self._name}: {self.done_count} of {len(self)} done{trouble}"

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

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """On Ctrl-C cancel what is not over, and say how to go on."""
        try:
            yield
        except KeyboardInterrupt as interrupt:
            kept = f'with cache="{self._cache}" another process finds it' if self._cache else "cache=NAME would keep it"
            sys.stderr.write(
                f"\nwrenml: interrupted; sweep {self._name} (job {self._futures.id}) is cancelled after "
                f"{self.done_count} of {len(self)} calls. What is finished is in .records, and .retry_failed() runs "
                f"the others; {kept}\n"
            )
            with contextlib.suppress(KeyboardInterrupt):  # a second one is in a hurry: no more than the first asked for
                self.cancel()
            # Where this waited tells nobody anything.
            raise interrupt.with_traceback(None) from None

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


def _only(metrics: list[str] | None, argument: str) -> str:
    if metrics is None:
        return RESULT
    if len(metrics) != 1:
        raise ConfigError(f"there are several metrics: say which with {argument}=, one of {', '.join(metrics)}")
    return metrics[0]


def _reader(metrics: list[str] | None, key: str | None) -> Callable[[Any], Any]:
    if metrics is None:
        if key not in (None, RESULT):
            raise ConfigError(f"key={key!r}: the results are no dicts, so there are no metrics; leave it out")
        return lambda result: result
    name = _only(metrics, "key") if key is None else key
    if name not in metrics:
        raise ConfigError(f"there is no metric {name!r}; choose from {', '.join(metrics)}")
    return lambda result: result.get(name, float("nan"))
