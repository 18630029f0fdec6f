"""What progress looks like, as text: pure functions of counts and a width."""

from __future__ import annotations

from dataclasses import dataclass

from wrenml.costs import FREE, Cost, in_dollars

__all__ = ["Counts", "bar_line", "count_line", "first_line", "last_line", "plural", "rate", "span"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_LEAST_BAR, _MOST_BAR = 8, 30
_PREFIX = 8  # characters of a job id that nearly always name it
_FRESH = 0.2  # seconds after which a rate means something
# In the order in which they are left out where there is no room.
_LEFT_OUT = ("queued", "running", "rate", "retried", "spent", "throttled", "ETA", "failed", "cancelled")


@dataclass(slots=True)
class Counts:
    """What is known of one job, or of several together.

    `seconds` is how long calls ran, `elapsed` the time since the start; `total` is None while more may come;
    `spent` is in dollars, None where calls cost nothing; `throttled` whether Lambda takes no more for the moment.
    """

    total: int | None = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0
    workers: int = 1
    seconds: float = 0.0
    elapsed: float = 0.0
    spent: float | None = None
    throttled: bool = False

    @property
    def done(self) -> int:
        """How many calls have their outcomes."""
        return self.succeeded + self.failed + self.cancelled


def span(seconds: float) -> str:
    """Write a duration: ``1.3 ms``, ``0.42 s``, ``12.3 s``, ``3 min 05 s``, ``2 h 10 min``, ``3 d 4 h``."""
    if seconds < 0.1:  # noqa: PLR2004 - below, hundredths tell nothing
        return f"{1000 * seconds:.1f} ms"
    if seconds < 10:  # noqa: PLR2004 - below, two decimals tell something
        return f"{seconds:.2f} s"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    if seconds < _HOUR:
        return f"{int(seconds) // _MINUTE} min {int(seconds) % _MINUTE:02d} s"
    if seconds < _DAY:
        return f"{int(seconds) // _HOUR} h {int(seconds) % _HOUR // _MINUTE:02d} min"
    hours = int(seconds) % _DAY // _HOUR
    return f"{int(seconds) // _DAY} d {hours} h" if hours else f"{int(seconds) // _DAY} d"


def rate(count: int, seconds: float) -> str:
    """Write how fast calls end: ``1,234/s``, ``3.4/s``, ``12/min``, ``30/h``."""
    if seconds <= 0:
        return "0/s"
    per_second = count / seconds
    if per_second >= 10:  # noqa: PLR2004 - below, a decimal tells something
        return f"{per_second:,.0f}/s"
    if per_second >= 1:
        return f"{per_second:.1f}/s"
    if per_second * _MINUTE >= 1:
        return f"{per_second * _MINUTE:.0f}/min"
    return f"{per_second * _HOUR:.0f}/h"


def plural(count: int, noun: str) -> str:
    """Write a number of things: ``1 call``, ``1,200 calls``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def first_line(job: str, name: str, total: int | None, backend: str, workers: int, estimate: str = "") -> str:
    """What a job is, in one line."""
    calls = "a stream of calls" if total is None else plural(total, "call")
    where = backend if backend == "inline" else f"{backend}, {plural(workers, 'worker')}"
    cost = f" · {estimate}" if estimate else ""
    return f"wrenml: job {job} · {name} · {calls} · {where}{cost}"


def bar_line(counts: Counts, columns: int, *, label: str = "", ascii_only: bool = False) -> str:
    """Where the calls are, in one line.

    Parameters
    ----------
    counts : Counts
        Of one job, or of several.
    columns : int
        The most characters; what matters least is left out first.
    label : str
        What the counts are of, where it is not one job.
    ascii_only : bool, default False
        For streams that cannot encode anything else.
    """
    separator = " - " if ascii_only else " · "
    parts = _parts(counts, label)
    for name in ("", *_LEFT_OUT):
        parts.pop(name, None)
        text = separator.join(parts.values())
        room = columns - len(text) - 1
        if counts.total is None:
            if room >= -1:
                return text
        elif room >= _LEAST_BAR:
            return f"{_bar(counts, min(room, _MOST_BAR), ascii_only=ascii_only)} {text}"
    return separator.join(parts.values())[:columns]


def count_line(counts: Counts) -> str:
    """Say the same without a bar, however long."""
    return " · ".join(_parts(counts, "").values()).lstrip()


def _parts(counts: Counts, label: str) -> dict[str, str]:
    total, done = counts.total, counts.done
    parts = {"label": label} if label else {}
    if total is None:
        parts["done"] = f"{done:,} done"
    else:
        left = total - done
        running = min(counts.workers, left)
        parts["percent"] = f"{100 * done // max(total, 1):3d} %"
        parts["done"] = f"{done:,}/{total:,} done"
        if left:
            parts |= {"running": f"{running:,} running", "queued": f"{left - running:,} queued"}
    for name in ("failed", "cancelled", "retried"):
        if number := getattr(counts, name):
            parts[name] = f"{number:,} {name}"
    if counts.throttled:
        parts["throttled"] = "throttled"
    if done and counts.elapsed > _FRESH:
        parts["rate"] = rate(done, counts.elapsed)
        if total is not None and total > done:
            parts["ETA"] = f"ETA {_rough(counts.elapsed * (total - done) / done)}"
    if counts.spent is not None:
        parts["spent"] = in_dollars(counts.spent)
    return parts


def _rough(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _MINUTE else span(seconds)


def _bar(counts: Counts, width: int, *, ascii_only: bool) -> str:
    filled = width * counts.done // max(counts.total or 0, 1)
    if ascii_only:
        return "#" * filled + "." * (width - filled)
    return "█" * filled + "░" * (width - filled)


def last_line(job: str, name: str, counts: Counts, cost: Cost = FREE) -> str:
    """What became of a job, in one line: wall time, speed-up over one call after another, cost, failures."""
    wall, did = counts.elapsed, counts.succeeded + counts.failed
    if counts.cancelled:
        parts = [f"wrenml: {name} cancelled after {span(wall)}", f"{did:,} of {counts.done:,} calls done"]
    else:
        parts = [f"wrenml: {name} done in {span(wall)}", plural(did, "call")]
    if did and wall > 0 and counts.seconds > 0 and not counts.cancelled:
        parts.append(f"{counts.seconds / wall:.1f}× serial ({span(counts.seconds)})")
    if cost.priced_on:
        parts.append(f"{cost} ({cost.gb_seconds:,.0f} GB-s)")
    if counts.retried:
        parts.append(f"{counts.retried:,} run again")
    if counts.failed or not counts.cancelled:
        parts.append(f"{counts.failed:,} failed" if counts.failed else "no failures")
    text = " · ".join(parts)
    return f"{text}: wrenml show {job[:_PREFIX]}" if counts.failed or counts.cancelled else text
