"""What goes wrong between client, Lambda and S3, on the mocked AWS: nothing hangs, nothing is lost."""

from __future__ import annotations

import json
import logging
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import boto3
import pytest

from tests.support.cloud import cloud_executor
from wrenml import auth
from wrenml.aws.deployment import function_name
from wrenml.errors import (
    AccessDeniedError,
    CallTimeout,
    ConfigError,
    JobBusyError,
    WorkerCrashed,
    WorkerLost,
    WorkerOutOfMemory,
)
from wrenml.monitor.records import read_job
from wrenml.outcome import HEAD_SIZE, RECORD, Status, seal_frame
from wrenml.storage import S3Storage
from wrenml.testing import samples
from wrenml.testing.executor.base import PATIENCE
from wrenml.testing.mocked import MockedAWS
from wrenml.testing.mocked.functions import Failure
from wrenml.testing.storage_faults import FlakyStorage, StorageFault, Strike

pytest_plugins = ["wrenml.testing.plugin"]

T = TypeVar("T")

short_lived = partial(cloud_executor, start_by=0.6, timeout=0.6, skew=0.3)


@pytest.fixture
def aws(wrenml_aws_module: MockedAWS) -> MockedAWS:
    wrenml_aws_module.reset_requests()
    return wrenml_aws_module


def test_a_dropped_event_is_invoked_again_when_its_lease_is_over(aws: MockedAWS) -> None:
    with short_lived(aws) as executor:
        executor.map(samples.square, [0]).results(timeout=PATIENCE)
        aws.drop_next()
        aws.reset_requests()

        assert executor.map(samples.square, [1, 2, 3]).results(timeout=PATIENCE) == [1, 4, 9]

        assert aws.requests["lambda.Invoke"] == 4


def test_a_call_whose_events_are_all_dropped_ends_as_lost(aws: MockedAWS) -> None:
    with short_lived(aws, infra_retries=1) as executor:
        aws.drop_next(2)

        error = executor.map(samples.square, [1]).exceptions(PATIENCE)[0]

    assert type(error) is WorkerLost
    assert "attempts: 2, which is all that infra_retries=1 allows" in "".join(error.__notes__)


def test_a_duplicate_event_changes_nothing(aws: MockedAWS) -> None:
    with cloud_executor(aws) as executor:
        aws.duplicate_next(3)

        futures = executor.map(samples.square, [1, 2, 3])

        assert futures.results(timeout=PATIENCE) == [1, 4, 9]
        assert executor.attach(futures.id).results(timeout=PATIENCE) == [1, 4, 9]


@pytest.mark.slow
def test_a_straggler_gets_a_backup_and_the_first_outcome_counts(aws: MockedAWS) -> None:
    with cloud_executor(aws) as executor:
        aws.drop_next()
        before = aws.requests["lambda.Invoke"]

        futures = executor.map(samples.square, range(20), speculate=True)

        assert futures.results(timeout=PATIENCE) == [x * x for x in range(20)]
        assert aws.requests["lambda.Invoke"] - before == 21
        assert executor.session.monitor.wait_until_idle(PATIENCE)


@pytest.mark.parametrize(
    ("deed", "kind"), [("crash", WorkerCrashed), ("memory", WorkerOutOfMemory), ("timeout", CallTimeout)]
)
def test_a_failure_record_is_read_as_an_outcome(aws: MockedAWS, deed: Failure, kind: type[Exception]) -> None:
    with cloud_executor(aws, infra_retries=0) as executor:
        aws.fail_next(by=deed)

        error = executor.map(samples.square, [1]).exceptions(PATIENCE)[0]

    assert type(error) is kind


def test_an_environment_that_died_is_replaced(aws: MockedAWS) -> None:
    with cloud_executor(aws) as executor:
        aws.fail_next(2)

        assert executor.map(samples.square, range(5)).results(timeout=PATIENCE) == [0, 1, 4, 9, 16]


def test_throttles_fail_no_call(aws: MockedAWS) -> None:
    with cloud_executor(aws) as executor:
        aws.throttle(6, retry_after=0)

        assert executor.map(samples.square, range(8)).results(timeout=PATIENCE) == [x * x for x in range(8)]


