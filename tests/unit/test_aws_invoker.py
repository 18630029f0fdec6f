from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest

from tests.support.threads import no_more_threads
from wrenml.errors import StorageUnavailableError
from wrenml.invoke.aws.invoker import AwsInvoker
from wrenml.invoke.aws.target import Target
from wrenml.invoke.base import Event, FrameArrived, Limits, RequestOver, WorkerGone
from wrenml.storage import MemoryStorage
from wrenml.storage.base import Buffer
from wrenml.wire import Request

JOB = "0" * 16
PATIENCE = 20.0
TARGET = Target({1769: "fn"}, "v1", timeout=60.0, start_by=60.0)


class Lambda:
    """Takes every event, and runs none."""

    def __init__(self) -> None:
        self.taken = threading.Semaphore(0)

    def invoke(self, **_: object) -> Mapping[str, Any]:
        self.taken.release()
        return {"StatusCode": 202}

    def get_account_settings(self) -> Mapping[str, Any]:
        return {"AccountLimit": {"ConcurrentExecutions": 10}}


class Bucket(MemoryStorage):
    """Its reads fail while there is a reason."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: list[Exception] = []

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> Buffer:
        if self.reasons:
            raise self.reasons.pop()
        return super().get(key, start=start, stop=stop)


class Flights:
    """An invoker on storage in memory, and what it has told."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.storage, self.client, self.failures = Bucket(), Lambda(), MemoryStorage()
        target = TARGET._replace(time=lambda: time.time() - ahead)
        self.invoker = AwsInvoker(target, self.client, self.storage, self.failures, 10)
        self.events: list[Event] = []

    def send(self, first: int, attempt: int, *, count: int = 1, part: int = 1) -> None:
        self.invoker.invoke(Request(JOB, first, count, attempt, "", b"", (), part=part), b"", Limits())
        assert self.client.taken.acquire(timeout=PATIENCE)

    def outcome(self, name: str) -> None:
        self.storage.put(f"jobs/{JOB}/out/{name}", b"x")

    def fail(self, first: int, attempt: int, when: float) -> None:
        """Write what Lambda writes of an invocation that ended without an answer."""
        record = {
            "requestContext": {"condition": "RetriesExhausted"},
            "requestPayload": {"job": JOB, "calls": [first, 1], "attempt": attempt},
            "responsePayload": {"errorType": "Runtime.ExitError", "errorMessage": "exit status 3"},
        }
        stamp = time.strftime("%Y/%m/%d/%Y-%m-%dT%H.%M.%S", time.gmtime(when))
        self.failures.put(f"aws/lambda/async/fn/{stamp}-0", json.dumps(record).encode())

    def until(self, event: type[Event], attempt: int, eventually: Callable[..., None]) -> None:
        """Wait for the next such event of an attempt."""

        def told() -> bool:
            self.events += self.invoker.collect()
            return any(isinstance(one, event) and one.name[2] == attempt for one in self.events)

        eventually(told)
        self.events.clear()


@pytest.fixture
def flights() -> Iterator[Flights]:
    made = Flights()
    with closing(made.invoker):
        yield made


def test_what_a_lost_backup_backed_is_still_waited_for(flights: Flights, eventually: Callable[..., None]) -> None:
    flights.send(0, 1)
    flights.send(0, 2)
    flights.outcome("0000000000.2")
    flights.until(RequestOver, 2, eventually)
    assert flights.invoker.finish((JOB, 0, 2))

    flights.outcome("0000000000")

    flights.until(RequestOver, 1, eventually)


def test_what_a_backup_with_a_refused_outcome_backed_is_still_waited_for(
    flights: Flights, eventually: Callable[..., None]
) -> None:
    flights.send(0, 1)
    flights.send(0, 2)
    flights.outcome("0000000000")
    for _ in range(2):  # it is read once more, then removed
        flights.until(FrameArrived, 2, eventually)
        flights.invoker.refuse((JOB, 0, 2), f"jobs/{JOB}/out/0000000000")
    eventually(lambda: not list(flights.storage.list(f"jobs/{JOB}/out/")))

    flights.outcome("0000000000")

    flights.until(RequestOver, 1, eventually)


def test_a_backup_is_still_waited_for_when_what_it_backs_had_a_refused_outcome(
    flights: Flights, eventually: Callable[..., None]
) -> None:
    flights.send(0, 1)
    flights.outcome("0000000000")
    flights.until(RequestOver, 1, eventually)
    flights.invoker.refuse((JOB, 0, 1), f"jobs/{JOB}/out/0000000000")
    flights.until(FrameArrived, 1, eventually)
    flights.storage.delete([f"jobs/{JOB}/out/0000000000"])
    flights.send(0, 2)
    flights.invoker.refuse((JOB, 0, 1), f"jobs/{JOB}/out/0000000000")
    flights.until(WorkerGone, 1, eventually)

    flights.outcome("0000000000")

    flights.until(RequestOver, 2, eventually)


def test_an_outcome_that_cannot_be_read_again_at_once_is_read_later(
    flights: Flights, eventually: Callable[..., None]
) -> None:
    flights.send(0, 1)
    flights.outcome("0000000000")
    flights.until(RequestOver, 1, eventually)
    eventually(lambda: not flights.invoker._watches)  # noqa: SLF001  # nothing that it does says so
    flights.storage.reasons.append(StorageUnavailableError("away"))

    flights.invoker.refuse((JOB, 0, 1), f"jobs/{JOB}/out/0000000000")

    flights.until(RequestOver, 1, eventually)


def test_what_no_thread_can_be_started_for_takes_no_room(flights: Flights, eventually: Callable[..., None]) -> None:
    with no_more_threads(), pytest.raises(RuntimeError, match="thread"):
        flights.send(0, 1)
    assert flights.invoker.room(deep=False) == 10

    flights.send(0, 1)
    flights.outcome("0000000000")

    flights.until(RequestOver, 1, eventually)


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
def test_failure_records_are_found_though_this_clock_is_wrong(ahead: float, eventually: Callable[..., None]) -> None:
    flights = Flights(ahead)
    with closing(flights.invoker):
        flights.send(0, 1)
        flights.fail(0, 1, time.time() - ahead)

        flights.until(WorkerGone, 1, eventually)
