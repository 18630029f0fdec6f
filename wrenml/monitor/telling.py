"""What is owed to others once no lock is held: callbacks of futures, and events for hooks."""

from __future__ import annotations

import logging
import threading

from wrenml.events import Event, Hook
from wrenml.monitor.deliver import Callbacks, call_back

__all__ = ["Telling"]

_log = logging.getLogger("wrenml")


class Telling:
    """Gathers callbacks and events while the monitor's lock is held, and passes them on when it is not.

    Parameters
    ----------
    lock : RLock
        The monitor's.
    """

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._hooks: list[Hook] = []
        self._events: list[Event] = []
        self._callbacks: Callbacks = []

    def observe(self, hook: Hook) -> None:
        """Have a hook told what happens from now on."""
        self._hooks.append(hook)

    def note(self, event: Event) -> None:
        """Take an event; to be called with the lock held."""
        self._events.append(event)

    def owe(self, callbacks: Callbacks) -> None:
        """Take callbacks of settled futures; to be called with the lock held."""
        self._callbacks += callbacks

    def tell(self) -> None:
        """Pass on what was taken; to be called without the lock."""
        if not (self._events or self._callbacks):
            return
        with self._lock:
            events, self._events = self._events, []
            callbacks, self._callbacks = self._callbacks, []
        call_back(callbacks)
        for event in events:
            for hook in self._hooks:
                try:
                    hook(event)
                except (Exception, SystemExit):  # noqa: BLE001  # the user's code, in our thread
                    _log.exception("wrenml: a hook failed")