class Canary:
    """Says so when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def _forged(aws: MockedAWS, key: str, data: bytes) -> None:
    boto3.client("s3").put_object(Bucket=aws.bucket, Key=key, Body=data)


@pytest.mark.parametrize("kind", ["garbage", "pickle", "truncated"])
def test_a_forged_outcome_is_removed_and_the_call_run(
    aws: MockedAWS, kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gate, canary = tmp_path / "gate", tmp_path / "canary"
    with cloud_executor(aws) as executor, caplog.at_level(logging.WARNING, "wrenml"):
        first = executor.map(samples.square, [3])
        first.results(timeout=PATIENCE)
        real = executor.session.storage.get(f"jobs/{first.id}/out/0000000000")
        futures = executor.map(samples.announce_and_wait, [(str(tmp_path / "at"), str(gate))])
        forged = {
            "garbage": b"x" * 1000,
            "pickle": bytes(real)[:HEAD_SIZE] + pickle.dumps(Canary(canary)),
            "truncated": bytes(real)[:-1],
        }
        _forged(aws, f"jobs/{futures.id}/out/0000000000", forged[kind])
        _until(lambda: "was refused" in caplog.text)
        gate.touch()

        assert futures.results(timeout=PATIENCE)[0] > 0

    assert not canary.exists()


def _success(key: bytes, job: str, invocation: tuple[int, int], call: int, body: bytes) -> bytes:
    record = RECORD.pack(call, Status.SUCCESS, 0, 0, 0, time.time(), 1, 0, len(body))
    return seal_frame(key, job, invocation, record, b"", [body], stored=time.time(), worker=bytes(8)) + body


def test_an_outcome_signed_with_a_key_from_a_failure_record_is_refused(
    aws: MockedAWS, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who reads failure records and writes to the bucket has the key of the attempt that has failed."""
    gate, canary = tmp_path / "gate", tmp_path / "canary"
    with cloud_executor(aws) as executor, caplog.at_level(logging.WARNING, "wrenml"):
        executor.map(samples.square, [1]).results(timeout=PATIENCE)
        aws.fail_next()
        futures = executor.map(samples.announce_and_wait, [(str(tmp_path / "at"), str(gate))])
        _until((tmp_path / "at").exists)  # the second attempt
        key = auth.invocation_key(auth.job_key(executor.session.root.key, futures.id), 0, 1)
        forged = _success(key, futures.id, (0, 1), 0, pickle.dumps(Canary(canary)))
        _forged(aws, f"jobs/{futures.id}/out/0000000000", forged)
        _until(lambda: "its key became known" in caplog.text)
        gate.touch()

        assert futures.results(timeout=PATIENCE)[0] > 0

    assert not canary.exists()


