"""What came of a backtest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any, Final

import numpy as np

from wrenml.errors import ConfigError
from wrenml.ml.backtest.calls import Calls
from wrenml.ml.backtest.metrics import Metrics, named, score
from wrenml.ml.backtest.records import Record

__all__ = ["BacktestResult"]

_KEYS: Final = ("model", "group", "cutoff", "step")
_STEPS: Final = ["group", "cutoff", "model", "step", "forecast", "actual"]


class BacktestResult(Sequence[Record]):
    """The records of a backtest, in the order of groups, cutoffs and models.

    Reading it waits for the calls that are still under way. Ctrl-C while it waits cancels those; what was there stays,
    and the others are records with the error `CallCancelled`.

    Parameters
    ----------
    calls : Calls
        Where records come from.
    metrics : mapping of str to callable
        What to compute by default.
    """

    def __init__(self, calls: Calls, metrics: Metrics) -> None:
        self._calls = calls
        self._metrics = metrics
        self._records: list[Record] | None = None

    def as_completed(self) -> Iterator[Record]:
        """Stream records as they come; those that are there come first.

        Raises
        ------
        BaseException
            With ``errors="raise"``, what the model raised.
        """
        return self._calls.records()

    @property
    def records(self) -> list[Record]:
        """All records, in order.

        Raises
        ------
        BaseException
            With ``errors="raise"``, what a model raised: of those that have failed until then, the first in order.
        """
        if self._records is None:
            self._records = self._calls.ordered()
        return list(self._records)

    @property
    def failures(self) -> list[Record]:
        """The records without a forecast, in order."""
        return [record for record in self.records if record.error is not None]

    @property
    def dollars(self) -> float:
        """What the calls have cost so far; 0 on this machine."""
        return self._calls.dollars

    def cancel(self) -> None:
        """Cancel what is not over; its records have the error `CallCancelled`."""
        self._calls.cancel()

    def scores(self, *by: str, metrics: Iterable[str] | Metrics | None = None) -> list[dict[str, Any]]:
        """Compute metrics, over all forecasts or parts of them.

        Parameters
        ----------
        *by : {"model", "group", "cutoff", "step"}
            What to tell apart. Default: models. Steps count from 1.
        metrics : iterable of str, or mapping of str to callable
            As for `backtest`. Default: those given there.

        Returns
        -------
        list of dict
            A row for each part that there is, in the order of the records: what it is, `forecasts` (how many were
            made), `failed` (how many were not), and the metrics, over all steps together. A metric is NaN if no step
            has an actual value.

        Raises
        ------
        ConfigError
            If something else is to be told apart.
        """
        keys = by or ("model",)
        for key in keys:
            if key not in _KEYS:
                raise ConfigError(f"scores({key!r}): choose from {', '.join(map(repr, _KEYS))}")
        chosen = self._metrics if metrics is None else named(metrics)
        plain = [key for key in keys if key != "step"]
        parts: dict[tuple[Any, ...], list[Record]] = {}
        for record in self.records:
            parts.setdefault(tuple(getattr(record, key) for key in plain), []).append(record)
        rows = []
        for values, records in parts.items():
            for step in range(len(records[0].actual)) if "step" in keys else [None]:
                known = dict(zip(plain, values, strict=True)) | {"step": None if step is None else step + 1}
                rows.append({key: known[key] for key in keys} | _scored(records, step, chosen))
        return rows

    def to_frame(self, *, steps: bool = False) -> Any:
        """Return a `pandas.DataFrame` with a row for each record, and its metrics and error.

        Parameters
        ----------
        steps : bool, default False
            A row for each step instead, with forecast and actual value.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        import pandas as pd  # noqa: PLC0415  # slow to load, and optional

        if steps:
            return pd.DataFrame([row for record in self.records for row in _steps(record)], columns=_STEPS)
        return pd.DataFrame([self._row(record) for record in self.records])

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return self._calls.total

    def __getitem__(self, index: Any) -> Any:
        return self.records[index]

    def __repr__(self) -> str:
        return f"<BacktestResult: {self._calls.done} of {len(self)} forecasts>"

    def _repr_html_(self) -> str:
        rows = self.scores()
        head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{_shown(value)}</td>" for value in row.values()) + "</tr>" for row in rows
        )
        return f"<table><caption>{escape(repr(self))}</caption><tr>{head}</tr>{body}</table>"

    def _row(self, record: Record) -> dict[str, Any]:
        scored = _scored([record], None, self._metrics)
        error = record.error
        return {
            "group": record.group,
            "cutoff": record.cutoff,
            "model": record.model,
            "known": record.known,
            **{name: scored[name] for name in self._metrics},
            "seconds": record.seconds,
            "reused": record.reused,
            "error": None if error is None else error.type,
            "message": None if error is None else error.message,
            "traceback": None if error is None else error.traceback,
        }


def _scored(records: Sequence[Record], step: int | None, metrics: Metrics) -> dict[str, Any]:
    made = [record for record in records if record.error is None]
    row: dict[str, Any] = {"forecasts": len(made), "failed": len(records) - len(made)}
    if not made:
        return row | dict.fromkeys(metrics, float("nan"))
    steps = slice(None) if step is None else slice(step, step + 1)
    actual = np.concatenate([record.actual[steps] for record in made])
    forecast = np.concatenate([record.forecast[steps] for record in made])
    scale = np.repeat([record.scale for record in made], len(actual) // len(made))
    return row | {name: score(metric, actual, forecast, scale) for name, metric in metrics.items()}


def _steps(record: Record) -> Iterator[tuple[Any, ...]]:
    if record.forecast is not None:
        for step, (forecast, actual) in enumerate(zip(record.forecast, record.actual, strict=True), 1):
            yield record.group, record.cutoff, record.model, step, float(forecast), float(actual)


def _shown(value: Any) -> str:
    return escape(f"{value:,.4g}" if isinstance(value, float) else str(value))
