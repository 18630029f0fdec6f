"""Forecasts that any other has to beat (Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Drift", "Mean", "Naive", "SeasonalNaive"]


@dataclass(frozen=True, slots=True)
class Naive:
    """The last value, for every step."""

    def __call__(self, train: Any, horizon: int) -> Any:
        """Forecast.

        Parameters
        ----------
        train : ndarray of shape (n,)
            What is known, at least one value.
        horizon : int
            How many steps.

        Returns
        -------
        ndarray of shape (horizon,)
        """
        return np.full(horizon, train[-1])


@dataclass(frozen=True, slots=True)
class SeasonalNaive:
    """The value of the same place in the last season that is known.

    Parameters
    ----------
    period : int
        Steps of a season: 7 for days with a week's pattern.
    """

    period: int

    def __post_init__(self) -> None:
        if self.period < 1:
            raise ValueError(f"period={self.period!r}: give 1 or more")

    def __call__(self, train: Any, horizon: int) -> Any:
        """Forecast; parameters as for `Naive`.

        Raises
        ------
        ValueError
            If less than a season is known.
        """
        if len(train) < self.period:
            raise ValueError(f"a season has {self.period} values, and only {len(train)} are known")
        return train[len(train) - self.period + np.arange(horizon) % self.period]


@dataclass(frozen=True, slots=True)
class Drift:
    """The line from the first value through the last."""

    def __call__(self, train: Any, horizon: int) -> Any:
        """Forecast; parameters as for `Naive`.

        Raises
        ------
        ValueError
            If less than two values are known.
        """
        if len(train) < 2:  # noqa: PLR2004  # a line has two points
            raise ValueError("a line needs two values, and only one is known")
        slope = (train[-1] - train[0]) / (len(train) - 1)
        return train[-1] + slope * np.arange(1, horizon + 1)


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean, for every step.

    Parameters
    ----------
    last : int, optional
        Of so many last values. Default: of all.
    """

    last: int | None = None

    def __post_init__(self) -> None:
        if self.last is not None and self.last < 1:
            raise ValueError(f"last={self.last!r}: give 1 or more, or None")

    def __call__(self, train: Any, horizon: int) -> Any:
        """Forecast; parameters as for `Naive`."""
        return np.full(horizon, np.mean(train if self.last is None else train[-self.last :]))
