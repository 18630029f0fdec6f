"""What takes a mocked AWS of its own."""

from __future__ import annotations

import json
import operator
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from tests.support.mocked import invoke, make_job, process_id, records, send
from wrenml import default_executor
from wrenml.errors import ConfigError
from wrenml.storage import S3Storage
from wrenml.testing import samples
from wrenml.testing.mocked import MockedAWS

Eventually = Callable[..., None]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def is_running(pid: str) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks at files and processes as Linux shows them")
def test_nothing_is_left(tmp_path: Path, eventually: Eventually) -> None:
    def stay(path: str) -> None:
        with open(path, "w") as file:
            file.write(str(os.getpid()))
        time.sleep(600)

    busy = tmp_path / "first", tmp_path / "second"
    variables, threads = dict(os.environ), set(threading.enumerate())
    with MockedAWS(environments=2) as aws:  # modules that are loaded by it may keep files open
        send(aws, make_job(aws, operator.neg, [1]))
    files = open_files()
    with MockedAWS(environments=2) as aws:
        send(aws, make_job(aws, operator.neg, [1]))
        for place in (*busy, tmp_path / "behind"):
            send(aws, make_job(aws, stay, [str(place)] * 3), "Event")
        eventually(
            lambda: all((tmp_path / place).exists() and (tmp_path / place).read_text() for place in ("first", "second"))
        )
        folder = Path(os.environ["AWS_CONFIG_FILE"]).parent
        began = time.monotonic()

    assert time.monotonic() - began < 60
    assert not any(is_running(place.read_text()) for place in busy)
    assert not (tmp_path / "behind").exists()
    assert not folder.exists()
    assert dict(os.environ) == variables
    assert set(threading.enumerate()) == threads
    assert open_files() == files


def test_an_account_begins_empty_and_clients_of_the_last_one_see_it() -> None:
    with MockedAWS() as first:
        client = boto3.client("s3")
        S3Storage(f"s3://{first.bucket}").put("data/a", b"1")
    with MockedAWS() as second:
        assert second.bucket != first.bucket
        assert {bucket["Name"] for bucket in client.list_buckets()["Buckets"]} == {second.bucket, second.failures}
        assert second.requests == {"s3.ListBuckets": 1}


def test_there_is_one_at_a_time() -> None:
    with MockedAWS():
        variables = dict(os.environ)
        with pytest.raises(ConfigError, match="open already"), MockedAWS():
            pass
        assert dict(os.environ) == variables
        assert boto3.client("s3").list_buckets()["Buckets"]


@pytest.mark.parametrize("left", ["open", "shutting down"])
def test_executors_that_are_left_end_with_it(tmp_path: Path, eventually: Eventually, left: str) -> None:
    threads = set(threading.enumerate())
    with MockedAWS():
        first = default_executor()
        futures = first.map(samples.stuck_in_this_function, [str(tmp_path / f"{i}") for i in range(4)])
        eventually(lambda: any(tmp_path.iterdir()))
        if left == "shutting down":
            first.shutdown(wait=False)
    with MockedAWS() as aws:
        second = default_executor()
        assert second is not first
        assert second.map(samples.square, [3]).results(timeout=60) == [9]
        assert second.storage.url.startswith(aws.deployment.storage_url)

    assert all(future.cancelled() for future in futures)
    eventually(lambda: set(threading.enumerate()) <= threads)


def test_an_event_that_waited_too_long_has_failed(eventually: Eventually) -> None:
    with MockedAWS(environments=1, start_by=0) as aws:
        job = make_job(aws, time.sleep, [0.01])
        send(aws, job, "Event")

        eventually(lambda: records(aws))

        [record] = records(aws).values()
        assert record["requestContext"]["condition"] == "EventAgeExceeded"
        assert "responsePayload" not in record
        assert job.outcomes() == []


def test_an_environment_that_cannot_start_is_a_failed_event() -> None:
    with MockedAWS(environments=1) as aws:
        blocked = Path(os.environ["AWS_CONFIG_FILE"]).parent / "0"
        blocked.touch()
        first, second = (make_job(aws, operator.neg, [1]) for _ in range(2))

        answer = send(aws, first)
        blocked.unlink()
        send(aws, second)

        assert answer["FunctionError"] == "Unhandled"
        assert json.load(answer["Payload"])["errorType"] == "NotADirectoryError"
        assert (first.outcomes(), second.values()) == ([], [-1])


def test_several_sizes_share_the_environments() -> None:
    with MockedAWS(memory_mb=(3008, 512), environments=1, stack="two", region="eu-central-1") as aws:
        jobs = [make_job(aws, process_id, [0]) for _ in range(3)]
        for job, size in zip(jobs, (512, 3008, 3008), strict=True):
            invoke(aws, json.dumps(job.event()).encode(), memory_mb=size)

        small, large, again = (job.values() for job in jobs)
        assert aws.deployment.memory_mb == (512, 3008)
        assert small != large == again
        assert aws.cold_starts == 2


def test_the_plugin_loads_nothing_of_aws() -> None:
    probe = "import sys, wrenml.testing.plugin; print([n for n in ('boto3', 'botocore', 'moto') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
