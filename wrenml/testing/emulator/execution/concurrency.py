"""How many invocations may run at a time: of the account, and of functions that have their own share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from wrenml.testing.emulator.settings import Settings

__all__ = ["Concurrency"]


class Concurrency:
    """Counts what runs. Belongs to one thread.

    Parameters
    ----------
    reserved : mapping of str to int
        The shares of functions, kept up to date by who passes it.
    settings : Settings
        The account's limit.
    """

    def __init__(self, reserved: Mapping[str, int], settings: Settings) -> None:
        self._reserved = reserved
        self._settings = settings
        self._running: Counter[str] = Counter()

    def enter(self, name: str) -> str | None:
        """Let an invocation of a function run, or return Lambda's reason why it may not."""
        reserved = self._reserved.get(name)
        if reserved is not None:
            if self._running[name] >= reserved:
                return "ReservedFunctionConcurrentInvocationLimitExceeded"
        else:
            unreserved = self._settings.account_concurrency - sum(self._reserved.values())
            shared = sum(number for other, number in self._running.items() if other not in self._reserved)
            if shared >= unreserved:
                return "ConcurrentInvocationLimitExceeded"
        self._running[name] += 1
        return None

    def leave(self, name: str) -> None:
        """Note that an invocation has ended."""
        self._running[name] -= 1
