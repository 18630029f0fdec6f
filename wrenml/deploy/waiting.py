"""Waiting for AWS to have done something."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from wrenml.errors import WrenmlError

__all__ = ["Patience"]

T = TypeVar("T")

_FIRST = 0.2
_GROWTH = 1.4


class Patience:
    """How often, and for how long, one looks whether something is done.

    Parameters
    ----------
    sleep : callable, optional
        Waits so many seconds.
    longest : float, default 3.0
        Seconds between two looks at most; the first ones follow each other faster.
    limit : float, default 1800.0
        Seconds after which it is given up.
    """

    def __init__(
        self, sleep: Callable[[float], None] = time.sleep, longest: float = 3.0, limit: float = 1800.0
    ) -> None:
        self._sleep = sleep
        self._longest = longest
        self._limit = limit

    def until(self, what: str, look: Callable[[], T | None]) -> T:
        """Look until there is an answer.

        Parameters
        ----------
        what : str
            What is waited for, for the error.
        look : callable
            Returns the answer, or None while there is none.

        Raises
        ------
        WrenmlError
            If it took too long.
        """
        waited, pause = 0.0, _FIRST
        while (found := look()) is None:
            if waited >= self._limit:
                raise WrenmlError(f"{what} took more than {self._limit / 60:.0f} minutes; run the command again.")
            self._sleep(pause)
            waited += pause
            pause = min(pause * _GROWTH, self._longest)
        return found
