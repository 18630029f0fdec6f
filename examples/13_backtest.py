"""A backtest: which forecast of births is best in which state? 51 series of 20 years, from 8 points in their past."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

from wrenml import default_executor, inline_executor
from wrenml.ml.backtest import Lagged, Mean, Naive, SeasonalNaive, backtest

DATA = Path(__file__).parent / "data" / "births.csv.xz"


def calendar(times: np.ndarray) -> np.ndarray:
    """Return features of days: the day of the week, and two waves a year."""
    days = times.astype("datetime64[D]")
    year = 2 * np.pi * (days - days.astype("datetime64[Y]")).astype(float) / 365.25
    week = np.eye(7)[days.astype(int) % 7]
    return np.column_stack([week, np.sin(year), np.cos(year), np.sin(2 * year), np.cos(2 * year)])


MODELS = {
    "yesterday": Naive(),
    "mean of 4 weeks": Mean(28),
    "last week": SeasonalNaive(7),
    "last year": SeasonalNaive(364),
    "regression": Lagged(Ridge(), [1, 2, 7, 14, 28, 364], calendar),
}
SHAPE = {"horizon": 28, "window": 3 * 364, "step": 91, "period": 7}

if __name__ == "__main__":
    births = pd.read_csv(DATA, index_col="date", parse_dates=True)
    print(f"{births.shape[1]} states, {births.size:,} numbers")

    with default_executor() as executor:
        result = backtest(MODELS, dict(births.items()), cutoffs=8, **SHAPE, executor=executor)
        for number, _ in enumerate(result.as_completed(), 1):
            if number % 1000 == 0:
                print(f"{number:,} of {len(result):,} forecasts are here")
        for row in result.scores():
            print(f"{row['model']:15} MASE {row['mase']:.3f}, {row['forecasts']} forecasts of 28 days")

        scores = {(row["group"], row["model"]): row["mase"] for row in result.scores("group", "model")}
        best = Counter(min(MODELS, key=lambda model: scores[state, model]) for state in births)
        print("best in so many states:", dict(best.most_common()))

        with inline_executor() as serial:
            few = backtest(MODELS, dict(births.items()), cutoffs=2, **SHAPE, groups=["CA", "WY"], executor=serial)
        same = {(each.group, each.cutoff, each.model): each.forecast for each in result}
        assert all(np.array_equal(each.forecast, same[each.group, each.cutoff, each.model]) for each in few)
        assert not result.failures
