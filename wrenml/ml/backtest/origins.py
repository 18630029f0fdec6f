"""Where in the past forecasts are made from, and what is known there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from wrenml.errors import ConfigError
from wrenml.ml.backtest.series import Series

__all__ = ["Origin", "Plan", "at_least_one", "origins_of"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is forecast from where.

    Parameters
    ----------
    horizon : int
        Steps that are forecast.
    window : int or "expanding"
        Values that a model is given: so many last ones, or all.
    step : int, optional
        Values from one cutoff to the next. Default: `horizon`.
    min_train : int, optional
        Least number of known values. Default: `window` if it is a number, else 1.

    Raises
    ------
    ConfigError
        If one of them cannot be meant.
    """

    horizon: int
    window: int | str = "expanding"
    step: int | None = None
    min_train: int | None = None

    def __post_init__(self) -> None:
        if self.window != "expanding":
            at_least_one("window", self.window, ', or "expanding"')
        at_least_one("horizon", self.horizon)
        for name in ("step", "min_train"):
            if getattr(self, name) is not None:
                at_least_one(name, getattr(self, name))

    @property
    def least(self) -> int:
        """Least number of known values."""
        if self.min_train is not None:
            return self.min_train
        return 1 if isinstance(self.window, str) else self.window

    def start(self, known: int) -> int:
        """Where the training values begin."""
        return 0 if isinstance(self.window, str) else max(0, known - self.window)


@dataclass(frozen=True, slots=True)
class Origin:
    """A point in the past of a group.

    Parameters
    ----------
    group : object
        Whose.
    known : int
        How many values of the series are known; less than 1 or the whole series where it lies outside.
    cutoff : object
        Its name: the last known time, or the number of known values where the series has no times.
    """

    group: Any
    known: int
    cutoff: Any


def at_least_one(name: str, value: Any, more: str = "") -> None:
    """Check that a parameter is a whole number of 1 or more.

    Parameters
    ----------
    name : str
        Of the parameter.
    value : object
        Given.
    more : str
        What else is allowed.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise ConfigError(f"{name}={value!r}: give a whole number of 1 or more{more}")


def origins_of(series: Mapping[Any, Series], cutoffs: Any, plan: Plan) -> list[list[Origin]]:
    """Return the origins of each group, in the order of time.

    Parameters
    ----------
    series : mapping
        Group to series.
    cutoffs : int, iterable or None
        How many, the last with a whole horizon after it; or numbers of known values, from the end if negative, or
        last known times; or all from the least number of known values on.
    plan : Plan
        How.

    Raises
    ------
    ConfigError
        If a cutoff lies outside of all series, or cannot be understood.
    """
    if cutoffs is None:
        if plan.min_train is None:
            raise ConfigError("cutoffs=None means all from the first on: say with min_train= where that is")
        found = [[_at(group, one, stop) for stop in _all(len(one), plan)] for group, one in series.items()]
        if not any(found):
            raise ConfigError(f"no series has min_train={plan.least} values and horizon={plan.horizon} after them")
        return found
    if type(cutoffs) is not bool and isinstance(cutoffs, Integral):
        at_least_one("cutoffs", cutoffs, ", or a list of cutoffs")
        found = [[_at(group, one, stop) for stop in _last(len(one), cutoffs, plan)] for group, one in series.items()]
    elif isinstance(cutoffs, str | bytes | bool) or not isinstance(cutoffs, Iterable):
        raise ConfigError(f"cutoffs={cutoffs!r}: give how many, or a list of numbers of known values or of times")
    else:
        wanted = list(cutoffs)
        if not wanted:
            raise ConfigError("cutoffs is empty: give how many, or at least one")
        found = [[_of(group, one, cutoff) for cutoff in wanted] for group, one in series.items()]
        for place, cutoff in enumerate(wanted):
            if not any(0 < each[place].known < len(one) for each, one in zip(found, series.values(), strict=True)):
                raise ConfigError(
                    f"the cutoff {cutoff!r} lies outside of every series: values must be known before it, and follow it"
                )
    return [sorted(dict.fromkeys(some), key=lambda each: each.known) for some in found]


def _all(length: int, plan: Plan) -> range:
    return range(plan.least, length - plan.horizon + 1, plan.step or plan.horizon)


def _last(length: int, count: Any, plan: Plan) -> range:
    step, last = plan.step or plan.horizon, length - plan.horizon
    return range(last - (int(count) - 1) * step, last + 1, step)


def _at(group: Any, series: Series, known: int) -> Origin:
    has_time = series.index is not None and 0 < known <= len(series)
    return Origin(group, known, series.index[known - 1] if has_time else known)


def _of(group: Any, series: Series, cutoff: Any) -> Origin:
    if isinstance(cutoff, Integral):
        return _at(group, series, len(series) + int(cutoff) if cutoff < 0 else int(cutoff))
    if series.index is None:
        raise ConfigError(f"the cutoff {cutoff!r} is a time, and the series of group {group!r} has none")
    try:
        time = np.asarray(cutoff, dtype=series.index.dtype)
        known = int(np.searchsorted(series.index, time, side="right"))
    except (TypeError, ValueError) as error:
        kind = f"{series.index.dtype} like {series.index[0]!r}"
        raise ConfigError(f"the cutoff {cutoff!r} is not a time of group {group!r}, {kind}: {error}") from None
    return Origin(group, known, time[()])
