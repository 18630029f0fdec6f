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


def test_what_is_lent_to_somebody_who_gave_up_is_lent_again(tmp_path: Path) -> None:
    version = FunctionVersion(name="f", package=tmp_path)
    settings = Settings(max_environments=1)
    launcher = Launcher(tmp_path, {}, jailed=False)

    def make(version: FunctionVersion) -> Environment:
        log = Log(version, "stream", lambda *_: None, lambda: 0.0)
        return Idle(version, launcher, Credentials("", "", ""), log, settings)

    async def lend() -> None:
        fleet = Fleet(make, settings, Books(), 1)
        only = await fleet.acquire(version)
        hasty = asyncio.create_task(fleet.acquire(version))
        await asyncio.sleep(0)
        fleet.release(only)
        hasty.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hasty
        assert await asyncio.wait_for(fleet.acquire(version), 5) is only

    asyncio.run(lend())
