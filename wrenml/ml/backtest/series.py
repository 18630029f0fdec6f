"""Reading series: whatever they come as, values and times as arrays, by group."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wrenml.errors import ConfigError

__all__ = ["Columns", "Series", "read"]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One series.

    Parameters
    ----------
    values : ndarray of shape (n,), float64
        NaN where one is missing.
    index : ndarray of shape (n,), optional
        Times, rising.
    """

    values: Any
    index: Any = None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a frame: group, value and, if it is not the order of the rows, time."""

    group: str | list[str] | None
    target: str | None
    time: str | None


def read(series_by_group: Any, columns: Columns, groups: Iterable[Any] | None) -> dict[Any, Series]:
    """Return the series of each group.

    Parameters
    ----------
    series_by_group : mapping or pandas.DataFrame
        Group to numbers, an array or `pandas.Series`; or a row for each group and time.
    columns : Columns
        Of the frame.
    groups : iterable, optional
        Those that are wanted. Default: all.

    Raises
    ------
    ConfigError
        If there is no series, an unknown group is wanted, or a series is not one of finite or missing numbers in the
        order of time.
    """
    if hasattr(series_by_group, "groupby") and hasattr(series_by_group, "columns"):
        found = _of_frame(series_by_group, columns)
    elif isinstance(series_by_group, Mapping):
        if columns != Columns(None, None, None):
            raise ConfigError("group=, target= and time= name columns of a DataFrame; a dict of series has none")
        found = dict(series_by_group)
    else:
        raise ConfigError(
            f"series_by_group is a {type(series_by_group).__name__}: give a dict, group to 1-d array, or a DataFrame "
            "with group=, target= and time="
        )
    wanted = list(found) if groups is None else list(groups)
    if not wanted:
        raise ConfigError("there is no series: series_by_group is empty, or groups= is")
    times: dict[tuple[str, bytes], Any] = {}
    return {group: _checked(group, _get(found, group), times) for group in wanted}


def _get(found: Mapping[Any, Any], group: Any) -> Any:
    if group in found:
        return found[group]
    near = difflib.get_close_matches(str(group), [str(each) for each in found], 1)
    hint = f"is it {near[0]!r}?" if near else f"there are {len(found)}, the first is {next(iter(found), None)!r}"
    raise ConfigError(f"there is no group {group!r}: {hint}")


def _of_frame(frame: Any, columns: Columns) -> dict[Any, Any]:
    keys = [columns.group] if isinstance(columns.group, str) else list(columns.group or ())
    if not keys:
        raise ConfigError("say which column of the DataFrame tells groups apart: group=")
    others = [name for name in frame.columns if name not in keys and name != columns.time]
    target = columns.target if columns.target is not None or len(others) != 1 else others[0]
    if target is None:
        raise ConfigError(f"say which column of the DataFrame is to be forecast: target=, one of {others}")
    for name in (*keys, target, *([columns.time] if columns.time else ())):
        if name not in frame.columns:
            raise ConfigError(f"the DataFrame has no column {name!r}: it has {list(frame.columns)}")
    if columns.time is not None:
        frame = frame.sort_values(columns.time, kind="stable")
    return {
        key[0] if isinstance(key, tuple) and len(keys) == 1 else key: Series(
            part[target].to_numpy(), None if columns.time is None else part[columns.time].to_numpy()
        )
        for key, part in frame.groupby(keys, sort=True, observed=True, dropna=False)
    }


def _checked(group: Any, given: Any, times: dict[tuple[str, bytes], Any]) -> Series:
    index = None
    if isinstance(given, Series):
        given, index = given.values, given.index
    elif hasattr(given, "index") and hasattr(given, "to_numpy"):
        kept = given.index
        index = None if type(kept).__name__ == "RangeIndex" else kept.to_numpy()
    try:
        values = np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the series of group {group!r} is not made of numbers: {error}") from None
    if values.ndim != 1:
        raise ConfigError(f"the series of group {group!r} has shape {values.shape}: give one dimension")
    infinite = np.flatnonzero(np.isinf(values))
    if infinite.size:
        raise ConfigError(f"the series of group {group!r} has an infinite value, at {infinite[0]}")
    if index is None:
        return Series(values)
    if not np.all(index[1:] > index[:-1]):
        wrong = int(np.argmin(index[1:] > index[:-1]))
        raise ConfigError(
            f"the times of group {group!r} do not rise: {index[wrong]} is followed by {index[wrong + 1]}. Sort them, "
            "and keep one value for each time."
        )
    # Most groups have the same times: one array is sent once.
    key = (index.dtype.str, index.tobytes())
    return Series(values, index if index.dtype.hasobject else times.setdefault(key, index))
