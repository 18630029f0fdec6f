"""The environments of all versions: cold starts, warm reuse, the end of idle ones."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from wrenml.errors import WrenmlError
from wrenml.testing.emulator.execution.environments import Environment
from wrenml.testing.emulator.functions import FunctionVersion
from wrenml.testing.emulator.reports import Books
from wrenml.testing.emulator.settings import Settings

__all__ = ["Fleet"]

_MOMENT = 0.05  # seconds


class _Pool:
    """Environments of one version, and who waits for one."""

    def __init__(self, version: FunctionVersion) -> None:
        self.version = version
        self.idle: list[tuple[float, Environment]] = []
        self.waiting: deque[asyncio.Future[Environment]] = deque()
        self.starting = 0
        self.retired = False

    def next_waiting(self) -> asyncio.Future[Environment] | None:
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                return waiter
        return None


class Fleet:
    """Lends environments. Belongs to one event loop.

    Parameters
    ----------
    make : callable
        Makes an environment of a version, not yet started.
    settings : Settings
        The limits.
    books : Books
        Counts cold starts.
    max_cold_starts : int
        Environments that start at a time.
    """

    def __init__(
        self, make: Callable[[FunctionVersion], Environment], settings: Settings, books: Books, max_cold_starts: int
    ) -> None:
        self._make = make
        self._settings = settings
        self._books = books
        self._starts = asyncio.Semaphore(max_cold_starts)
        self._pools: dict[FunctionVersion, _Pool] = {}
        self._all: set[Environment] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def acquire(self, version: FunctionVersion) -> Environment:
        """Lend the environment that was used last, or the first to be free or started.

        Raises
        ------
        ConfigError
            If environments of this version cannot be started here.
        OSError
            If this one cannot.
        """
        pool = self._pools.setdefault(version, _Pool(version))
        if pool.idle:
            return pool.idle.pop()[1]
        waiter: asyncio.Future[Environment] = asyncio.get_running_loop().create_future()
        pool.waiting.append(waiter)
        self._start_more()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                # It was lent in the same moment, to somebody who does not wait any more.
                self.release(waiter.result())
            raise

    def release(self, environment: Environment) -> None:
        """Take an environment back: for who waits, or for later."""
        pool = self._pools.get(environment.version)
        waiter = pool.next_waiting() if pool else None
        if waiter is not None:
            waiter.set_result(environment)
        elif pool is None or pool.retired:
            self._pools.pop(environment.version, None)
            self._spawn(self._end(environment))
        else:
            # One without a process goes below the warm ones: it is used only when it must be.
            place = len(pool.idle) if environment.warm else 0
            pool.idle.insert(place, (asyncio.get_running_loop().time(), environment))
        self._start_more()

    def retire(self, version: FunctionVersion) -> None:
        """End the environments of a version as they are idle; who waits for one is still served."""
        pool = self._pools.get(version)
        if pool is None:
            return
        pool.retired = True
        self._end_idle(pool, float("inf"))
        if not pool.waiting:
            del self._pools[version]

    def reap(self) -> None:
        """End environments that nobody has needed for a while."""
        for pool in self._pools.values():
            self._end_idle(pool, asyncio.get_running_loop().time() - self._settings.idle_seconds)

    def signing_with(self, access_key: str) -> Environment | None:
        """Return the environment that has an access key."""
        return next((one for one in self._all if one.credentials.access_key == access_key), None)

    async def close(self) -> None:
        """End all environments, now, and whatever else goes on in the event loop, which is about them."""
        self._closed = True
        for pool in self._pools.values():
            while (waiter := pool.next_waiting()) is not None:
                waiter.set_exception(OSError("the data plane is closed"))
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.gather(*(environment.stop() for environment in tuple(self._all)))
            await asyncio.wait(others, timeout=_MOMENT)
        await asyncio.gather(*(environment.stop() for environment in self._all))
        self._all.clear()

    def _start_more(self) -> None:
        """Start an environment for each that waits, as far as there is room."""
        for pool in tuple(self._pools.values()):
            while pool.starting < len(pool.waiting) and self._make_room():
                pool.starting += 1
                environment = self._make(pool.version)
                self._all.add(environment)
                self._spawn(self._start(pool, environment))

    def _make_room(self) -> bool:
        """Say whether one more may be started; the one that has been idle the longest ends for it."""
        if self._closed:
            return False
        if len(self._all) < self._settings.max_environments:
            return True
        pools = [pool for pool in self._pools.values() if pool.idle]
        if not pools:
            return False
        _, environment = min(pools, key=lambda pool: pool.idle[0][0]).idle.pop(0)
        self._all.discard(environment)
        self._spawn(self._end(environment))
        return True

    async def _start(self, pool: _Pool, environment: Environment) -> None:
        try:
            async with self._starts:
                if pool.waiting and not self._closed:
                    self._books.count("ColdStarts")
                    await environment.init()
        except Exception as error:  # noqa: BLE001  # whoever waits would wait for ever
            self._all.discard(environment)
            waiter = pool.next_waiting()
            if waiter is not None:
                known = isinstance(error, OSError | WrenmlError)
                waiter.set_exception(error if known else OSError(f"it cannot be started: {error!r}"))
            return
        finally:
            pool.starting -= 1
        if environment.warm or pool.waiting:
            self.release(environment)
        else:
            self._all.discard(environment)

    async def _end(self, environment: Environment) -> None:
        await environment.stop()
        self._all.discard(environment)

    def _end_idle(self, pool: _Pool, before: float) -> None:
        for since, environment in [one for one in pool.idle if one[0] < before]:
            pool.idle.remove((since, environment))
            self._spawn(self._end(environment))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
