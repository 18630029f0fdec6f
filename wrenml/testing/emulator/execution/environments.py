"""An execution environment: one process of the runtime, given one event at a time, and replaced where it fails."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from typing import Literal, NamedTuple

from wrenml.testing.emulator.execution.answers import Fault
from wrenml.testing.emulator.execution.launching import Credentials, Launch, Launcher
from wrenml.testing.emulator.execution.logs import Log
from wrenml.testing.emulator.execution.process import MemoryLimit, Process
from wrenml.testing.emulator.execution.runtime_api import MAX_RESPONSE, Invocation, Posted
from wrenml.testing.emulator.functions import FunctionVersion
from wrenml.testing.emulator.settings import Settings

__all__ = ["Environment", "Event", "Ran"]

_SETTLING = 0.1  # seconds that an answer waits for the runtime to ask for more


class Event(NamedTuple):
    """What is to be run: the same `request_id` in every attempt, the function's ARN as it was called."""

    request_id: str
    payload: bytes
    arn: str
    client_context: str | None = None


class Ran(NamedTuple):
    """How it went: `status` is what the REPORT line adds, None where the handler returned or raised."""

    body: bytes
    fault: Fault | None = None
    status: Literal["timeout", "error"] | None = None
    seconds: float = 0.0


class Environment:
    """Runs events of one version, one at a time.

    Parameters
    ----------
    version : FunctionVersion
        What it runs.
    launcher : Launcher
        Says how its process is started.
    credentials : Credentials
        What it signs with.
    log : Log
        Takes what it prints.
    settings : Settings
        The limits.
    """

    def __init__(
        self, version: FunctionVersion, launcher: Launcher, credentials: Credentials, log: Log, settings: Settings
    ) -> None:
        self.version = version
        self.credentials = credentials
        self.log = log
        self.init_ms = 0.0
        self.memory = MemoryLimit(version.memory_mb, lambda: settings.out_of_memory)
        self._launcher = launcher
        self._settings = settings
        self._process: Process | None = None
        self._frozen = False

    @property
    def warm(self) -> bool:
        """Whether its process is there and waits for an event."""
        return self._process is not None and self._process.exit_code is None

    async def init(self) -> None:
        """Go through the init phase; where that fails, the first event begins with another."""
        begun = _now()
        if not isinstance(await self._boot("init", begun + self._settings.init_seconds, ""), Fault):
            self.init_ms = (_now() - begun) * 1000
            self._freeze()

    async def run(self, event: Event) -> Ran:
        """Run an event to its end, whatever that is."""
        begun = _now()
        self.log.started(event.request_id)
        ran = await self._run(event, begun + self.version.timeout)
        ran = ran._replace(seconds=_now() - begun)
        if ran.status is None and self._process is not None:
            await self._process.wait(self._process.api.ready.wait(), _now() + _SETTLING, self.memory)
            self._freeze()
        return ran

    def kill(self) -> None:
        """Kill its processes, now."""
        if self._process is not None:
            self._process.kill()

    async def stop(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            await process.stop()

    def _freeze(self) -> None:
        if self._settings.freeze and self.warm and self._process is not None:
            self._frozen = True
            self._process.freeze()

    def _thaw(self) -> None:
        if self._frozen and self._process is not None:
            self._process.thaw()
        self._frozen = False

    async def _run(self, event: Event, deadline: float) -> Ran:
        process = self._process
        if process is None or process.exit_code is not None:
            booted = await self._boot("invoke", deadline, event.request_id)
            if isinstance(booted, Fault):
                return await self._failed(event, booted)
            process = booted
        self._thaw()
        process.api.hand_out(Invocation(*event[:2], int((time.time() + deadline - _now()) * 1000), *event[2:]))
        posted = await process.wait(process.api.posted.get(), deadline, self.memory)
        if posted is None:
            return await self._failed(event, self._ending(process, event.request_id))
        if posted.what == "response":
            return Ran(posted.body)
        fault = _too_large() if posted.what == "too large" else _posted_fault(posted)
        return Ran(fault.body, fault)

    async def _failed(self, event: Event, fault: Fault) -> Ran:
        await self.stop()
        if fault.kind != "Sandbox.Timedout":
            return Ran(fault.body, fault, "error")
        self.log.timed_out(event.request_id, self._timeout_message)
        return Ran(fault.body, fault, "timeout")

    async def _boot(self, phase: str, deadline: float, request_id: str) -> Process | Fault:
        """Start a process, up to its asking for an event; or return why it did not."""
        begun = _now()
        await self.stop()
        self.memory.peak_mb = 0
        self.log.init_started()
        self._process = process = await Process.start(self._launch, self.log)
        if await process.wait(process.api.ready.wait(), deadline, self.memory):
            return process
        fault = self._ending(process, request_id)
        await self.stop()
        status = "timeout" if fault.kind == "Sandbox.Timedout" else "error"
        self.log.init_failed(phase, _now() - begun, status, fault.kind)
        return fault

    def _launch(self, address: str) -> Launch:
        own = {"AWS_LAMBDA_RUNTIME_API": address, "AWS_LAMBDA_LOG_STREAM_NAME": self.log.stream}
        return self._launcher.launch(self.version, own, self.credentials)

    @property
    def _timeout_message(self) -> str:
        return f"Task timed out after {self.version.timeout:.2f} seconds"

    def _ending(self, process: Process, request_id: str) -> Fault:
        """Say why a process gave no sign."""
        if not process.api.posted.empty():
            return _posted_fault(process.api.posted.get_nowait())
        if process.exit_code is None:
            return Fault.of_platform("Sandbox.Timedout", self._timeout_message, request_id)
        return Fault.of_platform("Runtime.ExitError", _exit_message(process.exit_code), request_id)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _exit_message(code: int) -> str:
    if code == 0:
        return "Runtime exited without providing a reason"
    if code > 0:
        return f"Runtime exited with error: exit status {code}"
    name = (signal.strsignal(-code) or str(-code)).lower()
    return f"Runtime exited with error: signal: {name}"


def _too_large() -> Fault:
    message = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
    return Fault.of_platform_alone("Function.ResponseSizeTooLarge", message)


def _posted_fault(posted: Posted) -> Fault:
    """Read an error that the runtime posted."""
    try:
        kind = json.loads(posted.body)["errorType"] or posted.kind
    except (KeyError, TypeError, ValueError):
        kind = posted.kind or "Runtime.Unknown"
    return Fault(kind, posted.body)
