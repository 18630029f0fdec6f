"""Calls over time, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wrenml.errors import ConfigError, NotSupportedError
from wrenml.reporting.times import CallTimes, running, thinned

__all__ = ["draw"]

_COLOURS = {"waiting": "#c3ccd5", "running": "#2f6fb0", "failed": "#c23b3b"}
_ROWS = 2000
_COLUMNS = 800


def draw(calls: Sequence[CallTimes], title: str) -> Any:  # noqa: ANN401  # matplotlib has no types
    """Draw a line for each call, and below how many ran at a time.

    Parameters
    ----------
    calls : sequence of CallTimes
        At least one.
    title : str
        Above it.

    Returns
    -------
    matplotlib.figure.Figure
        With two axes, which share the seconds since the first call was sent. Of more than 2,000 calls some are left out
        of the upper one.

    Raises
    ------
    ConfigError
        If no call has run.
    NotSupportedError
        If there is no matplotlib.
    """
    if not calls:
        raise ConfigError("no call has run so far, so there is no time to draw: wait for results first")
    figure, (above, below) = _axes()
    begin = min(each.sent for each in calls)
    least = (max(each.ended for each in calls) - begin) / _COLUMNS  # or short calls would not be seen
    shown = thinned(calls, _ROWS)
    lines = {
        "waiting": [(each.call, each.sent, each.started) for each in shown],
        "running": [
            (each.call, each.started, max(each.ended, each.started + least)) for each in shown if not each.failed
        ],
        "failed": [(each.call, each.started, max(each.ended, each.started + least)) for each in shown if each.failed],
    }
    width = min(6.0, max(0.5, 250 / len(shown)))
    for name, parts in lines.items():
        if parts:
            rows, starts, ends = zip(*parts, strict=True)
            above.hlines(
                rows, [at - begin for at in starts], [at - begin for at in ends],
                colors=_COLOURS[name], linewidth=width, label=name,
            )  # fmt: skip
    above.invert_yaxis()
    above.set_ylabel("call")
    above.set_title(title if len(shown) == len(calls) else f"{title} ({len(shown):,} of {len(calls):,} shown)")
    figure.legend(loc="outside lower center", ncols=len(_COLOURS), fontsize="small", frameon=False)
    times, counts = zip(*running(calls), strict=True)
    below.step([time - begin for time in times], counts, where="post", color=_COLOURS["running"])
    below.set_ylim(bottom=0)
    below.yaxis.get_major_locator().set_params(integer=True)
    below.set_ylabel("running")
    below.set_xlabel("seconds")
    return figure


def _axes() -> Any:  # noqa: ANN401  # matplotlib has no types
    try:
        from matplotlib import pyplot as plt  # noqa: PLC0415  # slow to load, and optional
    except ImportError as error:
        raise NotSupportedError(
            "timeline() needs matplotlib, which cannot be imported: pip install 'wrenml[plot]'; report() does without"
        ) from error
    return plt.subplots(2, 1, sharex=True, height_ratios=[3, 1], figsize=(9, 6), layout="constrained")
