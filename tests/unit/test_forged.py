from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from wrenml import Executor, auth, inline_executor
from wrenml.errors import AuthenticationError, JobNotFoundError, WorkerCrashed, WorkerLost
from wrenml.executors import reopened_future
from wrenml.invoke.base import Event, FrameArrived, Invoker
from wrenml.invoke.inline import InlineInvoker
from wrenml.options import Options
from wrenml.outcome import RECORD, Status, seal_frame
from wrenml.pickling import Unpacker, dumps_result
from wrenml.rootkey import RootKey
from wrenml.session import Session
from wrenml.storage import MemoryStorage
from wrenml.testing import samples
from wrenml.testing.faults import DuplicatingInvoker


class Canary:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[type[Path], tuple[str, ...]] | tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Canary]:
    canary = Canary(tmp_path / "unpickled")
    yield canary
    assert not canary.path.exists()


def forged(key: bytes, job: str, first: int, attempt: int, canary: Canary) -> bytes:
    body = b"".join(map(bytes, dumps_result(canary)))
    record = RECORD.pack(first, Status.SUCCESS, 0, 0, 0, 0.0, 0, 0, len(body))
    return seal_frame(key, job, (first, attempt), record, b"", [body], worker=bytes(8)) + body


class ForgingInvoker(DuplicatingInvoker):
    """An invoker whose every outcome comes behind a forged one."""

    def __init__(self, inner: Invoker, canary: Canary) -> None:
        super().__init__(inner)
        self.canary = canary
        self.silent = False

    def collect(self) -> Sequence[Event]:
        news: list[Event] = []
        for event in self.inner.collect():
            if isinstance(event, FrameArrived):
                job, first, attempt = event.name
                good = bytes(event.frame)
                wrong = [
                    forged(key, job, first, attempt, self.canary) for key in (bytes(32), auth.job_key(bytes(32), job))
                ]
                wrong += [good[:-1] + bytes([good[-1] ^ 1]), good[:100], b"junk"]
                news += [FrameArrived(event.name, frame, event.stored) for frame in wrong]
                if self.silent:
                    continue
            news.append(event)
        return news


def executor_around(canary: Canary) -> tuple[Executor, ForgingInvoker]:
    storage = MemoryStorage(os.urandom(8).hex())
    root = RootKey(os.urandom(32), persistent=False, why="a test")
    invoker = ForgingInvoker(InlineInvoker(storage), canary)
    session = Session("inline", storage, root, invoker, 1, threaded=False, reopen=reopened_future)
    return Executor(session, Options(), (inline_executor, ())), invoker


def test_the_canary_sings(canary: Canary) -> None:
    Unpacker(lambda _: b"").loads(b"".join(map(bytes, dumps_result(canary))))
    assert canary.path.exists()
    canary.path.rmdir()


def test_forged_outcomes_are_refused_and_true_ones_taken(canary: Canary) -> None:
    executor, _ = executor_around(canary)
    assert executor.map(samples.square, range(5), chunksize=2).results(timeout=60) == [0, 1, 4, 9, 16]


def test_calls_whose_outcomes_are_all_forged_come_to_an_end(canary: Canary) -> None:
    executor, invoker = executor_around(canary)
    invoker.silent = True
    errors = executor.map(samples.square, range(3), chunksize=1, infra_retries=1).exceptions(60)
    assert [type(error) for error in errors] == [WorkerCrashed] * 3
    assert len(invoker.requests) == 6


@pytest.fixture
def stored() -> Iterator[tuple[Executor, MemoryStorage, str]]:
    with inline_executor() as executor:
        futures = executor.map(samples.reject_odd, range(4), chunksize=1)
        futures.exceptions(60)
        job = futures.id
        del futures
        gc.collect()
        storage = executor.session.storage
        assert isinstance(storage, MemoryStorage)
        yield executor, storage, job


def test_forged_outcomes_in_storage(stored: tuple[Executor, MemoryStorage, str], canary: Canary) -> None:
    executor, storage, job = stored
    keys = list(storage.list(f"jobs/{job}/out/"))
    assert len(keys) == 4
    for call, key in enumerate(keys):
        storage.put(key, forged(bytes(32), job, call, 1, canary))
    assert [type(error) for error in executor.attach(job).exceptions(60)] == [WorkerLost] * 4


@pytest.mark.parametrize("at", [0, 40, -1])
def test_changed_outcomes_in_storage(stored: tuple[Executor, MemoryStorage, str], at: int) -> None:
    executor, storage, job = stored
    key = next(iter(storage.list(f"jobs/{job}/out/")))
    data = bytearray(storage.get(key))
    data[at] ^= 1
    storage.put(key, bytes(data))
    errors = executor.attach(job).exceptions(60)
    assert isinstance(errors[0], WorkerLost)
    assert [type(error) for error in errors[1:]] == [ValueError, type(None), ValueError]


def test_swapped_outcomes_are_refused(stored: tuple[Executor, MemoryStorage, str]) -> None:
    executor, storage, job = stored
    other = executor.map(samples.identity, range(4), chunksize=1)
    other.results(timeout=60)
    for key in list(storage.list(f"jobs/{other.id}/out/")):
        storage.put(key.replace(other.id, job), storage.get(key))
    assert [type(error) for error in executor.attach(job).exceptions(60)] == [WorkerLost] * 4


@pytest.mark.parametrize("what", ["manifest", "args/0000000000"])
@pytest.mark.parametrize("at", [0, 35, -1])
def test_changed_records_of_the_client(stored: tuple[Executor, MemoryStorage, str], what: str, at: int) -> None:
    executor, storage, job = stored
    data = bytearray(storage.get(f"jobs/{job}/{what}"))
    data[at] ^= 1
    storage.put(f"jobs/{job}/{what}", bytes(data))
    with pytest.raises(AuthenticationError):
        executor.attach(job)


def test_truncated_records_of_the_client(stored: tuple[Executor, MemoryStorage, str]) -> None:
    executor, storage, job = stored
    for what in ("args/0000000000", "manifest"):
        whole = bytes(storage.get(f"jobs/{job}/{what}"))
        for size in (0, 10, 33, 40, len(whole) - 1):
            storage.put(f"jobs/{job}/{what}", whole[:size])
            with pytest.raises((AuthenticationError, JobNotFoundError)):
                executor.attach(job)


def test_another_root_key_sees_nothing(stored: tuple[Executor, MemoryStorage, str]) -> None:
    _, storage, job = stored
    root = RootKey(os.urandom(32), persistent=False, why="a test")
    session = Session("inline", storage, root, InlineInvoker(storage), 1, threaded=False, reopen=reopened_future)
    with Executor(session, Options(), (inline_executor, ())) as stranger, pytest.raises(AuthenticationError):
        stranger.attach(job)


def test_a_result_changed_after_it_was_announced(canary: Canary) -> None:
    with inline_executor() as executor:
        futures = executor.map(samples.big, [3_000_000], chunksize=1)
        job = futures.id
        futures.results(timeout=60)
        del futures
        gc.collect()
        storage = executor.session.storage
        attached = executor.attach(job)
        key = next(iter(storage.list(f"jobs/{job}/out/")))
        body = b"".join(map(bytes, dumps_result(canary)))
        data = bytes(storage.get(key))
        storage.put(key, data[:400] + body + data[400 + len(body) :])
        with pytest.raises((AuthenticationError, WorkerLost)):
            attached.results(timeout=60)
