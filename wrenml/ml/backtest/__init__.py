"""Backtests: forecasts of many series from many points in the past, compared with what came after.

::

    series_by_group ─▶ origins: what is known at each cutoff ─┐
    models ───────────────────────────────────────────────────┴▶ map over packs of origins ─▶ BacktestResult
                                                                                          records, scores, frames
"""

from __future__ import annotations

from wrenml.ml.backtest.baselines import Drift, Mean, Naive, SeasonalNaive
from wrenml.ml.backtest.lagged import Lagged
from wrenml.ml.backtest.metrics import mae, mase, pinball, rmse, smape
from wrenml.ml.backtest.records import Failure, Record
from wrenml.ml.backtest.result import BacktestResult
from wrenml.ml.backtest.running import backtest

__all__ = [
    "BacktestResult",
    "Drift",
    "Failure",
    "Lagged",
    "Mean",
    "Naive",
    "Record",
    "SeasonalNaive",
    "backtest",
    "mae",
    "mase",
    "pinball",
    "rmse",
    "smape",
]
