"""What became of one forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Failure", "Record"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no forecast.

    Parameters
    ----------
    type : str
        Of the exception, with its module unless it is a builtin.
    message : str
        Its message.
    traceback : str
        As the worker's interpreter prints it; empty where the model was not called.
    """

    type: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """What became of one model in one group from one cutoff.

    Parameters
    ----------
    model : str
        Its name.
    group : object
        Whose series.
    cutoff : object
        The last known time, or the number of known values where the series has no times.
    known : int
        How many values of the series come before the forecast.
    forecast : ndarray of shape (horizon,), optional
        None if the model failed.
    actual : ndarray of shape (horizon,)
        What came after; NaN where that is missing, or after the end of the series.
    scale : float
        Of `mase`; NaN if it is not known.
    seconds : float
        That the model took.
    error : Failure, optional
        Default: it did not fail.
    reused : bool
        Whether it was made before, and found in the cache.
    """

    model: str
    group: Any
    cutoff: Any
    known: int
    forecast: Any
    actual: Any
    scale: float
    seconds: float = 0.0
    error: Failure | None = None
    reused: bool = False
