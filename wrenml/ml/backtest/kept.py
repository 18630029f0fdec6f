"""Forecasts made before: kept under a name by the content of all they depend on."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np

from wrenml.executor import Executor
from wrenml.ml.backtest.cells import Cell, Cells
from wrenml.ml.backtest.origins import Origin
from wrenml.ml.envelope import Envelope
from wrenml.ml.kept import Rows, content_of, safe_name

__all__ = ["Kept"]

_MATTER = ("seed", "env", "files", "initializer")  # options of a map that may change what a model returns


class Kept:
    """The forecasts of a backtest that were made before, and those that come.

    Parameters
    ----------
    executor : Executor
        In whose storage they are.
    name : str
        Of the cache: they are under ``backtests/<name>/``.
    cells : Cells
        What is forecast, with which models.
    options : mapping of str to object
        Of the map.

    Raises
    ------
    ConfigError
        If the name can be none.
    SerializationError
        If a model cannot be told from another.
    """

    def __init__(self, executor: Executor, name: str, cells: Cells, options: Mapping[str, Any]) -> None:
        self.name = safe_name(name)
        self._rows = Rows(executor, f"backtests/{self.name}/", "forecasts of a backtest", width=3)
        self._cells = cells
        given = {option: options.get(option) for option in _MATTER}
        whole = content_of([np.__version__, cells.plan.horizon, given], "a backtest")
        self._models = {name: whole + content_of(model, "a backtest") for name, model in cells.models.items()}
        self._origins: dict[tuple[Any, int], str] = {}
        self._found = {row[0]: row[1:] for row in self._rows.read()}

    def find(self, cell: Cell) -> Envelope | None:
        """Return a forecast that was made before; None if it was not."""
        row = self._found.get(self._key(cell))
        return None if row is None else Envelope(np.array(row[0], dtype=np.float64), seconds=row[1])

    def keep(self, cell: Cell, envelope: Envelope) -> None:
        """Keep a forecast, unless it failed: then it may do better another time."""
        if envelope.failure is None:
            self._rows.add([self._key(cell), envelope.value.tolist(), envelope.seconds], envelope.seconds)

    def write(self) -> None:
        """Write the forecasts that are not written yet."""
        self._rows.write()

    def _key(self, cell: Cell) -> str:
        place = cell.origin.group, cell.origin.known
        if place not in self._origins:
            self._origins[place] = self._known(cell.origin)
        return sha256(f"{self._models[cell.model]} {self._origins[place]}".encode()).hexdigest()

    def _known(self, origin: Origin) -> str:
        series, start = self._cells.series[origin.group], self._cells.plan.start(origin.known)
        index = None if series.index is None else series.index[start : origin.known + self._cells.plan.horizon]
        return content_of([series.values[start : origin.known], index], "a backtest")
