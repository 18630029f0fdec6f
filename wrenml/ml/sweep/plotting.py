"""A sweep's results drawn over one of its parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from statistics import fmean
from typing import Any, Final

from wrenml.errors import ConfigError, NotSupportedError

__all__ = ["draw"]

_WIDE: Final = 100  # largest over smallest value from which a logarithmic axis shows more


def draw(rows: Sequence[dict[str, Any]], x: str, y: str, hue: str | None, ax: Any) -> Any:
    """Draw a column over another, a line for each value of a third.

    Parameters
    ----------
    rows : sequence of dict
        As `wrenml.ml.sweep.table.rows` makes them.
    x, y, hue : str
        Columns; no `hue` draws one line.
    ax : matplotlib.axes.Axes, optional
        Where to. Default: of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With a point for each row that has a number in `y`, and lines through the means of those at the same `x`.

    Raises
    ------
    ConfigError
        If there is no such column, or nothing to draw.
    NotSupportedError
        If `ax` is not given, and there is no matplotlib.
    """
    for name in (x, y, *([] if hue is None else [hue])):
        if rows and name not in rows[0]:
            raise ConfigError(f"there is no column {name!r}; choose from {', '.join(rows[0])}")
    drawn = [row for row in rows if _is_number(row[y])]
    if not drawn:
        raise ConfigError(f"no row has a number in {y!r}, so there is nothing to draw; .records has the rows")
    axes = _new() if ax is None else ax
    scale = _Scale([row[x] for row in drawn])
    for value in [None] if hue is None else _distinct(row[hue] for row in drawn):
        points = [(scale.at(row[x]), float(row[y])) for row in drawn if hue is None or _same(row[hue], value)]
        _line(axes, points, None if hue is None else f"{value}")
    scale.label(axes)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    left = len(rows) - len(drawn)
    if left:
        axes.set_title(f"{left} of {len(rows)} candidates have no {y}", fontsize="small")
    if hue is not None:
        axes.legend(title=hue)
    return axes


def _new() -> Any:
    try:
        from matplotlib import pyplot as plt  # noqa: PLC0415  # slow to load, and optional
    except ImportError as error:
        raise NotSupportedError(
            "plot() needs matplotlib, which cannot be imported: pip install 'wrenml[plot]'; .records has what to draw"
        ) from error
    return plt.subplots()[1]


def _line(axes: Any, points: Iterable[tuple[float, float]], label: str | None) -> None:
    at: dict[float, list[float]] = {}
    for place, value in sorted(points):
        at.setdefault(place, []).append(value)
    (line,) = axes.plot(list(at), [fmean(values) for values in at.values()], marker="o", markersize=4, label=label)
    several = [(place, value) for place, values in at.items() if len(values) > 1 for value in values]
    if several:
        axes.plot(*zip(*several, strict=True), linestyle="", marker=".", alpha=0.4, color=line.get_color())


class _Scale:
    """Where values stand on an axis: numbers where they are, others in order of appearance."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._names = None if all(_is_number(value) for value in values) else _distinct(values)
        numbers = [float(value) for value in values] if self._names is None else []
        self._wide = bool(numbers) and min(numbers) > 0 and max(numbers) / min(numbers) >= _WIDE

    def at(self, value: Any) -> float:
        if self._names is None:
            return float(value)
        return float(next(i for i, name in enumerate(self._names) if _same(name, value)))

    def label(self, axes: Any) -> None:
        if self._names is not None:
            axes.set_xticks(range(len(self._names)), [str(name) for name in self._names])
        elif self._wide:
            axes.set_xscale("log")


def _is_number(value: Any) -> bool:
    # NaN is nowhere on an axis, and the order of True and False is nobody's.
    return not isinstance(value, bool) and isinstance(value, Real) and not math.isnan(value)


def _distinct(values: Iterable[Any]) -> list[Any]:
    # Lists and arrays are parameters, too, and cannot be hashed.
    found: list[Any] = []
    for value in values:
        if not any(_same(value, each) for each in found):
            found.append(value)
    return found


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)
