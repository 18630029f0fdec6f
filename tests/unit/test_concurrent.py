from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wrenml.concurrent import ConcurrentExecutor
from wrenml.errors import CallCancelled, WorkerLost
from wrenml.executor import Executor
from wrenml.executors import inline_executor
from wrenml.local import local_executor

Eventually = Callable[..., None]


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with local_executor(workers=2) as executor:
        yield executor


@pytest.fixture
def pool(executor: Executor) -> Iterator[ConcurrentExecutor]:
    with executor.concurrent() as pool:
        yield pool


def wait_for(gate: Path) -> str:
    gate.with_suffix(f".{os.getpid()}").touch()
    while not gate.exists():
        time.sleep(0.005)
    return gate.name


def touch(path: Path) -> None:
    path.touch()


def die_once(mark: Path) -> str:
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise LookupError("there")


class Unpicklable:
    def __reduce__(self) -> str:
        raise pickle.PicklingError("not me")


def test_it_is_an_executor_of_the_standard_library(pool: ConcurrentExecutor) -> None:
    assert isinstance(pool, concurrent.futures.Executor)
    assert isinstance(pool.submit(pow, 2, 3), concurrent.futures.Future)


def test_a_running_call_cannot_be_cancelled_and_a_pending_one_never_runs(
    pool: ConcurrentExecutor, tmp_path: Path, eventually: Eventually
) -> None:
    gate = tmp_path / "gate"
    running = [pool.submit(wait_for, gate) for _ in range(2)]
    eventually(lambda: all(future.running() for future in running))
    pending = [pool.submit(touch, tmp_path / f"ran{i}") for i in range(5)]
    assert not any(future.running() for future in pending)
    assert all(future.cancel() and future.cancelled() for future in pending)
    assert not any(future.cancel() for future in running)
    gate.touch()
    assert [future.result() for future in running] == ["gate", "gate"]
    assert not any(future.running() or future.cancel() for future in running)
    pool.submit(abs, -1).result()
    assert not list(tmp_path.glob("ran*"))
    with pytest.raises(CallCancelled):
        pending[0].result()


def test_shutdown_cancels_what_no_worker_has_and_waits_for_the_rest(
    executor: Executor, tmp_path: Path, eventually: Eventually
) -> None:
    pool = executor.concurrent()
    gate = tmp_path / "gate"
    futures = [pool.submit(wait_for, gate) for _ in range(6)]
    eventually(lambda: sum(future.running() for future in futures) == 2)
    threading.Timer(0.1, gate.touch).start()
    pool.shutdown(cancel_futures=True)
    assert sorted(future.cancelled() for future in futures) == [False] * 2 + [True] * 4
    assert all(future.done() for future in futures)


def test_shutting_down_leaves_the_executor_open(executor: Executor) -> None:
    pool = executor.concurrent()
    pool.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures"):
        pool.submit(abs, 1)
    with pytest.raises(RuntimeError, match="cannot schedule new futures"):
        pool.map(abs, [1])
    assert executor.submit(abs, -1).result() == 1


def test_the_executor_behind_may_be_shut_down_first() -> None:
    executor = inline_executor()
    pool = executor.concurrent()
    executor.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures"):
        pool.submit(abs, 1)
    pool.shutdown()


def test_a_dead_worker_costs_no_call(pool: ConcurrentExecutor, tmp_path: Path) -> None:
    first = pool.submit(die_once, tmp_path / "mark")
    others = [pool.submit(abs, -i) for i in range(20)]
    assert first.result() == "alive"
    assert [future.result() for future in others] == list(range(20))


def test_a_call_that_kills_every_worker_breaks_no_pool(pool: ConcurrentExecutor) -> None:
    error = pool.submit(die).exception()
    assert isinstance(error, WorkerLost)
    assert isinstance(error, concurrent.futures.BrokenExecutor)
    assert pool.submit(abs, -1).result() == 1


def test_the_remote_traceback_is_the_exceptions_own(pool: ConcurrentExecutor) -> None:
    error = pool.submit(fail).exception()
    assert type(error) is LookupError
    assert 'raise LookupError("there")' in "".join(traceback.format_exception(error))


