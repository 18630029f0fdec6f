"""The outcomes of a sweep as a table, while it runs and afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wrenml.errors import ConfigError, NotSupportedError, WrenmlError
from wrenml.ml.sweep.plotting import draw
from wrenml.ml.sweep.running import Trials
from wrenml.ml.sweep.table import RESULT, as_html, metrics_of, rows
from wrenml.ml.sweep.trial import Trial

__all__ = ["SweepResult"]


class SweepResult(Trials):
    """A sweep's trials, in the order of the candidates, and tables of them.

    Made by `wrenml.ml.sweep.sweep`, which does not wait: whatever reads trials does.
    """

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
