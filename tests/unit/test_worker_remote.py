from __future__ import annotations

import operator
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.jobs import SentJob
from wrenml import auth
from wrenml.errors import (
    CallExited,
    CallTimeout,
    KeyNotFoundError,
    StorageUnavailableError,
    WireError,
    WorkerLost,
    WorkerOutOfMemory,
)
from wrenml.outcome import Status
from wrenml.storage import MemoryStorage, Storage
from wrenml.testing.storage_faults import FlakyStorage, StorageFault, Strike
from wrenml.wire import blob_key
from wrenml.worker.remote import Remote

MINUTE_MS = 60_000


class Bench:
    """An environment whose storage may have faults that the test's own view of it has not."""

    def __init__(self, folder: Path) -> None:
        self._storages: dict[str, Storage] = {}
        self.remote = Remote(str(folder), memory_mb=1024, open_with=lambda url, _: self._storages[url])

    def job(self, fn: object, items: list[Any], **settings: object) -> SentJob:
        return SentJob(MemoryStorage(), fn, items, settings)

    def run(self, job: SentJob, *faults: StorageFault, ms: int = MINUTE_MS, **changes: object) -> dict[str, object]:
        url = f"test://{len(self._storages)}"
        self._storages[url] = FlakyStorage(job.storage, faults)
        return self.remote.handle(job.event(**{"storage": url, **changes}), lambda: ms)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("environment"))
    yield bench
    bench.remote.close()


def test_results_come_in_the_order_of_their_calls(bench: Bench) -> None:
    job = bench.job(operator.neg, list(range(50)))

    assert bench.run(job)["committed"] == 50

    assert job.values() == [-i for i in range(50)]


def test_outcomes_of_a_later_chunk_bear_their_own_numbers(bench: Bench) -> None:
    job = bench.job(operator.neg, [1, 2])

    bench.run(job, first=10, key=auth.invocation_key(job.key, 10, 1))

    assert [(read.key, read.outcome.call) for read in job.outcomes()] == [("0000000010", 10), ("0000000011", 11)]


def test_a_lost_answer_to_a_commit_is_not_an_error(bench: Bench) -> None:
    job = bench.job(operator.neg, [1])

    assert bench.run(job, StorageFault("commit", Strike.LOSE_ANSWER)) == {
        "committed": 0,
        "duplicates": 1,
        "late": 0,
    }

    assert job.values() == [-1]


def test_a_storage_away_for_a_while_costs_nothing(bench: Bench) -> None:
    job = bench.job(operator.neg, [1, 2])

    bench.run(job, StorageFault("commit", times=2))

    assert job.values() == [-1, -2]


def test_a_storage_away_for_good_is_said_and_the_environment_goes_on(bench: Bench) -> None:
    job = bench.job(operator.neg, [1, 2])
    with pytest.raises(StorageUnavailableError):
        bench.run(job, StorageFault("commit", times=10**9), ms=500)

    bench.run(job)

    assert job.values() == [-1, -2]


def test_a_job_spec_out_of_reach_is_lost_and_one_that_is_gone_is_final(bench: Bench) -> None:
    job = bench.job(operator.neg, [1], seed=11)
    bench.run(job, StorageFault("get"))
    [lost] = job.outcomes()
    job.storage.delete([blob_key(job.digest)])
    bench.run(job)
    [gone, _] = job.outcomes()

    assert lost.lost
    assert lost.key == "0000000000.1"
    assert isinstance(gone.value, KeyNotFoundError)
    assert not gone.lost


def test_a_blob_that_is_gone_fails_its_calls_by_name(bench: Bench) -> None:
    large = os.urandom(1 << 20)
    job = bench.job(len, [large, large, b"small"])
    job.storage.delete([key for key in job.storage.list("blobs/") if key != blob_key(job.digest)])

    bench.run(job)

    [first, second, small] = job.values()
    assert isinstance(first, KeyNotFoundError)
    assert isinstance(second, KeyNotFoundError)
    assert small == 5


def test_a_warm_environment_reads_a_blob_once(bench: Bench) -> None:
    large = os.urandom(1 << 20)
    job = bench.job(len, [large] * 5)
    key = next(key for key in job.storage.list("blobs/") if key != blob_key(job.digest))

    # The second read would be refused.
    bench.run(job, StorageFault("get", key=key, skip=1, times=10**9))

    assert job.values() == [1 << 20] * 5


