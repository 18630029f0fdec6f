"""Calls over time as SVG, for pages that stand alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from wrenml.observe.text import span
from wrenml.reporting.times import CallTimes, running, thinned

__all__ = ["picture"]

_WIDTH, _ROWS_HEIGHT, _COUNT_HEIGHT = 860, 300, 90
_LEFT, _TOP, _GAP, _BOTTOM = 60, 10, 24, 30
_MOST = 1000
_TICKS = 8


def picture(calls: Sequence[CallTimes]) -> str:
    """Draw a line for each call, and below how many ran at a time.

    Parameters
    ----------
    calls : sequence of CallTimes
        At least one. Of more than 1,000 some are left out of the upper part.

    Returns
    -------
    str
        An element ``svg``, whose colours are classes: ``sent``, ``running``, ``failed``, ``axis``.
    """
    begin, end = min(each.sent for each in calls), max(each.ended for each in calls)
    scale = _WIDTH / max(end - begin, 1e-6)
    height = _TOP + _ROWS_HEIGHT + _GAP + _COUNT_HEIGHT + _BOTTOM
    parts = [
        f'<svg viewBox="0 0 {_LEFT + _WIDTH + 20} {height}" role="img" aria-label="calls over time">',
        *_axis((end - begin), scale, height - _BOTTOM),
        *_rows(thinned(calls, _MOST), begin, scale),
        *_counts(running(calls), begin, scale),
        "</svg>",
    ]
    return "\n".join(parts)


def _rows(calls: Sequence[CallTimes], begin: float, scale: float) -> Iterable[str]:
    first, last = calls[0].call, calls[-1].call
    step = _ROWS_HEIGHT / (last - first + 1)
    thick = min(14.0, max(1.0, 0.8 * _ROWS_HEIGHT / len(calls)))
    lines: dict[str, list[str]] = {"sent": [], "running": [], "failed": []}
    for each in calls:
        row = _TOP + (each.call - first + 0.5) * step
        at = [_LEFT + (time - begin) * scale for time in (each.sent, each.started, each.ended)]
        lines["sent"].append(f"M{at[0]:.1f} {row:.1f}H{at[1]:.1f}")
        # What is too short to be seen is there all the same.
        lines["failed" if each.failed else "running"].append(f"M{at[1]:.1f} {row:.1f}H{max(at[2], at[1] + 1):.1f}")
    for name, parts in lines.items():
        if parts:
            yield f'<path class="{name}" stroke-width="{thick:.1f}" d="{"".join(parts)}"/>'
    yield _text(_LEFT - 8, _TOP + 10, f"{first:,}", "end")
    yield _text(_LEFT - 8, _TOP + _ROWS_HEIGHT, f"{last:,}", "end")
    yield _text(_LEFT - 8, _TOP + _ROWS_HEIGHT / 2, "call", "end")


def _counts(steps: Sequence[tuple[float, int]], begin: float, scale: float) -> Iterable[str]:
    most = max(1, *(count for _, count in steps))  # calls may end at the instant they start, as far as clocks tell
    bottom = _TOP + _ROWS_HEIGHT + _GAP + _COUNT_HEIGHT
    # Of changes within a pixel the highest shows.
    columns: dict[int, int] = {}
    count = 0
    for time, after in steps:
        column = int((time - begin) * scale)
        columns[column] = max(columns.get(column, count), after)
        count = after
    ends = {int((time - begin) * scale): after for time, after in steps}
    corners = [(column, value) for column, highest in columns.items() for value in (highest, ends[column])]
    path = [f"M{_LEFT} {bottom}", *(f"H{_LEFT + x}V{bottom - y * _COUNT_HEIGHT / most:.1f}" for x, y in corners)]
    yield f'<path class="area" d="{"".join(path)}V{bottom}Z"/>'
    yield _text(_LEFT - 8, bottom - _COUNT_HEIGHT + 10, f"{most:,}", "end")
    yield _text(_LEFT - 8, bottom - _COUNT_HEIGHT / 2 + 6, "running", "end")
    yield _text(_LEFT - 8, bottom, "0", "end")


def _axis(seconds: float, scale: float, bottom: float) -> Iterable[str]:
    step = _round(seconds / _TICKS)
    for number in range(int(seconds / step) + 1):
        x = _LEFT + number * step * scale
        yield f'<path class="axis" d="M{x:.1f} {_TOP}V{bottom}"/>'
        yield _text(x, bottom + 18, span(number * step) if number else "0", "middle")


def _round(value: float) -> float:
    """The next of 1, 2, 5, 10, …; from half a minute on of 1, 2, 5, 10, 30 minutes and whole hours."""
    minute, hour = 60.0, 3600.0
    if value > minute / 2:
        minutes = (minute * each for each in (1, 2, 5, 10, 30))
        return next((each for each in minutes if each >= value), math.ceil(value / hour) * hour)
    power = 10.0 ** math.floor(math.log10(max(value, 1e-6)))
    return next((power * each for each in (1, 2, 5) if power * each >= value), power * 10)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'
