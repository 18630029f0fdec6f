"""How many requests a map costs: counted by the emulated AWS, so the numbers are exact."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.emulated import aws, emulator
from wrenml import Executor, aws_executor
from wrenml.testing import samples
from wrenml.testing.emulator import Emulator
from wrenml.testing.executor.base import PATIENCE

__all__ = ["aws", "emulator"]

pytestmark = pytest.mark.slow

# Beside 2.2 requests a call: 20 looks for outcomes; job spec, manifest and arguments.
CONSTANT = 23


@pytest.fixture(scope="module")
def executor(emulator: Emulator) -> Iterator[Executor]:
    emulator.install()
    with aws_executor(progress=False) as executor:
        executor.map(samples.square, range(4)).results(timeout=PATIENCE)
        yield executor


def cold_starts(aws: Emulator, before: int) -> int:
    return aws.functions.books.counts["ColdStarts"] - before


@pytest.mark.parametrize("calls", [1, 100, 1000])
def test_requests_of_a_map_of_small_calls(aws: Emulator, executor: Executor, calls: int) -> None:
    before = aws.functions.books.counts["ColdStarts"]

    assert executor.map(samples.square, range(calls)).results(timeout=PATIENCE)[-1] == (calls - 1) ** 2
    executor.session.monitor.flush(PATIENCE)

    counts = aws.requests.counts()
    assert aws.requests.count("Invoke") == calls
    assert counts["worker s3:PutObject"] == calls
    assert aws.requests.count("GetObject", caller="client") == calls
    states = sum(call.key.endswith("/state") for call in aws.requests.of("GetObject"))
    asked = aws.requests.count(service="s3") - states
    assert asked <= 2.2 * calls + cold_starts(aws, before) + CONSTANT, counts
    assert sum(counts.values()) == asked + states + calls, counts


def test_round_trips_on_the_way_of_one_call(aws: Emulator, executor: Executor) -> None:
    """Warm: the invocation, the worker's write, a list that shows it, and the read; what else there is goes beside."""
    executor.map(samples.square, [7]).results(timeout=PATIENCE)
    executor.session.monitor.flush(PATIENCE)

    [put] = aws.requests.of("PutObject", caller="worker")
    lists = aws.requests.of("ListObjectsV2")
    useful = [call for call in lists if call.moment >= put.moment]
    [get] = aws.requests.of("GetObject", caller="client")
    worker = [call for call in aws.requests.of(service="s3") if call.caller.name == "worker"]
    assert len(worker) == 1
    assert len(useful) <= 2
    assert get.moment >= put.moment


def test_an_empty_map_asks_for_nothing(aws: Emulator, executor: Executor) -> None:
    assert executor.map(samples.square, []).results() == []
    executor.session.monitor.flush(PATIENCE)

    assert len(aws.requests) == 0
