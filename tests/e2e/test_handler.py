from __future__ import annotations

import ctypes
import json
import operator
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.support.jobs import SentJob
from tests.support.lambdas import LambdaEnvironment
from wrenml.errors import AuthenticationError, CallExited, CallTimeout, VersionMismatchError, WorkerCrashed
from wrenml.outcome import Status
from wrenml.storage import S3Storage, Storage
from wrenml.wire import blob_key

pytestmark = pytest.mark.slow

HANDLER = Path(__file__).parents[2] / "handler" / "handler.py"
MARKER = "only_in_the_package"
_jobs = count()

NewJob = Callable[..., SentJob]


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    """The variables of an AWS that has only S3, on a server of its own, so that other processes reach it too."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    variables = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="bucket")
        yield variables
    server.stop()


@pytest.fixture(scope="module")
def bucket(aws: dict[str, str]) -> S3Storage:
    assert aws
    return S3Storage("s3://bucket/stack")


@pytest.fixture(scope="module")
def environment(aws: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LambdaEnvironment]:
    """The real handler under AWS's own runtime client, warm from test to test."""
    task = tmp_path_factory.mktemp("task")
    shutil.copy(HANDLER, task)
    (task / f"{MARKER}.py").write_text("def answer(x):\n    return x + 42\n")
    environment = LambdaEnvironment(task, aws)
    yield environment
    environment.close()


@pytest.fixture
def new_job(bucket: S3Storage) -> NewJob:
    def make(fn: Callable[..., object], items: list[Any], **settings: object) -> SentJob:
        return SentJob(bucket, fn, items, settings, id=f"{next(_jobs):016x}")

    return make


def run(environment: LambdaEnvironment, job: SentJob, timeout: float = 60.0, **changes: object) -> Mapping[str, object]:
    answer = environment.invoke(job.event(**changes), timeout)
    assert not answer.failed, answer.body
    counts: Mapping[str, object] = answer.body
    return counts


def test_each_call_is_an_object_of_its_own(environment: LambdaEnvironment, new_job: NewJob) -> None:
    job = new_job(operator.neg, [1, 2, 3])

    assert run(environment, job) == {"committed": 3, "duplicates": 0, "late": 0}

    assert job.values() == [-1, -2, -3]
    assert [read.key for read in job.outcomes()] == ["0000000000", "0000000001", "0000000002"]


def test_an_exception_comes_back_as_its_own_type(environment: LambdaEnvironment, new_job: NewJob) -> None:
    job = new_job(operator.truediv, [(1, 0), (1, 2)], applied="star")

    run(environment, job)

    [failed, half] = job.values()
    assert isinstance(failed, ZeroDivisionError)
    assert half == 0.5


def test_a_call_does_not_know_where_events_come_from(environment: LambdaEnvironment, new_job: NewJob) -> None:
    job = new_job(os.environ.get, ["AWS_LAMBDA_RUNTIME_API", "AWS_DEFAULT_REGION"])

    run(environment, job)

    assert job.values() == [None, "us-east-1"]


def test_what_a_call_prints_is_in_its_outcome(environment: LambdaEnvironment, new_job: NewJob) -> None:
    job = new_job(print, ["first", "second"])

    run(environment, job)

    assert [read.log for read in job.outcomes()] == ["first\n", "second\n"]


def test_exits_are_outcomes_and_the_environment_goes_on(environment: LambdaEnvironment, new_job: NewJob) -> None:
    politely = new_job(sys.exit, [3, 0])
    at_once = new_job(os._exit, [4, 0])

    run(environment, politely)
    run(environment, at_once)

    codes = [error.code for error in politely.values() + at_once.values() if isinstance(error, CallExited)]
    assert codes == [3, 0, 4, 0]


def test_an_exit_brings_no_other_calls_output(environment: LambdaEnvironment, new_job: NewJob) -> None:
    run(environment, new_job(print, ["a secret"]))
    job = new_job(os._exit, [1])

    run(environment, job)

    assert job.outcomes()[0].log == ""


def test_a_segmentation_fault_is_lost_not_final(environment: LambdaEnvironment, new_job: NewJob) -> None:
    job = new_job(ctypes.string_at, [0, b"after"])

    run(environment, job)

    [after, crashed] = sorted(job.outcomes(), key=lambda read: read.lost)
    assert after.value == b"after"
    assert crashed.key == "0000000000.1"
    assert isinstance(crashed.value, WorkerCrashed)
    assert "Segmentation fault" in str(crashed.value)


def test_a_call_over_its_own_limit_says_where_it_was(environment: LambdaEnvironment, new_job: NewJob) -> None:
    def outer(seconds: float) -> float:
        def the_slow_part() -> None:
            sys.stdout.write("half way\n")
            time.sleep(seconds)

        the_slow_part()
        return seconds

    job = new_job(outer, [60, 0], timeout=1.0)

    run(environment, job)

    [stuck, fine] = job.outcomes()
    assert isinstance(stuck.value, CallTimeout)
    assert "the_slow_part" in str(stuck.value)
    assert "half way" in stuck.log
    assert fine.value == 0


def test_the_functions_deadline_leaves_an_outcome(environment: LambdaEnvironment, new_job: NewJob) -> None:
    job = new_job(time.sleep, [60, 0])

    run(environment, job, timeout=4.0)

    [stuck, unstarted] = job.outcomes()
    assert isinstance(stuck.value, CallTimeout)
    assert not stuck.lost
    assert unstarted.lost
    assert unstarted.key == "0000000001.1"


