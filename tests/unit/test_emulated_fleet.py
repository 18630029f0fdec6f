from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from wrenml.testing.emulator.execution.environments import Environment
from wrenml.testing.emulator.execution.fleet import Fleet
from wrenml.testing.emulator.execution.launching import Credentials, Launcher
from wrenml.testing.emulator.execution.logs import Log
from wrenml.testing.emulator.functions import FunctionVersion
from wrenml.testing.emulator.reports import Books
from wrenml.testing.emulator.settings import Settings


class Idle(Environment):
    """One that is warm without a process."""

    warm = True

    async def init(self) -> None: ...


class Broken(Idle):
    """One that does not start, for a reason that nobody has thought of."""

    async def init(self) -> None:
        raise ValueError("embedded null byte")


def fleet_of(kind: type[Environment], folder: Path) -> tuple[Fleet, FunctionVersion]:
    """A fleet that has room for one environment, and a version."""
    settings = Settings(max_environments=1)
    launcher = Launcher(folder, {}, jailed=False)

    def make(version: FunctionVersion) -> Environment:
        log = Log(version, "stream", lambda *_: None, lambda: 0.0)
        return kind(version, launcher, Credentials("", "", ""), log, settings)

    return Fleet(make, settings, Books(), 1), FunctionVersion(name="f", package=folder)


def test_what_is_lent_to_somebody_who_gave_up_is_lent_again(tmp_path: Path) -> None:
    async def lend() -> None:
        fleet, version = fleet_of(Idle, tmp_path)
        only = await fleet.acquire(version)
        hasty = asyncio.create_task(fleet.acquire(version))
        await asyncio.sleep(0)
        fleet.release(only)
        hasty.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hasty
        assert await asyncio.wait_for(fleet.acquire(version), 5) is only

    asyncio.run(lend())


def test_whoever_waits_is_told_what_keeps_an_environment_from_starting(tmp_path: Path) -> None:
    async def lend() -> None:
        fleet, version = fleet_of(Broken, tmp_path)
        for _ in range(2):  # it takes no room either
            with pytest.raises(OSError, match="embedded null byte"):
                await asyncio.wait_for(fleet.acquire(version), 5)

    asyncio.run(lend())