def test_a_failure_record_that_comes_late_tells_that_its_key_is_known(
    aws: MockedAWS, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The attempt is over already, for another reason, and the next one runs."""
    gate = tmp_path / "gate"
    with cloud_executor(aws) as executor, caplog.at_level(logging.WARNING, "wrenml"):
        futures = executor.map(samples.announce_and_wait, [(str(tmp_path / "at"), str(gate))])
        _until((tmp_path / "at").exists)
        _forged(aws, f"jobs/{futures.id}/out/0000000000", b"x" * 1000)
        _until(lambda: aws.requests["lambda.Invoke"] == 2)
        record = {
            "requestContext": {"condition": "RetriesExhausted"},
            "requestPayload": {"job": futures.id, "calls": [0, 1], "attempt": 1},
            "responsePayload": {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out"},
        }
        stamp = time.strftime("%Y/%m/%d/%Y-%m-%dT%H.%M.%S", time.gmtime())
        place = f"aws/lambda/async/{function_name(aws.stack, 1769)}/{stamp}-late"
        boto3.client("s3").put_object(Bucket=aws.failures, Key=place, Body=json.dumps(record).encode())

        _until(lambda: (0, 1) in executor.session.jobs[futures.id].exposed)

        gate.touch()
        assert futures.results(timeout=PATIENCE)[0] > 0


def test_the_key_of_one_invocation_is_good_for_its_own_calls_only(
    aws: MockedAWS, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of an invocation whose outcome was there all the same, nobody notices that a failure record told its key."""
    canary = tmp_path / "canary"
    with cloud_executor(aws) as executor, caplog.at_level(logging.WARNING, "wrenml"):
        futures = executor.map(
            samples.announce_and_wait, [(str(tmp_path / f"at{i}"), str(tmp_path / f"gate{i}")) for i in range(2)]
        )
        _until((tmp_path / "at1").exists)
        (tmp_path / "gate0").touch()
        futures[0].result(PATIENCE)
        key = auth.invocation_key(auth.job_key(executor.session.root.key, futures.id), 0, 1)
        forged = _success(key, futures.id, (0, 1), 1, pickle.dumps(Canary(canary)))
        _forged(aws, f"jobs/{futures.id}/out/0000000001", forged)
        _until(lambda: "was not given" in caplog.text)
        assert futures.id in caplog.text
        attached = executor.attach(futures.id)
        (tmp_path / "gate1").touch()

        assert futures.results(timeout=PATIENCE)[1] > 0
        assert attached.results(timeout=PATIENCE)[1] > 0

    assert not canary.exists()


def test_who_attaches_believes_the_key_of_an_invocation_for_its_own_calls_only(aws: MockedAWS) -> None:
    with cloud_executor(aws) as executor:
        futures = executor.map(samples.square, [1, 2])
        futures.results(timeout=PATIENCE)
        storage, root = executor.session.storage, executor.session.root.key
        place = f"jobs/{futures.id}/out/0000000001"
        storage.delete([place])
        forged = _success(
            auth.invocation_key(auth.job_key(root, futures.id), 0, 1), futures.id, (0, 1), 1, pickle.dumps(5)
        )
        _forged(aws, place, forged)

        record = read_job(storage, root, futures.id)

    assert (list(record.found), record.refused) == ([0], 1)


def test_another_calls_outcome_under_this_ones_name_hides_nothing(
    aws: MockedAWS, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with cloud_executor(aws) as executor, caplog.at_level(logging.WARNING, "wrenml"):
        futures = executor.map(
            samples.announce_and_wait, [(str(tmp_path / f"at{i}"), str(tmp_path / f"gate{i}")) for i in range(2)]
        )
        _until((tmp_path / "at1").exists)
        (tmp_path / "gate0").touch()
        futures[0].result(PATIENCE)
        _forged(
            aws,
            f"jobs/{futures.id}/out/0000000001",
            bytes(executor.session.storage.get(f"jobs/{futures.id}/out/0000000000")),
        )
        _until(lambda: "is the outcome of other calls" in caplog.text)
        (tmp_path / "gate1").touch()

        assert futures.results(timeout=PATIENCE)[1] > 0


def test_another_jobs_outcome_hides_nothing(aws: MockedAWS, tmp_path: Path) -> None:
    with cloud_executor(aws) as executor:
        futures = executor.map(samples.square, [1])
        futures.results(timeout=PATIENCE)
        outcome = bytes(executor.session.storage.get(f"jobs/{futures.id}/out/0000000000"))
        again = executor.map(samples.announce_and_wait, [(str(tmp_path / "2"), str(tmp_path / "later"))])
        _forged(aws, f"jobs/{again.id}/out/0000000000", outcome)
        (tmp_path / "later").touch()

        assert again.results(timeout=PATIENCE)[0] > 0


def test_another_calls_outcome_in_the_way_of_the_clients_own_ends_no_wait(aws: MockedAWS) -> None:
    class Raced(FlakyStorage):
        """Whatever the client commits, somebody has put another call's outcome there just before."""

        def _run(self, verb: str, key: str, act: Callable[[], T]) -> tuple[T, Strike | None]:
            if verb == "commit":
                [there] = self.list(f"jobs/{key}/out/")
                other = int(there[-10:])
                self.put(f"jobs/{key}/out/{1 - other:010d}", self.get(there))
            return super()._run(verb, key, act)

    with short_lived(aws, infra_retries=0, wrap=Raced) as executor:
        executor.map(samples.square, [0]).results(timeout=PATIENCE)
        aws.drop_next()

        errors = executor.map(samples.square, [1, 2]).exceptions(PATIENCE)

    assert sorted(type(error).__name__ for error in errors) == ["NoneType", "WorkerLost"]


@pytest.mark.parametrize(
    "fault",
    [
        StorageFault("get", Strike.FLIP, "/out/", times=1),
        StorageFault("get", Strike.TRUNCATE, "/out/", times=1),
        StorageFault("get", Strike.REFUSE, "/out/", times=3),
        StorageFault("list", Strike.REFUSE, "/out/", times=2),
        StorageFault("put", Strike.REFUSE, "/manifest"),
        StorageFault("put", Strike.LOSE_ANSWER, "/args/"),
    ],
    ids=["flipped", "truncated", "unread", "unlisted", "no manifest", "lost answer"],
)
def test_storage_faults_on_the_clients_side_cost_no_result(aws: MockedAWS, fault: StorageFault) -> None:
    flaky: list[FlakyStorage] = []

    def wrap(inner: S3Storage) -> FlakyStorage:
        flaky.append(FlakyStorage(inner, [fault]))
        return flaky[0]

    with cloud_executor(aws, wrap=wrap) as executor:
        assert executor.map(samples.square, range(6)).results(timeout=PATIENCE) == [x * x for x in range(6)]

    assert fault in flaky[0].struck


def test_cached_results_that_are_slow_to_be_stored_hold_up_no_other_map(aws: MockedAWS) -> None:
    storing, goes_on = threading.Event(), threading.Event()

    class Slow(FlakyStorage):
        def _run(self, verb: str, key: str, act: Callable[[], T]) -> tuple[T, Strike | None]:
            if verb == "commit":
                storing.set()
                goes_on.wait(PATIENCE)
            return super()._run(verb, key, act)

    with cloud_executor(aws, wrap=Slow) as executor:
        executor.map(samples.square, [1, 2], cache="slow").results(timeout=PATIENCE)
        found: list[int] = []
        cached = threading.Thread(
            target=lambda: found.extend(executor.map(samples.square, [1, 2], cache="slow").results())
        )
        other = threading.Thread(target=lambda: found.extend(executor.map(samples.square, [3]).results()))
        cached.start()
        assert storing.wait(PATIENCE)

        other.start()
        other.join(PATIENCE / 4)

        before = found.copy()
        goes_on.set()
        cached.join(PATIENCE)
        other.join(PATIENCE)
    assert before == [9]
    assert found == [9, 1, 4]


def test_a_bucket_that_may_not_be_listed_is_said_at_once(aws: MockedAWS, tmp_path: Path) -> None:
    class Forbidden(FlakyStorage):
        def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
            raise AccessDeniedError(f"s3:ListBucket on {prefix}{after} was refused")

    with cloud_executor(aws, wrap=Forbidden) as executor:
        waiting = executor.map(samples.announce_and_wait, [(str(tmp_path / "0"), str(tmp_path / "gate"))])
        error = waiting.exceptions(PATIENCE)[0]
        (tmp_path / "gate").touch()

    assert type(error) is AccessDeniedError
    assert "s3:ListBucket" in str(error)


def test_a_bucket_that_no_longer_answers_as_aws_would_ends_the_map(aws: MockedAWS) -> None:
    reason = "s3:ListBucket was not answered as AWS would: certificate verify failed"

    class Intercepted(FlakyStorage):
        """Everything fails for a reason that is no storage's, such as a proxy whose certificate is not believed."""

        def _run(self, verb: str, key: str, act: Callable[[], T]) -> tuple[T, Strike | None]:
            if verb in {"list", "commit"}:
                raise ConfigError(reason)
            return super()._run(verb, key, act)

    with cloud_executor(aws, wrap=Intercepted) as executor:
        error = executor.map(samples.square, [1]).exceptions(PATIENCE)[0]

    assert type(error) is ConfigError
    assert reason in str(error)


def test_cancelled_calls_are_cancelled_for_everybody(aws: MockedAWS, tmp_path: Path) -> None:
    gate = str(tmp_path / "gate")
    with cloud_executor(aws) as executor, cloud_executor(aws) as other:
        futures = executor.map(samples.announce_and_wait, [(str(tmp_path / f"{i}"), gate) for i in range(5)])
        _until(lambda: any(tmp_path.iterdir()))
        futures.cancel()
        Path(gate).touch()
        executor.shutdown()

        attached = other.attach(futures.id)

        _until(lambda: all(future.done() for future in attached))
        assert all(future.cancelled() for future in attached)


def test_what_a_dead_clients_workers_still_finish_is_found(aws: MockedAWS, tmp_path: Path) -> None:
    """The second client does not know that the first is gone, only that outcomes still come."""
    gate = tmp_path / "gate"
    with cloud_executor(aws) as executor, cloud_executor(aws) as other:
        futures = executor.map(samples.announce_and_wait, [(str(tmp_path / "0"), str(gate))])
        _until((tmp_path / "0").exists)
        stored = executor.session.storage
        _until(lambda: len(list(stored.list(f"jobs/{futures.id}/"))) == 2)  # manifest and arguments
        attached = other.attach(futures.id)
        assert not attached[0].done()
        gate.touch()

        assert attached[0].result(PATIENCE) == futures[0].result(PATIENCE)


def test_calls_that_were_run_again_may_be_run_again(aws: MockedAWS, tmp_path: Path) -> None:
    with cloud_executor(aws) as executor, cloud_executor(aws) as other:
        futures = executor.map(samples.fail_first, [(str(tmp_path / "tries"), 2)])
        assert isinstance(futures.exceptions(PATIENCE)[0], ConnectionError)
        assert executor.session.monitor.flush(PATIENCE)
        attached = other.attach(futures.id)
        assert isinstance(futures.retry_failed().exceptions(PATIENCE)[0], ConnectionError)
        assert executor.session.monitor.flush(PATIENCE)

        assert attached.retry_failed().results(timeout=PATIENCE) == [3]


def test_calls_that_another_client_runs_again_are_left_alone(aws: MockedAWS, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    def fail_then_wait(started: str) -> str:
        if not Path(started).exists():
            Path(started).touch()
            raise ConnectionError
        return samples.wait_for_file(str(gate))

    with cloud_executor(aws) as executor, cloud_executor(aws) as other:
        futures = executor.map(fail_then_wait, [str(tmp_path / "started")])
        assert isinstance(futures.exceptions(PATIENCE)[0], ConnectionError)
        assert executor.session.monitor.flush(PATIENCE)
        attached = other.attach(futures.id)
        running = futures.retry_failed()
        assert executor.session.monitor.flush(PATIENCE)

        with pytest.raises(JobBusyError, match=running.id):
            attached.retry_failed()

        gate.touch()
        assert running.results(timeout=PATIENCE) == [str(gate)]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.01)
