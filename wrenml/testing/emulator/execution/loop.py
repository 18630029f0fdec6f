"""An event loop in a thread of its own, to which any thread hands work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["ClosedError", "Loop"]

_T = TypeVar("_T")


class ClosedError(RuntimeError):
    """Nothing is run any more."""


class Loop:
    """Runs coroutines and functions in its thread; who hands them over waits for the result."""

    def __init__(self, name: str) -> None:
        self._closed = False
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine to its end.

        Raises
        ------
        ClosedError
            If the loop is closed.
        """
        with self._lock:
            if self._closed:
                coroutine.close()
                raise ClosedError("the data plane is closed")
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result()

    def call(self, function: Callable[..., _T], *args: object) -> _T:
        """Call a function; raises as `run`."""

        async def call() -> _T:
            return function(*args)

        return self.run(call())

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Run a last coroutine, after which nothing else may be left, and end; say whether this was the first time."""
        with self._lock:
            if self._closed:
                return False
            self._closed = True
            ending = asyncio.run_coroutine_threadsafe(last(), self._loop)
        ending.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        return True
