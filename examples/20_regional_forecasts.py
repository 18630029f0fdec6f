"""Forecasts of 51 regions out of a SQLite file that each worker gets: start-up, exceptions, the serial switch."""

from __future__ import annotations

import sqlite3
from contextlib import chdir
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from wrenml import default_executor, inline_executor

DATA = Path(__file__).parent / "data" / "births.csv.xz"
HORIZON, YEAR = 28, 364


def connect() -> None:
    """Open the file once for each worker: it is in the folder where calls run."""
    global base  # noqa: PLW0603  # a worker keeps it for the calls that follow
    base = sqlite3.connect("births.sqlite")


def disconnect() -> None:
    """Close it when the worker turns to other work."""
    base.close()


def miss(state: str, ago: int) -> float:
    """Forecast four weeks that ended so many days ago; return the mean error in percent."""
    rows = base.execute("SELECT births FROM births WHERE state = ? ORDER BY date", [state])
    known = np.array([count for (count,) in rows], float)
    if not known.size:
        raise LookupError(f"no births are known of {state}")
    known, actual = np.split(known[: known.size - ago], [-HORIZON])
    lagged = np.lib.stride_tricks.sliding_window_view(known, YEAR)[:, [0, 7, 14, *range(YEAR - 56, YEAR - 27, 7)]]
    weights = np.linalg.lstsq(lagged[:-HORIZON], known[YEAR - 1 + HORIZON :])[0]
    return float(100 * np.abs(lagged[-HORIZON:] @ weights - actual).mean() / actual.mean())


if __name__ == "__main__":
    table = pd.read_csv(DATA).melt("date", var_name="state", value_name="births").set_index("state")
    jobs = list(product([*table.index.unique(), "XX"], range(0, 8 * 91, 91)))
    options = {"files": ["births.sqlite"], "initializer": connect, "finalizer": disconnect, "chunksize": 16}
    with TemporaryDirectory() as folder, chdir(folder):
        with sqlite3.connect("births.sqlite") as file:
            table.to_sql("births", file)

        with default_executor() as executor:
            futures = executor.starmap(miss, jobs, **options)
            for number, future in enumerate(futures.as_completed(), 1):
                if number % 100 == 0:
                    print(f"{number} forecasts; {future.exception() or f'the last misses by {future.result():.1f} %'}")
            misses = dict(futures.results(errors="skip"))
        print(
            f"{len(misses)} regional models miss by {np.mean([*misses.values()]):.1f} %; the talk: hundreds a backtest"
        )
        failed = {str(error) for error in futures.exceptions() if error}
        print("failed:", *failed)

        with inline_executor() as serial:  # WRENML_BACKEND=inline is the switch for all that is not told otherwise
            few = serial.starmap(miss, jobs[:8], **options).results()
        assert np.allclose(few, [misses[place] for place in range(8)])
    assert failed == {"no births are known of XX"}
