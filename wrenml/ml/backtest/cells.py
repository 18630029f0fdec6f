"""What is to be forecast, and the records that become of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from wrenml.ml.backtest.metrics import scale_of
from wrenml.ml.backtest.origins import Origin, Plan
from wrenml.ml.backtest.records import Failure, Record
from wrenml.ml.backtest.series import Series
from wrenml.ml.backtest.working import Parcel, Part, parcel_of
from wrenml.ml.envelope import Envelope

__all__ = ["Cell", "Cells", "flat"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One forecast that is to be made.

    Parameters
    ----------
    number : int
        Its place among all.
    origin : Origin
        From where.
    model : str
        With what.
    """

    number: int
    origin: Origin
    model: str


class Cells:
    """All that a forecast is made of, and is compared with.

    Parameters
    ----------
    series : mapping
        Group to series.
    models : mapping of str to callable
        Name to model.
    plan : Plan
        What is forecast from where.
    period : int
        Of a season.
    """

    def __init__(
        self, series: Mapping[Any, Series], models: Mapping[str, Callable[..., Any]], plan: Plan, period: int
    ) -> None:
        self.series = series
        self.models = models
        self.plan = plan
        self._period = period
        self._ends: dict[Any, int] = {}
        self._sent: dict[Any, tuple[Any, Any]] = {}
        self._indices: dict[tuple[int, int], Any] = {}
        self._compared: tuple[Origin, Any, float] | None = None

    def of(self, origins: Sequence[Sequence[Origin]]) -> list[list[list[Cell]]]:
        """Return the cells by group and origin."""
        numbers = iter(range(sum(map(len, origins)) * len(self.models)))
        self._ends = {one.group: one.known for some in origins for one in some if self.refused(one) is None}
        return [[[Cell(next(numbers), one, name) for name in self.models] for one in some] for some in origins]

    def refused(self, origin: Origin) -> str | None:
        """Return why no model can be called, None if it can."""
        length, least = len(self.series[origin.group]), self.plan.least
        if origin.known < least:
            return f"{max(0, origin.known)} values are known of group {origin.group!r}, and {least} are the least"
        if origin.known >= length:
            return f"group {origin.group!r} ends with its {length} values: nothing comes after the cutoff"
        return None

    def parcel(self, cells: Sequence[Cell]) -> Parcel:
        """Return what a worker is given for some cells, in their order."""
        by_group = groupby(cells, key=lambda cell: cell.origin.group)
        return parcel_of(self._part(group, list(some)) for group, some in by_group)

    def _part(self, group: Any, cells: list[Cell]) -> Part:
        series, end = self.series[group], self._ends[group]
        origins = [
            (self.plan.start(origin.known), origin.known, [cell.model for cell in some])
            for origin, some in groupby(cells, key=lambda cell: cell.origin)
        ]
        if group not in self._sent:
            # One array for all calls, so that it is sent once. What no model may know stays here.
            index = None if series.index is None else self._times(series.index, end + self.plan.horizon)
            self._sent[group] = series.values[:end], index
        return Part(*self._sent[group], origins)

    def _times(self, index: Any, end: int) -> Any:
        return self._indices.setdefault((id(index), end), index[:end])

    def record(self, cell: Cell, envelope: Envelope) -> Record:
        """Return what became of a cell."""
        if envelope.failure is None:
            return self._record(cell, envelope.value, envelope.seconds, None)
        text = envelope.failure[0]
        error = Failure(str(text["type"]), str(text["message"]), envelope.traceback)
        return self._record(cell, None, envelope.seconds, error)

    def failed(self, cell: Cell, error: BaseException) -> Record:
        """Return the record of a cell whose model was not called, or whose worker was lost."""
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        return self._record(cell, None, 0.0, Failure(name, str(error)))

    def _record(self, cell: Cell, forecast: Any, seconds: float, error: Failure | None) -> Record:
        actual, scale = self._comparison(cell.origin)
        origin = cell.origin
        return Record(cell.model, origin.group, origin.cutoff, origin.known, forecast, actual, scale, seconds, error)

    def _comparison(self, origin: Origin) -> tuple[Any, float]:
        if self._compared is None or self._compared[0] is not origin:
            values, known = self.series[origin.group].values, max(0, origin.known)
            actual = np.full(self.plan.horizon, np.nan)
            after = values[known : known + self.plan.horizon]
            actual[: len(after)] = after
            self._compared = origin, actual, scale_of(values[self.plan.start(known) : known], self._period)
        return self._compared[1:]


def flat(cells: Sequence[Sequence[Cell]]) -> Iterator[Cell]:
    """Iterate over the cells of some origins."""
    return (cell for origin in cells for cell in origin)
