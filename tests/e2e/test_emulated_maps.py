"""Maps through the emulated AWS: real workers, sockets, signatures; and requests that fail as they do on AWS."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.emulated import aws, emulator
from wrenml import Executor, aws_executor
from wrenml.errors import CallTimeout, WorkerOutOfMemory
from wrenml.testing import samples
from wrenml.testing.emulator import Emulator
from wrenml.testing.emulator.faults import (
    ErrorBehindSuccess,
    Fault,
    Flip,
    LoseAnswer,
    Refuse,
    Reset,
    ShortPages,
    Truncate,
    Unsent,
)
from wrenml.testing.executor.base import PATIENCE

__all__ = ["aws", "emulator"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def executor(emulator: Emulator) -> Iterator[Executor]:
    emulator.install(memory_mb=(256, 1024), timeout=30, isolated=False)
    with aws_executor(progress=False) as executor:
        executor.map(samples.square, range(4)).results(timeout=PATIENCE)
        yield executor


def eat(megabytes: int) -> int:
    data = bytearray(megabytes << 20)
    data[::4096] = b"\1" * len(data[::4096])
    return sum(data) * 4096 >> 20


def test_a_call_that_needs_more_memory_gets_the_next_size(aws: Emulator, executor: Executor) -> None:
    assert executor.map(eat, [1, 400], memory_mb=(256, 1024)).results(timeout=PATIENCE) == [1, 400]

    assert aws.requests.count("Invoke") == 3


def test_a_call_that_needs_more_memory_than_there_is_says_how_much(executor: Executor) -> None:
    done, error = executor.map(eat, [1, 400]).exceptions(PATIENCE)

    assert done is None
    assert isinstance(error, WorkerOutOfMemory)
    assert error.memory_mb == 256
    assert error.peak_mb is not None
    assert error.peak_mb > 200


def test_the_functions_own_limit_says_where_the_call_was(emulator: Emulator) -> None:
    def stuck_in_this_function(_: object) -> None:
        while True:
            time.sleep(60)

    emulator.install(name="hasty", timeout=3)
    with aws_executor("hasty", progress=False) as hasty:
        error = hasty.map(stuck_in_this_function, [0]).exceptions(PATIENCE)[0]

    assert isinstance(error, CallTimeout)
    assert "stuck_in_this_function" in str(error)


def test_what_is_too_large_for_a_request_travels_by_the_bucket(aws: Emulator, executor: Executor) -> None:
    sizes = [10, 900_000, 3_000_000]

    assert executor.map(len, [os.urandom(size) for size in sizes]).results(timeout=PATIENCE) == sizes

    assert aws.requests.count("Invoke") == 3
    assert not [call for call in aws.requests if call.status >= 400]


def test_a_large_function_and_a_large_result(executor: Executor) -> None:
    table = np.arange(2_000_000.0)

    [doubled] = executor.map(lambda factor: table * factor, [2]).results(timeout=PATIENCE)

    assert np.array_equal(doubled, table * 2)


def test_what_the_package_lacks_is_named_with_the_remedy(emulator: Emulator) -> None:
    emulator.install(name="bare")
    with aws_executor("bare", progress=False) as bare:
        error = bare.map(np.sqrt, [4.0]).exceptions(PATIENCE)[0]

    assert isinstance(error, ModuleNotFoundError)
    assert "wrenml deploy --requirements" in "".join(error.__notes__)


def test_a_second_map_over_the_same_data_sends_it_again_in_no_request(aws: Emulator) -> None:
    table = np.arange(1_000_000.0)
    for expected in (8_000_000, 0):
        aws.requests.clear()
        with aws_executor(progress=False) as fresh:
            fresh.map(lambda row: table[row], [1, 2]).results(timeout=PATIENCE)
        sent = sum(call.received for call in aws.requests.of(service="s3", caller="client"))
        assert expected <= sent < expected + 100_000


def test_a_map_in_a_call_runs_in_that_call(aws: Emulator, executor: Executor) -> None:
    def nested(count: int) -> list[int]:
        from wrenml import default_executor  # noqa: PLC0415  # as a user's call does

        return default_executor().map(samples.square, range(count)).results()

    assert executor.map(nested, [3]).results(timeout=PATIENCE) == [[0, 1, 4]]
    assert aws.requests.count("Invoke") == 1


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("Invoke", Refuse(429, "TooManyRequestsException", reason="CallerRateLimitExceeded", retry_after=0)),
        ("Invoke", Refuse(500, "ServiceException")),
        ("Invoke", LoseAnswer()),
        ("Invoke", Reset()),
        ("PutObject", Refuse()),
        ("PutObject", LoseAnswer()),
        ("PutObject", Reset()),
        ("GetObject", Refuse()),
        ("GetObject", Truncate()),
        ("GetObject", Flip()),
        ("GetObject", Unsent()),
        ("ListObjectsV2", Refuse()),
        ("ListObjectsV2", ErrorBehindSuccess()),
        ("ListObjectsV2", ShortPages(1)),
        ("ListObjectsV2", Truncate()),
    ],
    ids=str,
)
def test_requests_that_fail_cost_no_result(aws: Emulator, executor: Executor, operation: str, fault: Fault) -> None:
    aws.faults.add(fault, operation=operation, times=3)

    assert executor.map(samples.square, range(8)).results(timeout=PATIENCE) == [x * x for x in range(8)]

    assert any(call.fault for call in aws.requests)


def test_a_client_whose_clock_is_wrong(aws: Emulator) -> None:
    aws.clock_offset = 40_000.0  # the workers keep the machine's time, so it cannot be behind theirs

    with aws_executor(progress=False) as executor:
        value = executor.map(samples.square, [3])[0].result(PATIENCE)

    assert value == 9


def test_credentials_that_expire_are_waited_for(aws: Emulator, executor: Executor) -> None:
    def nap(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    futures = executor.map(nap, [0.5] * 6, max_in_flight=2)
    aws.expire("client")
    refused = threading.Event()
    for _ in range(2000):
        if sum(call.status >= 400 for call in aws.requests) > 2:
            break
        refused.wait(0.01)
    aws.callers.expired.clear()

    assert futures.results(timeout=PATIENCE) == [0.5] * 6
    assert any(call.status >= 400 for call in aws.requests)


def test_two_clients_see_the_same_outcomes(aws: Emulator, executor: Executor) -> None:
    futures = executor.map(samples.reject_odd, range(6))
    seen = futures.results(errors="skip", timeout=PATIENCE)
    assert executor.session.monitor.flush(PATIENCE)

    with aws_executor(progress=False) as other:
        attached = other.attach(futures.id)
        assert attached.results(errors="skip", timeout=PATIENCE) == seen
        assert [type(error) for error in attached.exceptions(PATIENCE)] == [
            type(error) for error in futures.exceptions(PATIENCE)
        ]
    assert aws.requests.count("Invoke") == 6