def test_a_duplicate_event_ends_quietly_and_changes_nothing(environment: LambdaEnvironment, new_job: NewJob) -> None:
    job = new_job(time.monotonic_ns, [()], applied="star")
    run(environment, job)
    before = job.values()

    assert run(environment, job) == {"committed": 0, "duplicates": 1, "late": 0}

    assert job.values() == before


@pytest.mark.parametrize("limit", ["start_by", "not_after"])
def test_a_late_event_is_not_run(environment: LambdaEnvironment, new_job: NewJob, limit: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    job = new_job(os.mkdir, [str(ran)])

    counts = run(environment, job, **{limit: time.time() - 3})

    assert limit in str(counts["refused"])
    assert not ran.exists()
    assert job.outcomes() == []


def test_a_job_spec_that_was_replaced_is_refused(
    environment: LambdaEnvironment, new_job: NewJob, bucket: Storage
) -> None:
    job = new_job(operator.neg, [1], seed=1)  # a warm environment has seen the one without a seed
    other = new_job(operator.pos, [1])
    bucket.put(blob_key(job.digest), other.spec)

    run(environment, job)

    [refused] = job.values()
    assert isinstance(refused, AuthenticationError)


def test_a_blob_that_was_replaced_is_never_unpickled(
    environment: LambdaEnvironment, new_job: NewJob, bucket: Storage
) -> None:
    before = set(bucket.list("blobs/"))
    large = os.urandom(1 << 20)
    job = new_job(len, [large, large], seed=2)
    [blob] = set(bucket.list("blobs/")) - before - {blob_key(job.digest)}
    bucket.put(blob, os.urandom(1 << 20))

    run(environment, job)

    assert [type(refused) for refused in job.values()] == [AuthenticationError] * 2


def test_large_arguments_and_results_travel(environment: LambdaEnvironment, new_job: NewJob) -> None:
    large = bytearray(os.urandom(3 << 20))
    job = new_job(bytes, [large, large])

    run(environment, job)

    assert job.values() == [large, large]


def test_another_protocol_is_answered_by_an_outcome(environment: LambdaEnvironment, new_job: NewJob) -> None:
    job = new_job(operator.neg, [1])
    event = {name: job.event()[name] for name in ("storage", "owner", "job", "calls", "key", "attempt")}

    answer = environment.invoke({"protocol": 99, "news": {}, **event})

    assert not answer.failed
    [refused] = job.values()
    assert isinstance(refused, VersionMismatchError)


def test_what_is_no_request_is_an_error(environment: LambdaEnvironment) -> None:
    answer = environment.invoke({"hello": "world"})

    assert answer.failed
    assert "protocol" in answer.body["errorMessage"]


def test_calls_import_what_the_package_holds(environment: LambdaEnvironment, new_job: NewJob) -> None:
    def call(x: int) -> object:
        return __import__("only_in_the_package").answer(x)

    job = new_job(call, [1])

    run(environment, job)

    assert job.values() == [43]


def test_the_child_loads_no_aws_client(environment: LambdaEnvironment, new_job: NewJob) -> None:
    def look(_: object) -> list[str]:
        modules = __import__("sys").modules
        return [name for name in ("boto3", "botocore") if name in modules]

    job = new_job(look, [None])

    run(environment, job)

    assert job.values() == [[]]


def test_a_part_is_one_object(environment: LambdaEnvironment, new_job: NewJob) -> None:
    job = new_job(operator.neg, list(range(7)))

    assert run(environment, job, part=3)["committed"] == 3

    assert job.values() == [-i for i in range(7)]
    assert sorted({read.key for read in job.outcomes()}) == ["0000000000", "0000000003", "0000000006"]


def test_a_crash_in_a_part_costs_nobody_else_anything(environment: LambdaEnvironment, new_job: NewJob) -> None:
    job = new_job(ctypes.string_at, [b"a", b"b", 0, b"d"])

    assert run(environment, job, part=4)["committed"] == 1

    [a, b, crashed, d] = job.outcomes()
    assert [a.value, b.value, d.value] == [b"a", b"b", b"d"]
    assert isinstance(crashed.value, WorkerCrashed)
    assert crashed.outcome.status == Status.FAILURE


def test_a_state_left_behind_ends_with_its_child(environment: LambdaEnvironment, new_job: NewJob) -> None:
    def leave_a_thread(_: object) -> int:
        threading = __import__("threading")
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return int(__import__("os").getpid())

    job = new_job(leave_a_thread, [0, 1, 2])

    run(environment, job)

    pids = job.values()
    assert len(set(map(str, pids))) == 3


def test_the_handler_is_light_and_its_child_ends_with_it(tmp_path: Path, eventually: Callable[..., None]) -> None:
    probe = (
        "import handler, json, sys\n"
        "def handle(event, context):\n"
        "    heavy = {'boto3', 'botocore', 'numpy', 'sklearn', 'cloudpickle', 'tblib', 'asyncio'}\n"
        "    return {'heavy': sorted(heavy & set(sys.modules)), 'child': handler._remote._keeper._child.pid}\n"
    )
    shutil.copy(HANDLER, tmp_path)
    (tmp_path / "probe.py").write_text(probe)
    environment = LambdaEnvironment(tmp_path, {}, "probe.handle")
    try:
        answer = environment.invoke({}).body
    finally:
        environment.close()

    assert answer["heavy"] == []
    eventually(lambda: not Path(f"/proc/{answer['child']}").exists() or _is_zombie(answer["child"]))


def _is_zombie(pid: int) -> bool:
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


def test_events_are_plain_json(new_job: NewJob) -> None:
    event = new_job(operator.neg, [1]).event()
    assert json.loads(json.dumps(event)) == event
