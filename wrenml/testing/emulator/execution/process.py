"""A process of the runtime with the Runtime API it asks: started, watched, killed."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Literal, TypeVar

from wrenml.testing.emulator.execution import memory
from wrenml.testing.emulator.execution.launching import Launch
from wrenml.testing.emulator.execution.logs import Log
from wrenml.testing.emulator.execution.runtime_api import RuntimeApi

__all__ = ["MemoryLimit", "Process"]

_T = TypeVar("_T")

_MB_PER_SECOND = 4_000  # faster no program fills memory
_SOONEST, _LATEST = 0.02, 0.5  # seconds between two looks at the memory


class MemoryLimit:
    """Kills what uses too much, as `what` says: the largest ``process``, or all of the ``environment``."""

    def __init__(self, mb: int, what: Callable[[], Literal["process", "environment"]]) -> None:
        self.peak_mb = 0
        self._mb = mb
        self._what = what

    def enforce(self, root: int) -> float:
        """Look at the processes from `root` on; return the seconds until the next look is due."""
        usage = memory.look(root)
        if usage.mb > self._mb:
            usage = memory.precisely(usage)
        self.peak_mb = max(self.peak_mb, min(usage.mb, self._mb))
        if usage.mb > self._mb:
            for pid in usage if self._what() == "environment" else [usage.largest]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return min(max((self._mb - usage.mb) / _MB_PER_SECOND, _SOONEST), _LATEST)


class Process:
    """A started process. Made by `Process.start`; belongs to the event loop that started it."""

    def __init__(self, api: RuntimeApi, launch: Launch, log: Log) -> None:
        self.api = api
        self._launch = launch
        self._log = log
        self._process: asyncio.subprocess.Process
        self._exit: asyncio.Task[int]

    @classmethod
    async def start(cls, launch: Callable[[str], Launch], log: Log) -> Process:
        """Start what `launch`, given the address of the Runtime API, describes."""
        api = RuntimeApi()
        try:
            started = cls(api, launch(await api.open()), log)
            await started._run()
        except BaseException:
            log.close()
            await api.close()
            raise
        return started

    async def _run(self) -> None:
        output = self._log.open()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._launch.argv,
                cwd=self._launch.cwd,
                env=self._launch.variables,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            os.close(output)
        self._exit = asyncio.get_running_loop().create_task(self._process.wait())

    @property
    def exit_code(self) -> int | None:
        """What it ended with, minus the number of a signal; None while it runs."""
        return self._exit.result() if self._exit.done() else None

    async def wait(self, sign: Coroutine[Any, Any, _T], deadline: float, limit: MemoryLimit) -> _T | None:
        """Wait for a sign of the process, as long as it lives and has time; return it, or None.

        Parameters
        ----------
        sign : coroutine
            Of its Runtime API.
        deadline : float
            By the event loop's clock.
        limit : MemoryLimit
            Enforced meanwhile.
        """
        loop = asyncio.get_running_loop()
        task = loop.create_task(sign)
        try:
            pause = _SOONEST
            while (left := deadline - loop.time()) > 0:
                await asyncio.wait({task, self._exit}, timeout=min(left, pause), return_when=asyncio.FIRST_COMPLETED)
                if task.done() or self._exit.done():
                    break
                pause = limit.enforce(self._process.pid)
            return task.result() if task.done() else None
        finally:
            task.cancel()

    def freeze(self) -> None:
        """Have it and all below it stand still."""
        memory.signal_tree(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Have them go on."""
        memory.signal_tree(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill it, all below it and what it left behind."""
        memory.kill_all(self._process.pid if self.exit_code is None else None, self._log.stream)

    async def stop(self) -> None:
        """Kill it, and tidy up after it."""
        self.kill()
        await self._exit
        self._log.close()
        await self.api.close()
        if self._launch.scratch is not None:
            await asyncio.to_thread(shutil.rmtree, self._launch.scratch, ignore_errors=True)
