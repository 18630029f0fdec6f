"""The time that requests are signed with: ours, corrected by the server's when it does not believe ours."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

__all__ = ["Clock"]

_WRONG_TIME = {
    "AccessDenied",
    "AuthFailure",
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
}
_TOLERATED = 240.0
_UNNOTICED = 5.0  # seconds that an answer may have been on its way


class Clock:
    """UTC as AWS sees it; one for all clients of a session.

    AWS takes requests signed within five or fifteen minutes of its own time.

    Parameters
    ----------
    now : callable, optional
        Seconds since the epoch.

    Attributes
    ----------
    behind : float
        Seconds that our time is taken to be behind AWS's.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.behind = 0.0
        self._said: tuple[int, str] = (0, "")

    def time(self) -> float:
        """AWS's time, seconds since the epoch: ours, unless an answer has shown that it is wrong."""
        return self._now() + self.behind

    def observe(self, date: str) -> None:
        """Take note of the ``Date`` of an answer that has just come."""
        theirs = _seconds(date)
        if theirs is not None:
            behind = theirs - self._now()
            self.behind = behind if abs(behind) > _UNNOTICED else 0.0

    def stamp(self) -> str:
        """The time as signatures have it, such as ``20130524T000000Z``."""
        moment = int(self.time())
        known, said = self._said
        if known != moment:
            said = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))
            self._said = moment, said
        return said

    def correct(self, code: str, date: str, behind: float) -> bool:
        """Take the server's time over if a refusal may come from ours.

        Parameters
        ----------
        code : str
            The refusal's code.
        date : str
            The answer's ``Date``.
        behind : float
            What `behind` was when the request was signed: meanwhile another's refusal may have corrected it.

        Returns
        -------
        bool
            Whether the request was signed with a wrong time, so that it is worth signing again.
        """
        if code not in _WRONG_TIME:
            return False
        theirs = _seconds(date)
        if theirs is None:
            return False
        actual = theirs - self._now()
        if abs(actual - behind) < _TOLERATED:
            return False
        self.behind = actual
        return True


def _seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None
