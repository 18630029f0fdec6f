"""Maps through the mocked AWS, from `default_executor` to results."""

from __future__ import annotations

import importlib
import pickle
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import boto3
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.cloud import cloud_executor
from wrenml import Executor, aws_executor, default_executor
from wrenml.errors import CallTimeout, WorkerLost
from wrenml.events import CallsThrottled, Event
from wrenml.testing import samples
from wrenml.testing.executor.base import PATIENCE
from wrenml.testing.mocked import MockedAWS
from wrenml.testing.mocked.functions import Failure

pytest_plugins = ["wrenml.testing.plugin"]
pytestmark = pytest.mark.slow

Eventually = Callable[..., None]


@pytest.fixture
def aws(wrenml_aws_module: MockedAWS) -> MockedAWS:
    wrenml_aws_module.reset_requests()
    return wrenml_aws_module


@pytest.fixture
def executor(aws: MockedAWS) -> Executor:
    assert aws.stack == "wrenml"
    return default_executor()


def test_a_map_is_an_invocation_for_each_element(aws: MockedAWS, executor: Executor) -> None:
    assert executor.map(samples.square, range(20)).results(timeout=PATIENCE) == [x * x for x in range(20)]

    assert aws.requests["lambda.Invoke"] == 20
    assert aws.requests_of("worker")["s3.PutObject"] == 20
    assert default_executor() is executor


def test_an_exception_has_its_type_and_the_workers_traceback(executor: Executor) -> None:
    futures = executor.map(samples.reject_odd, range(4))

    with pytest.raises(ValueError, match="1 is odd") as caught:
        futures.results(timeout=PATIENCE)

    assert "in reject_odd" in "".join(traceback.format_exception(caught.value))
    assert futures.results(errors="skip", timeout=PATIENCE) == [(0, 0), (2, 2)]


def test_what_calls_print_is_kept(executor: Executor) -> None:
    futures = executor.map(print, ["first", "second"])
    futures.results(timeout=PATIENCE)

    assert [futures.logs(index) for index in range(2)] == ["first\n", "second\n"]


def test_a_large_array_is_stored_once_and_changes_stay_private(aws: MockedAWS, executor: Executor) -> None:
    def change(data: NDArray[np.float64], at: int) -> float:
        data[at] += 1
        return float(data.sum())

    data = np.zeros(1 << 18)

    futures = executor.starmap(change, [(data, at) for at in range(4)])

    assert futures.results(timeout=PATIENCE) == [1.0] * 4
    listed = boto3.client("s3").list_objects_v2(Bucket=aws.bucket, Prefix="blobs/")["Contents"]
    assert sum(entry["Size"] >= data.nbytes for entry in listed) == 1


def test_results_go_from_worker_to_worker(aws: MockedAWS, executor: Executor) -> None:
    squares = executor.map(samples.square, range(4))
    added = executor.reduce(samples.total, squares[2:])

    assert executor.map_reduce(samples.square, range(4), samples.total).result(PATIENCE) == 14
    assert executor.submit(samples.gather, added, also=[added]).result(PATIENCE) == ((13,), {"also": [13]})
    assert aws.requests["lambda.Invoke"] == 4 + 1 + 4 + 1 + 1


def test_a_call_that_takes_too_long(executor: Executor) -> None:
    error = executor.map(time.sleep, [60], timeout=0.3).exceptions(PATIENCE)[0]

    assert isinstance(error, CallTimeout)


def test_retries_run_where_the_call_ran(aws: MockedAWS, executor: Executor, tmp_path: Path) -> None:
    futures = executor.map(samples.fail_first, [(str(tmp_path / "tries"), 2)], retries=2)

    assert futures.results(timeout=PATIENCE) == [3]
    assert aws.requests["lambda.Invoke"] == 1


