"""What goes wrong on Lambda, with real workers on the emulated AWS: nothing hangs, nothing is lost or doubled."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import NamedTuple, cast

import pytest

from tests.support.cloud import cloud_executor
from tests.support.emulated import aws, emulator
from wrenml.aws.deployment import Deployment
from wrenml.errors import WorkerCrashed, WorkerLost, WorkerOutOfMemory
from wrenml.testing import samples
from wrenml.testing.emulator import Emulator
from wrenml.testing.emulator.killing import KillSender
from wrenml.testing.emulator.recording import Call
from wrenml.testing.emulator.settings import shaky_delivery
from wrenml.testing.emulator.stack import default_package
from wrenml.testing.executor.base import PATIENCE
from wrenml.testing.mocked import MockedAWS

__all__ = ["aws", "emulator"]

pytestmark = pytest.mark.slow


class Stack(NamedTuple):
    """What an executor needs to know of an account."""

    deployment: Deployment
    stack: str


@pytest.fixture(scope="module")
def stack(emulator: Emulator) -> MockedAWS:
    return installed(emulator, "wrenml")


@pytest.fixture(autouse=True)
def _quiet(aws: Emulator) -> None:
    """Earlier tests' events have ended."""
    assert aws.functions.settle(PATIENCE)
    aws.functions.books.clear()


def installed(aws: Emulator, name: str, memory_mb: int = 1769) -> MockedAWS:
    """Install a stack whose workers are warm when it is needed."""
    stack = cast("MockedAWS", Stack(aws.install(name=name, memory_mb=(memory_mb,)), name))
    with cloud_executor(stack) as executor:
        executor.map(samples.square, range(4)).results(timeout=PATIENCE)
    return stack


def an_outcome(call: Call) -> bool:
    return call.operation == "PutObject" and "/out/" in call.key


@pytest.mark.parametrize(("seed", "freeze"), [(1, False), (2, True)])
def test_events_that_come_twice_late_or_never(aws: Emulator, stack: MockedAWS, seed: int, *, freeze: bool) -> None:
    aws.functions.settings.freeze = freeze
    delivery = shaky_delivery(seed, doubled=0.25, dropped=0.15, late=0.1, seconds=1.0)
    aws.functions.settings.delivery = lambda number: delivery(number % 24)
    with cloud_executor(stack, start_by=0.8, timeout=0.8, skew=0.4, infra_retries=6) as executor:
        values = executor.map(samples.square, range(24)).results(timeout=PATIENCE)

    assert values == [x * x for x in range(24)]
    counts = aws.functions.books.counts
    assert counts["EventsLost"] > 0
    assert counts["EventsDoubled"] > 0


def test_a_worker_that_dies_before_its_outcome_is_stored_is_replaced(aws: Emulator, stack: MockedAWS) -> None:
    aws.faults.add(KillSender(aws.functions), when=an_outcome, times=3)
    with cloud_executor(stack, start_by=20, timeout=20, skew=20) as executor:
        values = executor.map(samples.square, range(8)).results(timeout=PATIENCE)

    assert values == [x * x for x in range(8)]
    assert aws.functions.books.counts["Errors"] == 3


def test_a_worker_that_dies_after_its_outcome_is_stored_has_done_its_work(aws: Emulator, stack: MockedAWS) -> None:
    aws.faults.add(KillSender(aws.functions, done=True), when=an_outcome, times=3)
    with cloud_executor(stack) as executor:
        values = executor.map(samples.square, range(8)).results(timeout=PATIENCE)

    assert values == [x * x for x in range(8)]
    assert aws.requests.count("Invoke") == 8


def test_a_call_that_kills_its_environment_is_named(aws: Emulator, stack: MockedAWS) -> None:
    def end_all(_: object) -> None:
        os.kill(os.getppid(), signal.SIGABRT)

    with cloud_executor(stack, infra_retries=1) as executor:
        error = executor.map(end_all, [0]).exceptions(PATIENCE)[0]

    assert isinstance(error, WorkerCrashed)
    assert aws.functions.books.counts["AsyncEventsDropped"] == 2


@pytest.mark.parametrize("what", ["process", "environment"])
def test_out_of_memory_whoever_is_killed_for_it(aws: Emulator, what: str) -> None:
    settings = aws.functions.settings
    settings.out_of_memory = "process" if what == "process" else "environment"
    small = installed(aws, f"small-{what}", 192)
    with cloud_executor(small, infra_retries=0) as executor:
        error, size = executor.map(samples.big, [600_000_000, 10]).exceptions(PATIENCE)

    assert type(error) is WorkerOutOfMemory
    assert size is None


def test_throttled_events_wait_and_run(aws: Emulator, stack: MockedAWS) -> None:
    aws.functions.settings.account_concurrency = 1
    aws.functions.settings.throttle_delays = (0.05, 0.1)
    with cloud_executor(stack) as executor:
        values = executor.map(samples.square, range(8)).results(timeout=PATIENCE)

    assert values == [x * x for x in range(8)]
    assert aws.functions.books.counts["Throttles"] > 0
    assert aws.functions.books.concurrency[1] == 1


def test_a_stopped_function_ends_the_map(aws: Emulator, stack: MockedAWS) -> None:
    aws.functions.reserve("wrenml-1769", 0)
    try:
        with cloud_executor(stack, infra_retries=1) as executor:
            errors = executor.map(samples.square, range(3)).exceptions(PATIENCE)
    finally:
        aws.functions.reserve("wrenml-1769", None)

    assert [isinstance(error, WorkerLost) for error in errors] == [True] * 3
    assert aws.functions.books.reports == ()


def test_a_package_that_does_not_load_says_why(aws: Emulator, tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text("import a_module_that_is_missing\n")
    broken = cast("MockedAWS", Stack(aws.install(name="broken", package=tmp_path), "broken"))
    with cloud_executor(broken, infra_retries=0) as executor:
        error = executor.map(samples.square, [1]).exceptions(PATIENCE)[0]

    assert isinstance(error, WorkerLost)
    assert "a_module_that_is_missing" in str(error)


def test_a_cold_start_that_takes_too_long_still_runs(aws: Emulator, tmp_path: Path) -> None:
    aws.functions.settings.init_seconds = 0.5
    package = default_package(tmp_path / "package")
    handler = package / "handler.py"
    handler.write_text(handler.read_text().replace("_remote =", "__import__('time').sleep(1.0)\n_remote ="))
    slow = cast("MockedAWS", Stack(aws.install(name="slow", package=package), "slow"))

    with cloud_executor(slow) as executor:
        assert executor.map(samples.square, [3]).results(timeout=PATIENCE) == [9]

    [report] = aws.functions.books.reports
    assert report.init_ms == 0
    assert report.duration_ms > 1000
