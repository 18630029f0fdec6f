"""The data plane of the emulated Lambda: invocations run the deployed package in real processes."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from wrenml.testing.emulator.execution.answers import Answer, refusal
from wrenml.testing.emulator.execution.concurrency import Concurrency
from wrenml.testing.emulator.execution.environments import Environment
from wrenml.testing.emulator.execution.fleet import Fleet
from wrenml.testing.emulator.execution.interpreters import find_interpreter
from wrenml.testing.emulator.execution.invoking import Invoking, Kind, Request, check
from wrenml.testing.emulator.execution.launching import Credentials, Launcher, can_jail
from wrenml.testing.emulator.execution.logs import Log
from wrenml.testing.emulator.execution.loop import ClosedError, Loop
from wrenml.testing.emulator.execution.queueing import EventQueue, Records
from wrenml.testing.emulator.execution.running import Runner
from wrenml.testing.emulator.functions import Address, EventInvoke, Functions, FunctionVersion
from wrenml.testing.emulator.reports import Books, LogWriter
from wrenml.testing.emulator.settings import Settings

__all__ = ["DataPlane"]

_REAPING = 1.0  # seconds between two looks at who is idle


class DataPlane:
    """Runs invocations, synchronous and asynchronous, in environments of real processes.

    Its methods may be called from any thread; what they wait for happens in one of its own.

    Parameters
    ----------
    write_record : callable
        Stores a failure record: takes bucket, key and content. What it raises counts as a delivery failure.
    variables : mapping of str to str, optional
        What every environment has besides Lambda's own variables, such as ``AWS_ENDPOINT_URL``.
    credentials : callable, optional
        Makes the temporary keys of a new environment of a version; called in the data plane's thread, so it must be
        quick. Default: made-up ones, other for each environment.
    write_log : callable, optional
        Takes the lines of the environments' logs; called in the data plane's thread. Default: they are dropped, but
        for the tails that invocations ask for.
    clock : callable, optional
        Tells the time, seconds since the epoch, for records and logs. Default: the system's.
    max_cold_starts : int, optional
        Environments that start at a time. Default: as many as there are cores.
    jailed : bool, optional
        Whether environments have folders of their own. Default: where this user may make namespaces.

    Attributes
    ----------
    settings : Settings
        Limits and times, and how reliably events are delivered; to be changed at will.
    books : Books
        What has been run: reports and counts.
    jailed : bool
        Whether environments have folders of their own: a read-only ``/var/task``, a private ``/tmp``, no ``/dev/shm``.
    """

    def __init__(
        self,
        write_record: Callable[[str, str, bytes], None],
        *,
        variables: Mapping[str, str] | None = None,
        credentials: Callable[[FunctionVersion], Credentials] | None = None,
        write_log: LogWriter | None = None,
        clock: Callable[[], float] = time.time,
        max_cold_starts: int | None = None,
        jailed: bool | None = None,
    ) -> None:
        self.settings = Settings()
        self.books = Books()
        self.jailed = can_jail() if jailed is None else jailed
        self._folder = Path(tempfile.mkdtemp(prefix="wrenml-emulator-"))
        self._launcher = Launcher(self._folder, variables or {}, jailed=self.jailed)
        self._credentials = credentials or _made_up
        self._write_log = write_log or _drop
        self._clock = clock
        self._functions = Functions()
        self._loop = Loop("wrenml-data-plane")
        concurrency = Concurrency(self._functions.reserved, self.settings)
        self._fleet = Fleet(self._make, self.settings, self.books, max_cold_starts or os.cpu_count() or 1)
        runner = Runner(self._fleet, self.books)
        records = Records(write_record, clock)
        self._queue = EventQueue(runner, self._functions, concurrency, self.settings, self.books, records)
        self._invoking = Invoking(self._functions, concurrency, runner, self._queue, self.books)
        self._reaper: asyncio.Task[None] = self._loop.call(lambda: asyncio.create_task(self._reap()))

    def publish(self, version: FunctionVersion) -> None:
        """Add a version; in the place of another, whose environments end as soon as they are idle.

        Raises
        ------
        ConfigError
            If its Python is not on this machine, or lacks AWS's runtime client.
        """
        find_interpreter(version.python)
        self._loop.run(self._publish(version))

    def remove(self, name: str, qualifier: str | None = None) -> None:
        """Take back a version or an alias, or without a qualifier a whole function."""

        async def remove() -> None:
            for version in self._functions.remove(name, qualifier):
                self._fleet.retire(version)
            if qualifier is None:
                self._queue.forget(name)

        self._loop.run(remove())

    def alias(self, name: str, alias: str, version: str) -> None:
        """Let an alias name a version."""
        self._loop.call(self._functions.alias, name, alias, version)

    def reserve(self, name: str, concurrency: int | None) -> None:
        """Reserve concurrency for a function; None takes that back, 0 stops it."""
        self._loop.call(self._functions.reserve, name, concurrency)

    def configure_events(self, name: str, qualifier: str, settings: EventInvoke | None) -> None:
        """Set how asynchronous invocations of a version or alias go; None is Lambda's defaults."""
        self._loop.call(self._functions.configure_events, Address(name, qualifier), settings)

    def invoke(
        self,
        function: str,
        payload: bytes = b"",
        *,
        qualifier: str | None = None,
        kind: Kind = "RequestResponse",
        log_tail: bool = False,
        client_context: str | None = None,
    ) -> Answer:
        """Answer the Invoke operation.

        Parameters
        ----------
        function : str
            A name or an ARN, with or without a qualifier.
        payload : bytes
            JSON. Default: nothing, which the handler gets as ``{}``.
        qualifier : str, optional
            A version or an alias. Default: what `function` says, or ``$LATEST``.
        kind : str
            ``RequestResponse`` (default) waits for the end, ``Event`` queues, ``DryRun`` only checks.
        log_tail : bool
            Whether the end of the log is answered, too. Default: no.
        client_context : str, optional
            Base64 of the JSON that the handler gets as ``context.client_context``.

        Returns
        -------
        Answer
            As Lambda's; errors are answers, too.
        """
        request_id = str(uuid.uuid4())
        request = Request(Address.parse(function, qualifier), kind, payload, log_tail, client_context)
        try:
            return check(request, request_id) or self._loop.run(self._invoking.answer(request, request_id))
        except ClosedError as error:
            return refusal(500, "ServiceException", str(error), request_id)

    def environment_of(self, access_key: str) -> str | None:
        """Return the environment that signs with an access key, by its log stream; None if none does."""
        environment = self._loop.call(self._fleet.signing_with, access_key)
        return environment.log.stream if environment else None

    def kill(self, access_key: str) -> bool:
        """Kill all processes of the environment that signs with an access key; say whether there was one."""
        environment = self._loop.call(self._fleet.signing_with, access_key)
        if environment is not None:
            self._loop.call(environment.kill)
        return environment is not None

    def settle(self, timeout: float) -> bool:
        """Wait, at most so many seconds, until no event is queued or runs; say whether it came to that."""

        async def settle() -> bool:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    while self._queue.under_way:
                        await asyncio.wait(self._queue.under_way)
            return not self._queue.under_way

        return self._loop.run(settle())

    def close(self) -> None:
        """End all environments; forget all events."""
        if self._loop.close(self._end):
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _end(self) -> None:
        self._reaper.cancel()
        await self._queue.close()
        await self._fleet.close()
        await asyncio.get_running_loop().shutdown_default_executor()

    async def _publish(self, version: FunctionVersion) -> None:
        replaced = self._functions.publish(version)
        if replaced is not None:
            self._fleet.retire(replaced)

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(_REAPING)
            self._fleet.reap()

    def _make(self, version: FunctionVersion) -> Environment:
        today = datetime.fromtimestamp(self._clock(), UTC)
        stream = f"{today:%Y/%m/%d}/[{version.version}]{uuid.uuid4().hex}"
        log = Log(version, stream, self._write_log, self._clock)
        return Environment(version, self._launcher, self._credentials(version), log, self.settings)


def _made_up(_version: FunctionVersion) -> Credentials:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    return Credentials("ASIA" + "".join(random.choices(letters, k=16)), uuid.uuid4().hex, uuid.uuid4().hex)


def _drop(_version: FunctionVersion, _stream: str, _lines: object) -> None:
    """Keep no log."""
