"""How wrong forecasts are: the smaller, the better."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np

from wrenml.errors import ConfigError

__all__ = ["DEFAULT", "Metrics", "mae", "mase", "named", "pinball", "rmse", "scale_of", "score", "smape"]

Metrics = Mapping[str, Callable[..., float]]

DEFAULT: Final = ("mae", "rmse", "mase", "smape")


def mae(actual: Any, forecast: Any) -> float:
    """Mean absolute error: mean of \\|actual - forecast\\|, in the series' unit.

    Parameters
    ----------
    actual, forecast : ndarray of shape (n,)
        Finite.
    """  # noqa: D301  # the bars are the formula's
    return float(np.mean(np.abs(actual - forecast)))


def rmse(actual: Any, forecast: Any) -> float:
    """Root of the mean squared error, in the series' unit; parameters as for `mae`."""
    return float(np.sqrt(np.mean((actual - forecast) ** 2)))


def smape(actual: Any, forecast: Any) -> float:
    """Symmetric mean absolute percentage error, 0 to 200; parameters as for `mae`.

    The mean of ``200 |actual - forecast| / (|actual| + |forecast|)``, 0 where both are 0: the M4 competition's
    (Makridakis, Spiliotis and Assimakopoulos, International Journal of Forecasting 36, 2020).
    """
    size = np.abs(actual) + np.abs(forecast)
    return float(np.mean(200 * np.abs(actual - forecast) / np.where(size == 0, 1, size)))


def mase(actual: Any, forecast: Any, scale: Any) -> float:
    """Mean absolute scaled error: below 1 is better than the naive forecast was on what was known.

    Hyndman and Koehler, International Journal of Forecasting 22, 2006.

    Parameters
    ----------
    actual, forecast : ndarray of shape (n,)
        Finite.
    scale : float or ndarray of shape (n,)
        Mean absolute error of the naive forecast, seasonal if the series is, within the training values.

    Returns
    -------
    float
        NaN if a scale is 0 or NaN: the training values are constant, or too few.
    """
    scales = np.broadcast_to(np.asarray(scale, dtype=float), np.shape(actual))
    return float(np.mean(np.abs(actual - forecast) / np.where(scales == 0, np.nan, scales)))


def pinball(actual: Any, forecast: Any, quantile: float) -> float:
    """Loss of a forecast of a quantile (Koenker and Bassett, Econometrica 46, 1978); half the `mae` for the median.

    Give it to `backtest` as ``metrics={"p90": functools.partial(pinball, quantile=0.9)}``.

    Parameters
    ----------
    actual, forecast : ndarray of shape (n,)
        Finite.
    quantile : float
        Between 0 and 1.
    """
    error = actual - forecast
    return float(np.mean(np.maximum(quantile * error, (quantile - 1) * error)))


_KNOWN: Final[Metrics] = {"mae": mae, "rmse": rmse, "mase": mase, "smape": smape}


def named(metrics: Iterable[str] | Metrics) -> Metrics:
    """Return metrics by name.

    Parameters
    ----------
    metrics : iterable of str, or mapping of str to callable
        Names of metrics that are there; or functions of actual values and forecasts, and of the scale where they have
        a parameter of that name.

    Raises
    ------
    ConfigError
        If there is none of that name, or one cannot be called.
    """
    if isinstance(metrics, str):
        metrics = [metrics]
    if not isinstance(metrics, Mapping):
        names = list(metrics)
        for name in names:
            if name not in _KNOWN:
                raise ConfigError(
                    f"there is no metric {name!r}: choose from {', '.join(_KNOWN)}, or give a dict of functions, "
                    "name to fn(actual, forecast)"
                )
        metrics = {name: _KNOWN[name] for name in names}
    for name, metric in metrics.items():
        if not callable(metric):
            raise ConfigError(f"the metric {name!r} is {metric!r}: give a function fn(actual, forecast)")
    return dict(metrics)


def scale_of(train: Any, period: int) -> float:
    """Return the scale of `mase`: the seasonal naive forecast's mean absolute error within the training values.

    Parameters
    ----------
    train : ndarray of shape (n,)
        Differences with a missing value count for nothing.
    period : int
        Steps of a season; 1 for none.

    Returns
    -------
    float
        NaN if nothing is known of it.
    """
    differences = np.abs(train[period:] - train[:-period])
    there = differences[~np.isnan(differences)]
    return float(there.mean()) if there.size else float("nan")


def score(metric: Callable[..., float], actual: Any, forecast: Any, scale: Any) -> float:
    """Return a metric over the steps of some forecasts whose actual value is known.

    Parameters
    ----------
    metric : callable
        One of `named`.
    actual, forecast, scale : ndarray of shape (n,)
        Actual values may be missing.

    Returns
    -------
    float
        NaN if there is no step.
    """
    there = ~np.isnan(actual)
    if not there.any():
        return float("nan")
    scaled = partial(metric, scale=scale[there]) if _is_scaled(metric) else metric
    return float(scaled(actual[there], forecast[there]))


def _is_scaled(metric: Callable[..., float]) -> bool:
    try:
        return "scale" in inspect.signature(metric).parameters
    except (TypeError, ValueError):  # builtins tell nothing
        return False