def test_a_call_that_changes_a_blob_in_place_changes_its_own_copy(bench: Bench) -> None:
    def change(data: NDArray[np.float64]) -> tuple[float, float]:
        before = float(data[0])
        data[0] += 1
        return before, float(data[0])

    job = bench.job(change, [np.zeros(1 << 17)] * 2)

    bench.run(job)

    assert job.values() == [(0, 1), (0, 1)]


def test_after_the_last_moment_nothing_is_committed(bench: Bench) -> None:
    job = bench.job(time.sleep, [0.01, 60])

    counts = bench.run(job, not_after=time.time() + 1)

    assert [read.key for read in job.outcomes()] == ["0000000000"]
    assert counts["late"] == 1


def test_a_part_out_of_time_settles_what_it_can_and_hands_on_the_rest(bench: Bench) -> None:
    job = bench.job(time.sleep, [0.01, 60, 0])

    bench.run(job, part=3, ms=2000)

    [done, running, unstarted] = job.outcomes()
    assert {read.key for read in (done, running, unstarted)} == {"0000000000"}
    assert not done.lost
    assert running.lost
    assert isinstance(running.value, CallTimeout)
    assert unstarted.lost
    assert isinstance(unstarted.value, WorkerLost)


def test_calls_there_was_no_time_for_are_lost_one_by_one(bench: Bench) -> None:
    job = bench.job(time.sleep, [0.01, 60, 0])

    bench.run(job, ms=2000)

    assert [read.key for read in job.outcomes()] == ["0000000000", "0000000001.1", "0000000002.1"]


def test_a_child_that_dies_while_it_loads_a_job_fails_its_calls_once(bench: Bench) -> None:
    def initializer() -> None:
        os._exit(5)

    job = bench.job((operator.neg, initializer, None), [1, 2], hooks=True)

    bench.run(job)

    assert [error.code for error in job.values() if isinstance(error, CallExited)] == [5, 5]


def test_a_child_that_is_killed_while_it_loads_a_job_ran_no_call(bench: Bench) -> None:
    def initializer() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    job = bench.job((operator.neg, initializer, None), [1], hooks=True)

    bench.run(job)

    [read] = job.outcomes()
    assert read.outcome.status == Status.LOST
    assert "SIGTERM before it ran the call" in str(read.value)


def test_a_kill_near_the_memory_limit_is_out_of_memory(tmp_path: Path) -> None:
    def grow(megabytes: int) -> None:
        data = bytearray(megabytes << 20)
        data[::4096] = b"x" * len(data[::4096])
        os.kill(os.getpid(), signal.SIGKILL)

    job = SentJob(MemoryStorage(), grow, [100])
    remote = Remote(str(tmp_path), memory_mb=100, open_with=lambda *_: job.storage)
    try:
        remote.handle(job.event(), lambda: MINUTE_MS)
    finally:
        remote.close()

    [read] = job.outcomes()
    assert isinstance(read.value, WorkerOutOfMemory)
    assert read.value.memory_mb == 100


def test_a_child_killed_between_requests_is_replaced_unnoticed(bench: Bench) -> None:
    def own_pid(_: object) -> int:
        return os.getpid()

    first = bench.job(own_pid, [0])
    bench.run(first)
    [pid] = first.values()
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    second = bench.job(own_pid, [0])

    bench.run(second)

    [other] = second.values()
    assert isinstance(other, int)
    assert other != pid


def test_the_child_seals_with_a_key_of_its_own(bench: Bench) -> None:
    def key_of_my_request(_: object) -> object:
        frame: FrameType | None = sys._getframe()  # noqa: SLF001  # looks where user code could
        while frame is not None and "request" not in frame.f_locals:
            frame = frame.f_back
        return None if frame is None else frame.f_locals["request"].key

    job = bench.job(key_of_my_request, [0])

    bench.run(job)

    [key] = job.values()
    assert isinstance(key, bytes)
    assert key != job.request().key


def test_what_is_no_request_is_refused_as_such(bench: Bench) -> None:
    job = bench.job(operator.neg, [1])
    event = job.event()
    del event["spec"]

    with pytest.raises(WireError):
        bench.remote.handle(event, lambda: MINUTE_MS)


def test_a_storage_that_refuses_a_blob_says_so_in_the_outcome(bench: Bench) -> None:
    large = os.urandom(1 << 20)
    job = bench.job(len, [large, large])
    key = next(key for key in job.storage.list("blobs/") if key != blob_key(job.digest))

    bench.run(job, StorageFault("get", key=key))

    [refused, fine] = job.values()
    assert isinstance(refused, StorageUnavailableError)
    assert fine == 1 << 20