def test_cancelling_what_runs_and_what_waits(executor: Executor, tmp_path: Path, eventually: Eventually) -> None:
    futures = executor.map(
        samples.announce_and_wait, [(str(tmp_path / f"{i}"), str(tmp_path / "gate")) for i in range(9)]
    )
    eventually(lambda: any(tmp_path.iterdir()))

    assert futures.cancel() == 9

    assert all(future.cancelled() for future in futures)
    (tmp_path / "gate").touch()


def test_chunks_are_invocations(aws: MockedAWS, executor: Executor) -> None:
    futures = executor.map(samples.reject_odd, range(10), chunksize=5)

    assert [pair[0] for pair in futures.results(errors="skip", timeout=PATIENCE)] == [0, 2, 4, 6, 8]
    assert aws.requests["lambda.Invoke"] == 2


def test_streams(executor: Executor) -> None:
    assert list(executor.imap(samples.square, iter(range(30)), window=8)) == [x * x for x in range(30)]


def test_another_executor_attaches(aws: MockedAWS, executor: Executor) -> None:
    futures = executor.map(samples.reject_odd, range(4))
    outcomes = futures.results(errors="return", timeout=PATIENCE)
    pickled = pickle.dumps(futures[2])

    with aws.executor() as other:
        attached = other.attach(futures.id)

        assert str(attached.results(errors="return", timeout=PATIENCE)) == str(outcomes)
        assert pickle.loads(pickled).result(PATIENCE) == 2


@pytest.mark.parametrize("by", ["crash", "timeout", "memory"])
def test_an_environment_that_ends_costs_one_more_invocation(aws: MockedAWS, executor: Executor, by: Failure) -> None:
    aws.fail_next(by=by)

    assert executor.map(samples.square, [3], memory_mb=1769).results(timeout=PATIENCE) == [9]
    assert aws.requests["lambda.Invoke"] == 2


def test_environments_that_always_end_are_an_error(aws: MockedAWS, executor: Executor) -> None:
    aws.fail_next(2)

    error = executor.map(samples.square, [3], infra_retries=1).exceptions(PATIENCE)[0]

    assert isinstance(error, WorkerLost)
    assert aws.requests["lambda.Invoke"] == 2


def test_throttled_and_duplicated_invocations_change_nothing(aws: MockedAWS, executor: Executor) -> None:
    aws.throttle(2, retry_after=0)
    aws.duplicate_next(3)

    assert executor.map(samples.square, range(6)).results(timeout=PATIENCE) == [x * x for x in range(6)]
    assert aws.requests["lambda.Invoke"] == 8


def test_observers_are_told_of_throttles(aws: MockedAWS) -> None:
    throttled: list[CallsThrottled] = []

    def note(event: Event) -> None:
        if isinstance(event, CallsThrottled):
            throttled.append(event)

    with cloud_executor(aws) as executor:
        executor.observe(note)
        aws.throttle(6, retry_after=0)
        futures = executor.map(samples.square, range(8))

        assert futures.results(timeout=PATIENCE) == [x * x for x in range(8)]

    assert {event.job for event in throttled} == {futures.id}
    assert all(1 <= event.window < 8 for event in throttled)


def test_local_modules_travel(executor: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "only_on_this_machine.py").write_text("def triple(x):\n    return 3 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    triple = importlib.import_module("only_on_this_machine").triple

    assert executor.map(triple, [2]).results(timeout=PATIENCE) == [6]
    with pytest.raises(ModuleNotFoundError):
        executor.map(triple, [2], exclude_modules=["only_on_this_machine"]).results(timeout=PATIENCE)


def test_settings_of_files_do_not_count(aws: MockedAWS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = '[tool.wrenml]\nbackend = "inline"\nstack = "production"\nprofile = "ops"\nregion = "eu-west-1"\n'
    (tmp_path / "pyproject.toml").write_text(settings)
    monkeypatch.chdir(tmp_path)

    for executor in (default_executor(name="one"), aws_executor()):
        assert executor.storage.url.startswith(aws.deployment.storage_url)
