"""What is invoked, and the times that hold there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from wrenml.costs import Prices

__all__ = ["SKEW", "Target"]

SKEW = 90.0  # seconds that clocks and the last write may take beyond the time a request has


class Target(NamedTuple):
    """What is invoked.

    Parameters
    ----------
    functions : mapping of int to str
        The function of each memory size, MB.
    alias : str
        The version.
    timeout : float
        Limit of an invocation, seconds.
    start_by : float
        Seconds an invocation may wait for its start.
    owner : str
        The account that owns the bucket.
    skew : float
        Seconds that clocks and the last write may take beyond the time a request has.
    time : callable
        AWS's time, seconds since the epoch.
    prices : Prices, optional
        Of the region. Default: those of us-east-1.
    """

    functions: Mapping[int, str]
    alias: str
    timeout: float
    start_by: float
    owner: str = ""
    skew: float = SKEW
    time: Callable[[], float] = time.time
    prices: Prices | None = None
