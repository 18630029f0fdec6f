"""Models for backtests, in a module that workers load fast."""

# ruff: noqa: ANN401  # arrays have no types here

from __future__ import annotations

import os
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any, Self

import numpy as np


class LeastSquares:
    """Linear regression without intercept, as scikit-learn's estimators are."""

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803  # X is scikit-learn's name
        self.coef = np.linalg.lstsq(X, y)[0]
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803  # as above
        return X @ self.coef


def weekday(times: Any) -> Any:
    return np.eye(7)[(times.astype("datetime64[D]").astype(int) + 3) % 7]


def fails_in_the_north(train: Any, horizon: int) -> Any:
    if train.mean() < 65 and train.mean() > 35:
        raise LookupError("no model of the north")
    return np.zeros(horizon)


class Nosy:
    """Looks for more than it is given, and changes all it has."""

    calls = 0

    def __call__(self, train: Any, horizon: int, index: Any, future_index: Any) -> Any:
        assert self.calls == 0
        self.calls += 1
        assert train.base is None
        assert index.base is None
        assert (len(index), len(future_index)) == (len(train), horizon)
        assert future_index[0] - index[-1] == np.timedelta64(1, "D")
        known = len(train)
        train[:] = -1
        index[:] = index[0]
        return np.full(horizon, known)


def dies(train: Any, horizon: int) -> Any:  # noqa: ARG001  # what models are given
    os._exit(3)


def warns(train: Any, horizon: int) -> Any:
    warnings.warn(f"{len(train)} values", UserWarning, stacklevel=1)
    return np.full(horizon, train[-1])


class Waits:
    """Forecasts once for all, and waits ever after."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __call__(self, train: Any, horizon: int) -> Any:
        try:
            Path(self.path).mkdir()
        except FileExistsError:
            threading.Event().wait()
        return train[-horizon:]


class Counts:
    """Leaves a file for each time it is called."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, train: Any, horizon: int) -> Any:
        os.close(tempfile.mkstemp(dir=self.folder)[0])
        return np.full(horizon, train[-1])
