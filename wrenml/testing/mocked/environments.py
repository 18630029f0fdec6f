"""Execution environments in this process: threads, each with a worker that keeps its child from event to event."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import NamedTuple

from wrenml.storage import Storage
from wrenml.testing.mocked.tap import WORKER, acting_as
from wrenml.worker.remote import Remote

__all__ = ["ClosedError", "Environments", "Run"]

_log = logging.getLogger("wrenml")

_MOMENT = 0.05  # seconds between looks whether a thread that is told to end has ended


class ClosedError(BaseException):
    """The environments end: nothing of what they still run is wanted."""


Run = Callable[[Callable[[], Remote]], bool]
"""Does something with an environment's worker, which is started where it is asked for; False ends the environment."""


class _Work(NamedTuple):
    memory_mb: int
    run: Run


class Environments:
    """At most so many of them, one event at a time in each, a warm one first.

    Parameters
    ----------
    count : int
        The most there are at a time.
    folder : str
        For what children write.
    open_with : callable
        Opens a storage from its URL and its bucket's owner.

    Attributes
    ----------
    cold_starts : int
        How many workers were started.
    closed : bool
        Whether nothing runs any more.
    """

    def __init__(self, count: int, folder: str, open_with: Callable[[str, str], Storage]) -> None:
        self._count = count
        self._folder = folder
        self._open_with = open_with
        self._lock = threading.Lock()
        self._all: list[_Environment] = []
        self._idle: list[_Environment] = []
        self._waiting: deque[_Work] = deque()
        self.closed = False
        self.cold_starts = 0

    def submit(self, memory_mb: int, run: Run) -> None:
        """Have an environment of that memory call `run`, now or when one is free."""
        work = _Work(memory_mb, run)
        with self._lock:
            if self.closed:
                return
            free = self._free(memory_mb)
            if free is None:
                self._waiting.append(work)
            else:
                free.inbox.put(work)

    def _free(self, memory_mb: int) -> _Environment | None:
        for environment in reversed(self._idle):
            if environment.memory_mb == memory_mb:
                self._idle.remove(environment)
                return environment
        if len(self._all) < self._count:
            self._all.append(_Environment(self, len(self._all)))
            self._all[-1].start()
            return self._all[-1]
        return self._idle.pop(0) if self._idle else None

    def next_work(self, environment: _Environment) -> _Work | None:
        """What an environment does next; None when it is to end."""
        with self._lock:
            if self._waiting and not self.closed:
                return self._waiting.popleft()
            self._idle.append(environment)
        return environment.inbox.get()

    def new_worker(self, number: int, memory_mb: int) -> Remote:
        """Make the worker of an environment."""
        with self._lock:
            self.cold_starts += 1
        folder = f"{self._folder}/{number}"
        return Remote(folder, memory_mb=memory_mb, open_with=self._open_with, path=())

    def check_open(self, caller: str) -> None:
        """Raise `ClosedError` where a worker asks for something after the end."""
        if self.closed and caller == WORKER:
            raise ClosedError

    def close(self) -> None:
        """End all environments; what they run is abandoned, and what waits is dropped."""
        with self._lock:
            self.closed = True
            self._waiting.clear()
        for environment in self._all:
            environment.inbox.put(None)
        for environment in self._all:
            environment.end()


class _Environment(threading.Thread):
    def __init__(self, pool: Environments, number: int) -> None:
        super().__init__(name=f"wrenml-environment-{number}", daemon=True)
        self.inbox: SimpleQueue[_Work | None] = SimpleQueue()
        self.memory_mb = 0
        self._pool = pool
        self._number = number
        self._worker: Remote | None = None

    def run(self) -> None:
        with acting_as(WORKER), contextlib.suppress(ClosedError):
            work = self.inbox.get()
            while work is not None:
                if not self._does(work):
                    self._recycle()
                work = self._pool.next_work(self)

    def _does(self, work: _Work) -> bool:
        try:
            return work.run(partial(self._worker_of, work.memory_mb))
        except Exception:  # noqa: BLE001  # the next event is none of its business
            _log.exception("wrenml: an environment of the mocked AWS failed")
            return False

    def _worker_of(self, memory_mb: int) -> Remote:
        if self._worker is not None and self.memory_mb != memory_mb:
            self._recycle()
        if self._worker is None:
            self._worker = self._pool.new_worker(self._number, memory_mb)
            self.memory_mb = memory_mb
        return self._worker

    def _recycle(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def end(self) -> None:
        """End the thread, whatever its child does, and then the worker."""
        while self.is_alive():
            worker = self._worker
            if worker is not None:
                worker.kill()
            self.join(_MOMENT)
        self._recycle()
