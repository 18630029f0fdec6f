"""scikit-learn's regressors as forecasters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

__all__ = ["Lagged"]


class Lagged:
    """Forecasts with a regressor over earlier values, one step after the other.

    Each step's forecast is among the earlier values of the next one.

    Parameters
    ----------
    estimator : estimator
        With scikit-learn's `fit` and `predict`; copied for each forecast.
    lags : int or iterable of int
        How many steps before the value that its features lie: ``range(1, 15)`` for two weeks of days. A number means
        all from 1 to that.
    features : callable, optional
        Called with an array of times, returns an array with a row of further features for each: of the calendar, say.

    Raises
    ------
    ValueError
        If there is no lag, or one is below 1.
    """

    def __init__(self, estimator: Any, lags: int | Iterable[int], features: Callable[[Any], Any] | None = None) -> None:
        self.estimator = estimator
        self.lags = np.unique(np.arange(1, lags + 1) if isinstance(lags, int) else np.array(list(lags), dtype=int))
        self.features = features
        if not self.lags.size or self.lags[0] < 1:
            raise ValueError(f"lags={lags!r}: give at least one, each 1 or more")

    def __call__(self, train: Any, horizon: int, index: Any, future_index: Any) -> Any:
        """Fit to the training values, and forecast.

        Parameters
        ----------
        train : ndarray of shape (n,)
            More than the greatest lag.
        horizon : int
            How many steps.
        index, future_index : ndarray of shape (n,) and (horizon,), or None
            Times of the training values and of the steps.

        Returns
        -------
        ndarray of shape (horizon,)

        Raises
        ------
        ValueError
            If too few values are known; or there are features, and no times or no array of the right shape.
        """
        longest = int(self.lags[-1])
        if len(train) <= longest:
            raise ValueError(f"lags reach {longest} values back, and only {len(train)} are known")
        rows = np.arange(longest, len(train))
        past, coming = self._of_times(index, len(train)), self._of_times(future_index, horizon)
        model = copy.deepcopy(self.estimator)
        model.fit(np.hstack([train[rows[:, None] - self.lags], past[longest:]]), train[longest:])
        values = np.concatenate([train, np.empty(horizon)])
        for step in range(horizon):
            place = len(train) + step
            values[place] = model.predict(np.hstack([values[place - self.lags], coming[step]])[None, :])[0]
        return values[len(train) :]

    def __repr__(self) -> str:
        return f"Lagged({self.estimator!r}, {self.lags.tolist()})"

    def _of_times(self, times: Any, count: int) -> Any:
        if self.features is None:
            return np.empty((count, 0))
        if times is None:
            raise ValueError("features are made of times, and the series has none, or too few for the horizon")
        made = np.asarray(self.features(times), dtype=float)
        made = made[:, None] if made.ndim == 1 else made
        if len(made) != count:
            raise ValueError(f"features() returned {len(made)} rows for {count} times")
        return made
