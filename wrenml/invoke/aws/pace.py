"""How often to look for outcomes: soon after something was sent or found, seldom while nothing comes, never dearly."""

from __future__ import annotations

from wrenml.costs import Prices, prices_of

__all__ = ["Pace"]

_SOON = 0.04  # seconds
_GROWTH = 1.25
_LATE = 5.0  # seconds
_QUIET = 2.0  # seconds without outcomes, after which calls are taken to be long ones
_FREE = 20  # looks that every job may have
_SHARE = 0.1  # looks for each call; and of what the computing costs, for further ones


class Pace:
    """When one job's outcomes are looked for.

    Looking costs a request for each page of 1,000 names. There are 20 looks and one for ten calls; what goes beyond
    must cost less than a tenth of the computing that is waited for. Calls that depend on each other's results are
    waited for in turn, each as if it were a map of its own.

    Parameters
    ----------
    gigabytes : float
        Memory of a worker.
    now : float
        The time, seconds, of whatever clock.
    prices : Prices, optional
        Of the region. Default: those of us-east-1.
    """

    def __init__(self, gigabytes: float, now: float, prices: Prices | None = None) -> None:
        prices = prices or prices_of("us-east-1", "x86_64")
        self._looks_per_second = _SHARE * gigabytes * prices.gb_second / prices.write
        self._interval = _SOON
        self._allowed = float(_FREE)
        self._accounted = now
        self._found = now
        self.looks = 0
        self.due = now + _SOON

    def sent(self, calls: int, now: float, *, alone: bool = False) -> None:
        """Take note of calls that were sent; `alone` if nothing else was waited for: then looks are free again."""
        if alone:
            self._allowed = max(self._allowed, float(self.looks + _FREE))
        self._allowed += _SHARE * calls
        self._interval = _SOON
        self._found = now
        self.due = min(self.due, now + _SOON)

    def ran(self, seconds: float) -> None:
        """Take note of the time that calls ran for."""
        self._allowed += seconds * self._looks_per_second

    def looked(self, pages: int, found: int, in_flight: int, now: float) -> None:
        """Take note of a look: how many pages it took, how many outcomes were new, how many invocations are left."""
        self.looks += pages
        if found:
            self._found = now
            self._interval = _SOON
        else:
            self._interval = min(self._interval * _GROWTH, _LATE)
        if now - self._found > _QUIET:
            self._allowed += (now - self._accounted) * in_flight * self._looks_per_second
        self._accounted = now
        self.due = now + max(self._interval, self._penance(in_flight))

    def _penance(self, in_flight: int) -> float:
        """Seconds until the next look is paid for, if it is not."""
        missing = self.looks + 1 - self._allowed
        if missing <= 0:
            return 0.0
        return min(_LATE, max(_SOON, missing / max(in_flight * self._looks_per_second, 1e-9)))
