"""The queue of asynchronous invocations: attempts, back-off, age, and records of what failed."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from wrenml.errors import WrenmlError
from wrenml.testing.emulator.execution.concurrency import Concurrency
from wrenml.testing.emulator.execution.environments import Event, Ran
from wrenml.testing.emulator.execution.running import Order, Runner
from wrenml.testing.emulator.functions import Address, EventInvoke, Functions
from wrenml.testing.emulator.reports import Books, log_time
from wrenml.testing.emulator.settings import Settings

__all__ = ["EventQueue", "Records"]


@dataclass(frozen=True, slots=True)
class Records:
    """Writes failure records as Lambda does.

    Parameters
    ----------
    write : callable
        Stores one: takes bucket, key and content.
    clock : callable
        Tells the time, seconds since the epoch.
    """

    write: Callable[[str, str, bytes], None]
    clock: Callable[[], float]

    def put(self, bucket: str, address: Address, record: dict[str, object]) -> None:
        """Store a record of an event of a function."""
        now = self.clock()
        record = {"version": "1.0", "timestamp": log_time(now), **record}
        time = datetime.fromtimestamp(now, UTC)
        name = f"{time:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
        self.write(bucket, f"aws/lambda/async/{address.name}/{name}", json.dumps(record).encode())


@dataclass(slots=True)
class _Queued:
    """An event, what has become of it so far, and what its function says of such events."""

    address: Address
    event: Event
    rules: EventInvoke
    expires: float
    attempts: int = 0
    throttles: int = 0
    version: str = ""
    ran: Ran | None = None
    running: bool = False


class EventQueue:
    """Delivers events until they have run, have failed for good or are too old. Belongs to one event loop.

    Parameters
    ----------
    runner : Runner
        Runs them.
    functions : Functions
        Who answers to a name.
    concurrency : Concurrency
        Says who may run.
    settings : Settings
        Times, and how reliably events are delivered.
    books : Books
        Counts them.
    records : Records
        Writes what failed.
    """

    def __init__(
        self,
        runner: Runner,
        functions: Functions,
        concurrency: Concurrency,
        settings: Settings,
        books: Books,
        records: Records,
    ) -> None:
        self._runner = runner
        self._functions = functions
        self._concurrency = concurrency
        self._settings = settings
        self._books = books
        self._records = records
        self._accepted = 0
        self._tasks: dict[asyncio.Task[None], _Queued] = {}

    @property
    def under_way(self) -> frozenset[asyncio.Task[None]]:
        """Of each copy of an event that is queued, runs or is being recorded."""
        return frozenset(self._tasks)

    def accept(self, address: Address, event: Event) -> None:
        """Take an event; its copies are delivered as `Settings.delivery` says."""
        self._books.count("AsyncEventsReceived")
        delays = self._settings.delivery(self._accepted)
        self._accepted += 1
        self._books.count("EventsLost", not delays)
        self._books.count("EventsDoubled", len(delays) > 1)
        for delay in delays:
            rules = self._functions.events(address)
            queued = _Queued(address, event, rules, _now() + rules.maximum_event_age)
            task = asyncio.get_running_loop().create_task(self._deliver(queued, delay))
            self._tasks[task] = queued
            task.add_done_callback(self._tasks.pop)

    def forget(self, name: str) -> None:
        """Drop the events of a function that do not run just now: it is no more."""
        for task, queued in self._tasks.items():
            if queued.address.name == name and not queued.running:
                task.cancel()

    async def close(self) -> None:
        """Forget all events."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver(self, queued: _Queued, delay: float) -> None:
        condition: str | None = None
        while condition is None:
            if _now() + delay >= queued.expires:
                await asyncio.sleep(max(0.0, queued.expires - _now()))
                condition = "EventAgeExceeded"
                break
            await asyncio.sleep(delay)
            attempts = queued.attempts
            if await self._attempt(queued):
                return
            if queued.attempts > queued.rules.maximum_retry_attempts or self._stopped(queued):
                condition = "RetriesExhausted"
            elif queued.attempts > attempts:
                delay = self._settings.retry_delays[min(attempts, len(self._settings.retry_delays) - 1)]
            else:
                first, most = self._settings.throttle_delays
                delay = min(first * 2**queued.throttles, most)
                queued.throttles += 1
        self._books.count("AsyncEventsDropped")
        await self._record(queued, condition)

    async def _attempt(self, queued: _Queued) -> bool:
        """Let an event run if it may; say whether it is done with."""
        version = self._functions.resolve(queued.address)
        if version is None:
            self._books.count("AsyncEventsDropped")
            return True
        if self._concurrency.enter(version.name) is not None:
            self._books.count("Throttles")
            return False
        order = Order(version, queued.address.qualifier, queued.event, "Event", queued.attempts + 1)
        queued.running = True
        try:
            queued.ran, _ = await self._runner.run(order, queued.expires)
        except (OSError, WrenmlError):  # a TimeoutError, too: then its age is exceeded
            return False
        finally:
            queued.running = False
            self._concurrency.leave(version.name)
        queued.attempts += 1
        queued.version = version.version
        return queued.ran.fault is None

    def _stopped(self, queued: _Queued) -> bool:
        """Whether the function's share is none: then its events are given up at once."""
        return self._functions.reserved.get(queued.address.name) == 0

    async def _record(self, queued: _Queued, condition: str) -> None:
        destination = queued.rules.on_failure
        if destination is None:
            return
        record: dict[str, object] = {
            "requestContext": {
                "requestId": queued.event.request_id,
                "functionArn": queued.event.arn,
                "condition": condition,
                "approximateInvokeCount": queued.attempts,
            },
            "requestPayload": json.loads(queued.event.payload),
        }
        if queued.ran is not None and queued.ran.fault is not None:
            context = {"statusCode": 200, "executedVersion": queued.version, "functionError": "Unhandled"}
            record |= {"responseContext": context, "responsePayload": json.loads(queued.ran.fault.body)}
        try:
            await asyncio.to_thread(self._records.put, destination.rpartition(":")[2], queued.address, record)
        except Exception:  # noqa: BLE001 - whatever a destination refuses with, Lambda only counts it
            self._books.count("DestinationDeliveryFailures")


def _now() -> float:
    return asyncio.get_running_loop().time()
