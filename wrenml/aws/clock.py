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


class Clock:
    """UTC as AWS sees it; one for all clients of a session.

    AWS takes requests signed within five or fifteen minutes of its own time.

    Parameters
    ----------
    now : callable, optional
        Seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._ahead = 0.0
        self._said: tuple[int, str] = (0, "")

    def stamp(self) -> str:
        """The time as signatures have it, such as ``20130524T000000Z``."""
        moment = int(self._now() + self._ahead)
        known, said = self._said
        if known != moment:
            said = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))
            self._said = moment, said
        return said

    def correct(self, code: str, date: str) -> bool:
        """Take the server's time over if a refusal may come from ours.

        Parameters
        ----------
        code : str
            The refusal's code.
        date : str
            The answer's ``Date``.

        Returns
        -------
        bool
            Whether the clock was corrected, so that the request is worth signing again.
        """
        if code not in _WRONG_TIME:
            return False
        try:
            theirs = parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError):
            return False
        ahead = theirs - self._now()
        if abs(ahead - self._ahead) < _TOLERATED:
            return False
        self._ahead = ahead
        return True
