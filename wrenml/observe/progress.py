"""The hook that shows how far jobs are: a first line, one bar for all of them, a last line."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass

from wrenml.events import CallsRetried, CallsSettled, CallsThrottled, Event, JobEnded, JobStarted
from wrenml.observe.screen import Screen
from wrenml.observe.text import Counts, bar_line, count_line, first_line, last_line

__all__ = ["Progress"]

_QUIET = 0.5  # seconds for which a job is not worth a word
_REDRAW = 0.1  # seconds between looks at what changed
_ALIVE = 1.0  # seconds between redraws while nothing changes
_LINE_EVERY = 10.0  # seconds between lines about a job whose length is not known
_THROTTLED = 5.0  # seconds for which a throttle is shown
_TENTHS = 10


@dataclass(slots=True, eq=False)
class _Watched:
    start: JobStarted
    began: float
    counts: Counts
    shown: bool = False
    tenth: int = 0
    told: float = 0.0
    throttled: float = -math.inf

    @property
    def asked(self) -> bool:
        return self.start.progress is True

    def tell_first(self) -> str:
        self.shown = True
        start = self.start
        return first_line(start.job, start.name, self.counts.total, start.backend, start.workers, start.estimate)


class Progress:
    """Shows jobs in a terminal or notebook; elsewhere those that ask for it, by a line every 10 %.

    Events only count. A thread of its own draws, ten times a second at most, and lives while there are jobs;
    for inline jobs events draw, so that a debugger is left in peace.

    Parameters
    ----------
    screen : Screen
        Where to.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._lock = threading.Lock()
        self._jobs: dict[str, _Watched] = {}
        self._changed = False
        self._drawn_at = 0.0
        self._thread: threading.Thread | None = None

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, JobStarted):
            self._start(event)
            return
        watched = self._jobs.get(event.job)
        if watched is None:
            return
        with self._lock:
            self._changed = True
            if isinstance(event, CallsSettled):
                self._count(watched, event)
            elif isinstance(event, CallsRetried):
                watched.counts.retried += event.count
            elif isinstance(event, CallsThrottled):
                watched.throttled = time.monotonic()
            else:
                self._end(watched, event)

    def _start(self, event: JobStarted) -> None:
        live = self._screen.live
        if event.progress is False or (event.progress is None and (event.single or not live)):
            return
        counts = Counts(event.total if event.closed else None, workers=event.workers)
        watched = _Watched(event, time.monotonic(), counts)
        with self._lock:
            if watched.asked:
                self._screen.say(watched.tell_first())
            self._jobs[event.job] = watched
            if live and event.backend != "inline" and self._thread is None:
                self._thread = threading.Thread(target=self._draw_on, name="wrenml-progress", daemon=True)
                self._thread.start()

    def _count(self, watched: _Watched, event: CallsSettled) -> None:
        counts = watched.counts
        counts.succeeded += event.succeeded
        counts.failed += event.failed
        counts.cancelled += event.cancelled
        counts.seconds += event.seconds
        counts.spent = counts.spent if event.spent is None else event.spent
        if self._thread is None:
            now = time.monotonic()
            if self._screen.live:
                if now - self._drawn_at >= _REDRAW:
                    self._draw(now)
            else:
                self._tell(watched, now)

    def _end(self, watched: _Watched, event: JobEnded) -> None:
        del self._jobs[event.job]
        if watched.shown:
            watched.counts.elapsed = event.wall
            line = last_line(event.job, watched.start.name, watched.counts, event.cost)
            self._screen.say(line, afresh=watched.counts.cancelled > 0)

    # Where no bar can be drawn

    def _tell(self, watched: _Watched, now: float) -> None:
        counts = watched.counts
        counts.elapsed = now - watched.began
        if counts.total is None:
            due = now - max(watched.told, watched.began) >= _LINE_EVERY
        else:
            tenth = _TENTHS * counts.done // max(counts.total, 1)
            due = watched.tenth < tenth < _TENTHS
            watched.tenth = tenth
        if due:
            watched.told = now
            self._screen.say(f"wrenml: {watched.start.name} {count_line(counts)}")

    # Where it can

    def _draw_on(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(_REDRAW)
            with self._lock:
                if not self._jobs:
                    self._thread = None
                    return
                now = time.monotonic()
                if self._changed or now - self._drawn_at >= _ALIVE:
                    self._draw(now)

    def _draw(self, now: float) -> None:
        visible = []
        for watched in self._jobs.values():
            if not watched.shown and now - watched.began >= _QUIET:
                self._screen.say(watched.tell_first())
            if watched.shown:
                visible.append(watched)
        if not visible:
            return
        self._changed = False
        self._drawn_at = now
        label = "" if len(visible) == 1 else f"{len(visible)} jobs"
        screen = self._screen
        screen.draw(bar_line(_together(visible, now), screen.columns - 1, label=label, ascii_only=screen.ascii_only))


def _together(jobs: list[_Watched], now: float) -> Counts:
    """What several jobs come to; they share their workers."""
    each = [watched.counts for watched in jobs]
    totals = [counts.total for counts in each]
    known = [total for total in totals if total is not None]
    spent = [counts.spent for counts in each if counts.spent is not None]
    return Counts(
        total=sum(known) if len(known) == len(totals) else None,
        succeeded=sum(counts.succeeded for counts in each),
        failed=sum(counts.failed for counts in each),
        cancelled=sum(counts.cancelled for counts in each),
        retried=sum(counts.retried for counts in each),
        workers=max(counts.workers for counts in each),
        elapsed=now - min(watched.began for watched in jobs),
        spent=sum(spent) if spent else None,
        throttled=any(now - watched.throttled < _THROTTLED for watched in jobs),
    )