def test_what_cannot_be_pickled_is_told_by_the_future(pool: ConcurrentExecutor) -> None:
    lock = threading.Lock()
    for future in (pool.submit(id, Unpicklable()), pool.submit(lambda: lock)):
        with pytest.raises(pickle.PicklingError):
            future.result()
    results = pool.map(type, [1, Unpicklable(), 2])
    assert next(results) is int
    with pytest.raises(pickle.PicklingError):
        next(results)
    with pytest.raises(pickle.PicklingError):
        next(pool.map(lambda _: lock, [1, 2]))


def test_map_pulls_no_further_ahead_than_its_buffer(pool: ConcurrentExecutor) -> None:
    numbers = itertools.count()
    results = pool.map(abs, numbers, buffersize=3)
    assert next(numbers) == 3
    assert [next(results) for _ in range(4)] == [0, 1, 2, 4]
    assert next(numbers) == 8
    results.close()  # type: ignore[attr-defined]
    assert list(pool.map(pow, [2, 3], [3, 2, 1], buffersize=1)) == [8, 9]


def test_closing_a_map_cancels_what_no_worker_has(
    pool: ConcurrentExecutor, tmp_path: Path, eventually: Eventually
) -> None:
    gate = tmp_path / "gate"
    blocked = [pool.submit(wait_for, gate) for _ in range(2)]
    eventually(lambda: all(future.running() for future in blocked))
    results = pool.map(touch, [tmp_path / f"ran{i}" for i in range(5)], timeout=0.01)
    with pytest.raises(TimeoutError):
        next(results)
    gate.touch()
    pool.shutdown()
    assert not list(tmp_path.glob("ran*"))


@pytest.mark.parametrize("bad", [{"chunksize": 0}, {"chunksize": -1}, {"buffersize": 0}])
def test_impossible_sizes_are_refused_at_once(pool: ConcurrentExecutor, bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        pool.map(abs, [1], **bad)


def test_impossible_numbers_of_workers_are_refused() -> None:
    with pytest.raises(ValueError, match="workers=0"):
        local_executor(workers=0)


def test_many_threads_may_submit(pool: ConcurrentExecutor) -> None:
    found: dict[int, list[int]] = {}

    def submit(start: int) -> None:
        futures = [pool.submit(abs, -i) for i in range(start, start + 50)]
        found[start] = [future.result() for future in futures]

    threads = [threading.Thread(target=submit, args=(i * 50,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(itertools.chain(*found.values())) == list(range(300))


def test_asyncio_takes_it(pool: ConcurrentExecutor) -> None:
    async def main() -> int:
        return await asyncio.get_running_loop().run_in_executor(pool, pow, 2, 5)

    assert asyncio.run(main()) == 32


def test_a_callback_may_submit(pool: ConcurrentExecutor) -> None:
    second: concurrent.futures.Future[int] = concurrent.futures.Future()

    def again(future: concurrent.futures.Future[int]) -> None:
        pool.submit(abs, -future.result()).add_done_callback(lambda done: second.set_result(done.result()))

    pool.submit(pow, -3, 3).add_done_callback(again)
    assert second.result(30) == 27


def test_inline_runs_at_once() -> None:
    with inline_executor().concurrent(initializer=os.getcwd) as pool:
        future = pool.submit(abs, -1)
        assert future.done()
        assert list(pool.map(pow, [2, 3], [2, 2])) == [4, 9]


AT_EXIT = """
import sys, time
import wrenml

def write_later(path):
    time.sleep(0.3)
    open(path, "w").write("apple")

if __name__ == "__main__":
    pool = wrenml.local_executor(workers=1).concurrent()
    pool.submit(write_later, sys.argv[1])
    {last}
"""


@pytest.mark.parametrize("last", ["pass", "pool.shutdown(wait=False)"])
def test_a_program_that_ends_waits_for_its_calls(tmp_path: Path, last: str) -> None:
    written = tmp_path / "written"
    arguments = [sys.executable, "-c", AT_EXIT.format(last=last), str(written)]
    ended = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert written.read_text() == "apple"


IN_A_SCRIPT = """
import wrenml

STATE = "not yet"

def start(word):
    global STATE
    STATE = word

def first():
    return STATE

def second(_):
    return STATE

if __name__ == "__main__":
    with wrenml.local_executor(workers=1).concurrent(initializer=start, initargs=("ready",)) as pool:
        print(pool.submit(first).result(), *pool.map(second, [1, 2]))
"""


def test_a_scripts_functions_see_what_its_initializer_set(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(IN_A_SCRIPT)
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.stderr) == ("ready ready ready\n", "")
