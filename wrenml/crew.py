"""A few threads that do what is queued.

The standard library's pools refuse work once the interpreter has begun to exit, when maps may still be waited for.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

__all__ = ["Crew"]

_log = logging.getLogger("wrenml")


class Crew:
    """Threads, started as there is work for them; daemons, which end with the process.

    Parameters
    ----------
    size : int
        The most threads.
    name : str
        What they are called.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._tasks: deque[Callable[[], None]] = deque()
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._done = threading.Condition(lock)
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._busy = 0
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it takes no more tasks."""
        return self._closed

    def run(self, task: Callable[[], None]) -> None:
        """Queue a task; after `close` it is dropped. It is to deal with its own errors: others are logged.

        Raises
        ------
        RuntimeError
            If there is no thread, and none can be started.
        """
        with self._changed:
            if self._closed:
                return
            self._tasks.append(task)
            if self._idle < len(self._tasks) and len(self._threads) < self._size:
                self._start()
            self._changed.notify()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self._threads:
                self._tasks.pop()
                raise
        else:
            self._threads.append(thread)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                while not self._tasks:
                    if self._closed:
                        return
                    self._changed.wait()
                self._idle -= 1
                self._busy += 1
                task = self._tasks.popleft()
            try:
                task()
            except Exception:  # noqa: BLE001  # the thread has other tasks to do
                _log.exception("wrenml: a task of %s failed", self._name)
            finally:
                del task
                with self._changed:
                    self._busy -= 1
                    if not self._busy and not self._tasks:
                        self._done.notify_all()

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until everything queued is done; False if that took longer than `timeout` seconds."""
        with self._changed:
            return self._done.wait_for(lambda: not self._busy and not self._tasks, timeout)

    def close(self, *, drop: bool = False) -> None:
        """Take no more tasks, and end the threads when what is queued is done; with `drop`, only what is begun.

        To be called from outside the crew.
        """
        with self._changed:
            self._closed = True
            if drop:
                self._tasks.clear()
            self._changed.notify_all()
            threads = list(self._threads)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()
