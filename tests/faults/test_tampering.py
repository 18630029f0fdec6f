"""Stored bytes that were changed, cut, forged or made by another version: never unpickled, and said so."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import wrenml
from tests.faults import deeds
from tests.faults.clients import client
from tests.support.jobs import SentJob
from wrenml import auth
from wrenml.errors import AuthenticationError, VersionMismatchError, WireError, WorkerLost
from wrenml.outcome import RECORD, Status, seal_frame
from wrenml.pickling import dumps_result
from wrenml.storage import LocalStorage
from wrenml.wire import JobSpec, encode_spec

PATIENCE = 60


class Canary:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Canary]:
    canary = Canary(tmp_path / "unpickled")
    yield canary
    assert not canary.path.exists()


def folder_of(executor: wrenml.Executor, job: str) -> Path:
    return Path(executor.session.storage.url.removeprefix("file://")) / "jobs" / job


def finished(size: int = 10) -> tuple[str, list[int]]:
    """Run a job whose client is gone; return its id and what its results were."""
    script = f"""
import wrenml
from tests.faults import deeds
with wrenml.local_executor(workers=1) as executor:
    futures = executor.map(deeds.same, range({size}), chunksize=2)
    futures.results(timeout=60)
    print(futures.id)
"""
    return client(script).strip(), list(range(size))


@pytest.mark.parametrize("seed", range(12))
def test_a_changed_outcome_is_lost_or_right_never_wrong(executor: wrenml.Executor, seed: int) -> None:
    job, expected = finished()
    chance = random.Random(seed)
    for path in (folder_of(executor, job) / "out").iterdir():
        data = bytearray(path.read_bytes())
        if not data:
            continue
        if seed % 3 == 0:
            del data[chance.randrange(len(data)) :]
        else:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
    futures = executor.attach(job)
    damaged = 0
    for future, value in zip(futures, expected, strict=False):
        error = future.exception(PATIENCE)
        if error is None:
            assert future.result() == value
        else:
            damaged += 1
            assert isinstance(error, WorkerLost | AuthenticationError)
            assert "retry_failed" in str(error) or "again" in str(error)
    assert damaged
    again = futures.retry_failed()
    assert again.results(timeout=PATIENCE) == expected


def test_a_changed_argument_list_is_refused(executor: wrenml.Executor) -> None:
    job, _ = finished()
    for path in (folder_of(executor, job) / "args").iterdir():
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    with pytest.raises(AuthenticationError, match="argument"):
        executor.attach(job).retry_failed()


def test_a_changed_manifest_is_refused(executor: wrenml.Executor) -> None:
    job, _ = finished()
    path = folder_of(executor, job) / "manifest"
    path.write_bytes(path.read_bytes().replace(b'"same"', b'"sama"'))
    with pytest.raises(AuthenticationError, match="manifest"):
        executor.attach(job)


def test_a_changed_large_result_is_refused_when_it_is_read(executor: wrenml.Executor) -> None:
    futures = executor.map(deeds.large, [3_000_000, 3_000_001], chunksize=1)
    assert all(error is None for error in _settled(futures))
    for path in (folder_of(executor, futures.id) / "out").iterdir():
        target = Path(os.path.realpath(path))
        data = bytearray(target.read_bytes())
        if len(data) > 1_000_000:
            data[len(data) // 2] ^= 1
            with target.open("r+b") as file:
                file.write(data)
    errors = [error for error in futures.exceptions(PATIENCE) if error is not None]
    assert errors
    assert all(isinstance(error, AuthenticationError) for error in errors)


def _settled(futures: wrenml.FutureList[Any]) -> list[object]:
    wrenml.wait(futures)
    return [None if future.succeeded() else "failed" for future in futures]


@pytest.mark.parametrize("key", [bytes(32), b"another key of 32 bytes exactly.."[:32]])
def test_a_forged_outcome_is_not_unpickled(executor: wrenml.Executor, canary: Canary, key: bytes) -> None:
    job, expected = finished(4)
    out = folder_of(executor, job) / "out"
    for path in out.iterdir():
        path.unlink()
    storage = LocalStorage(executor.session.storage.url.removeprefix("file://"))
    body = b"".join(map(bytes, dumps_result(canary)))
    for call in range(4):
        record = RECORD.pack(call, Status.SUCCESS, 0, 0, 0, 0.0, 0, 0, len(body))
        head = seal_frame(auth.invocation_key(key, call, 1), job, (call, 1), record, b"", [body], worker=bytes(8))
        storage.commit(job, call, [head, body], attempt=None, writer="ffffffffffffffff")
    futures = executor.attach(job)
    assert {type(error) for error in futures.exceptions(PATIENCE)} == {WorkerLost}
    assert futures.retry_failed().results(timeout=PATIENCE) == expected


def test_a_changed_function_is_not_unpickled(own: wrenml.Executor, canary: Canary) -> None:
    job, _ = finished(4)
    for path in (folder_of(own, job) / "out").iterdir():
        path.unlink()
    blobs = folder_of(own, job).parents[1] / "blobs"
    forged = encode_spec(JobSpec(function=b"".join(map(bytes, dumps_result(canary)))))
    for path in blobs.iterdir():
        if path.read_bytes()[:1] == b"{":
            path.write_bytes(forged)
    with pytest.raises(AuthenticationError):
        own.attach(job).retry_failed().results(timeout=PATIENCE)
    for path in blobs.iterdir():
        if path.read_bytes() == forged:
            path.unlink()


def test_a_job_of_another_python_is_refused_before_unpickling(tmp_path: Path, canary: Canary) -> None:
    from wrenml import wire  # noqa: PLC0415
    from wrenml.worker.job import Environment  # noqa: PLC0415

    storage = LocalStorage(tmp_path / "storage")
    sent = SentJob(storage, deeds.same, [1])
    spec = encode_spec(JobSpec(function=b"".join(map(bytes, dumps_result(canary))), python="3.8"))
    digest = sha256(spec).hexdigest()
    with pytest.raises(VersionMismatchError, match=r"3\.8.*" + wire.PYTHON.replace(".", r"\.")):
        Environment(storage, str(tmp_path)).job(sent.request(spec=digest), spec)


def test_a_request_of_another_protocol_is_refused(tmp_path: Path) -> None:
    from wrenml.wire import decode_request  # noqa: PLC0415

    event = SentJob(LocalStorage(tmp_path), deeds.same, [1]).event()
    with pytest.raises(VersionMismatchError, match="99"):
        decode_request(event | {"protocol": 99})
    with pytest.raises(WireError):
        decode_request({"protocol": 1})


def test_another_users_key_opens_nothing(tmp_path: Path) -> None:
    job, _ = finished(2)
    script = """
import sys, wrenml
with wrenml.local_executor(workers=1) as executor:
    try:
        executor.attach(sys.argv[1])
    except wrenml.errors.AuthenticationError as error:
        print("refused:", error)
"""
    out = client(script, job, XDG_CONFIG_HOME=str(tmp_path))
    assert out.startswith("refused:")
    assert "key" in out
