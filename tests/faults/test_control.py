"""Clients killed, interrupted, forked or ended, and several at once; cancelling; maps from everywhere."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import wrenml
from tests.faults import deeds
from tests.faults.clients import client, start
from tests.support.threads import no_more_threads
from wrenml.errors import CallCancelled, ExecutorClosedError, WorkerLost

PATIENCE = 60
Eventually = Callable[..., None]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


RUNNING = """
import sys, threading, time, traceback, wrenml
from tests.faults import deeds

def announce():
    # Once the main thread waits for results: an interrupt that came sooner would meet no map.
    doing = set()
    while not {"results", "wait"} <= doing:
        time.sleep(0.001)
        stack = traceback.walk_stack(sys._current_frames()[threading.main_thread().ident])
        doing = {frame.f_code.co_name for frame, _ in stack}
    print(stuck.id, flush=True)

executor = wrenml.local_executor(workers=2)
futures = executor.map(deeds.Only("stuck", deeds.say_and_stay), [1, 2, 3], chunksize=1)
futures.results()
stuck = executor.map(deeds.first_or_stay, [(i, sys.argv[1]) for i in range(40)], chunksize=1)
wrenml.wait(stuck[:5])
threading.Thread(target=announce).start()
try:
    stuck.results()
except KeyboardInterrupt:
    print("caught", flush=True)
    raise
"""


def notes(started: Path) -> list[Path]:
    """What calls have written that do not return."""
    return [path for path in started.parent.glob(f"{started.name}.*") if path.suffix != ".new"]


def running(started: Path, eventually: Eventually) -> tuple[subprocess.Popen[str], str, list[int]]:
    """A client whose two workers are stuck in calls; its job, and the workers."""
    process = start(RUNNING, str(started))
    assert process.stdout is not None
    job = process.stdout.readline().strip()
    eventually(lambda: len(notes(started)) == 2)
    return process, job, [int(note.read_text()) for note in notes(started)]


def test_a_killed_client_leaves_outcomes_and_no_workers(
    executor: wrenml.Executor, started: Path, eventually: Eventually
) -> None:
    process, job, workers = running(started, eventually)
    process.kill()
    process.communicate()
    eventually(lambda: all(gone(worker) for worker in workers))
    futures = executor.attach(job)
    assert len(futures) == 40
    assert [future.result(PATIENCE) for future in futures[:5]] == list(range(5))
    errors = futures[5:].exceptions(PATIENCE)
    assert {type(error) for error in errors} == {WorkerLost}
    assert "retry_failed" in str(errors[0])
    for i in range(40):
        Path(f"{started}.{i}").touch()
    assert futures.retry_failed().results(timeout=PATIENCE) == list(range(40))


def test_an_interrupt_cancels_says_so_and_ends(
    executor: wrenml.Executor, started: Path, eventually: Eventually
) -> None:
    process, job, workers = running(started, eventually)
    before = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert time.monotonic() - before < 20
    assert process.returncode in (130, -signal.SIGINT)
    assert "caught" in out
    assert job in err
    assert "cancelled" in err
    assert err.count("Traceback") <= 1
    assert len(err.splitlines()) < 20, err
    assert all(gone(worker) for worker in workers)
    futures = executor.attach(job)
    assert [future.result(PATIENCE) for future in futures[:5]] == list(range(5))
    with pytest.raises(CallCancelled):
        futures[20].result(PATIENCE)


def test_a_second_interrupt_ends_at_once(started: Path, eventually: Eventually) -> None:
    script = RUNNING.replace("raise\n", "executor.map(deeds.say_and_stay, [sys.argv[1] + '.again']).results()\n")
    process = start(script, str(started))
    assert process.stdout is not None
    process.stdout.readline()
    eventually(lambda: len(notes(started)) == 2)
    process.send_signal(signal.SIGINT)
    eventually(Path(f"{started}.again").exists)
    worker = int(Path(f"{started}.again").read_text())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert gone(worker)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_client_that_is_asked_to_end_leaves_no_workers(
    started: Path, eventually: Eventually, number: signal.Signals
) -> None:
    process, _, workers = running(started, eventually)
    process.send_signal(number)
    process.communicate(timeout=PATIENCE)
    eventually(lambda: all(gone(worker) for worker in workers))


def test_two_clients_read_one_job(executor: wrenml.Executor, tmp_path: Path, eventually: Eventually) -> None:
    gate = tmp_path / "gate"
    futures = executor.map(deeds.say_and_wait, [(str(tmp_path / f"s{i}"), str(gate)) for i in range(4)])
    script = """
import sys, wrenml
with wrenml.local_executor(workers=1) as executor:
    print("attached", flush=True)
    print(executor.attach(sys.argv[1]).results(timeout=60))
"""
    folder = Path(executor.session.storage.url.removeprefix("file://"))
    eventually((folder / "jobs" / futures.id / "args").exists)
    clients = [start(script, futures.id) for _ in range(2)]
    for process in clients:
        assert process.stdout is not None
        assert process.stdout.readline() == "attached\n"
    gate.touch()
    outs = [process.communicate(timeout=PATIENCE)[0].strip() for process in clients]
    assert outs == [str(futures.results(timeout=PATIENCE))] * 2


def test_cancelled_calls_never_start_and_running_ones_end_soon(
    executor: wrenml.Executor, tmp_path: Path, eventually: Eventually
) -> None:
    good = executor.map(deeds.same, range(20))
    assert good.results(timeout=PATIENCE) == list(range(20))
    futures = executor.map(deeds.say_and_stay, [str(tmp_path / f"s{i}") for i in range(30)], chunksize=1)
    eventually(lambda: len(list(tmp_path.glob("s*[0-9]"))) == 2)
    running = list(tmp_path.glob("s*[0-9]"))
    workers = [int(note.read_text()) for note in running]
    assert futures.cancel() == 30
    eventually(lambda: all(gone(worker) for worker in workers), within=10)
    assert executor.map(deeds.same, range(20)).results(timeout=PATIENCE) == list(range(20))
    assert list(tmp_path.glob("s*[0-9]")) == running
    assert good.results() == list(range(20))


def test_maps_inside_calls_run_there_and_say_so_once(executor: wrenml.Executor) -> None:
    futures = executor.map(deeds.maps_inside, [1, 2], chunksize=2)
    assert futures.results(timeout=PATIENCE) == [([1, 2], [1], "inline", 1), ([2, 3], [2], "inline", 2)]
    assert futures.logs(0).count("inline") == 1
    assert futures.logs(1).count("inline") <= 1


def test_many_maps_from_many_threads(executor: wrenml.Executor) -> None:
    failed: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for size in range(8):
                assert executor.map(deeds.same, range(size * 10)).results(timeout=PATIENCE) == list(range(size * 10))
                assert executor.submit(deeds.same, seed).result(PATIENCE) == seed
                assert list(executor.imap(deeds.same, range(20), window=3)) == list(range(20))
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not failed


def test_a_map_that_no_thread_can_be_started_for_harms_no_later_one() -> None:
    with wrenml.local_executor(workers=1) as executor:
        with no_more_threads(), pytest.raises(RuntimeError, match="thread"):
            executor.map(deeds.same, [1])

        assert executor.map(deeds.same, [2]).results(timeout=PATIENCE) == [2]


def test_fork_before_and_after_use() -> None:
    script = """
import os, sys, warnings
warnings.simplefilter("ignore")
import wrenml
from tests.faults import deeds

def in_child(act):
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            act()
            status = 0
        finally:
            sys.stdout.flush()
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0

def fresh():
    with wrenml.local_executor(workers=1) as executor:
        print("child", executor.map(deeds.same, range(5)).results(timeout=30))

def default():
    print("default", wrenml.default_executor().map(deeds.same, range(5)).results(timeout=30))
    wrenml.default_executor().shutdown()

def refused():
    try:
        shared.map(deeds.same, [1])
    except wrenml.errors.ExecutorClosedError as error:
        print("refused", "fork" in str(error))
    shared.shutdown()

in_child(fresh)
shared = wrenml.local_executor(workers=2)
print(shared.map(deeds.same, range(3)).results(timeout=30))
print(wrenml.default_executor().map(deeds.same, range(3)).results(timeout=30))
in_child(fresh)
in_child(default)
in_child(refused)
print(shared.map(deeds.same, range(3)).results(timeout=30))
"""
    assert client(script).splitlines() == [
        "child [0, 1, 2, 3, 4]",
        "[0, 1, 2]",
        "[0, 1, 2]",
        "child [0, 1, 2, 3, 4]",
        "default [0, 1, 2, 3, 4]",
        "refused True",
        "[0, 1, 2]",
    ]


def test_inside_a_running_event_loop(executor: wrenml.Executor) -> None:
    async def main() -> tuple[list[int], list[object]]:
        futures = executor.map(deeds.same, range(5))
        awaited = [await asyncio.wrap_future(future) for future in futures]
        return awaited, list(executor.map(deeds.coroutine, range(3)).results(timeout=PATIENCE))

    assert asyncio.run(main()) == ([0, 1, 2, 3, 4], [0, 1, 2])


def test_at_interpreter_exit_nothing_hangs(tmp_path: Path) -> None:
    script = """
import atexit, sys
import wrenml
from tests.faults import deeds

executor = wrenml.local_executor(workers=1)

def late():
    try:
        print("late", executor.submit(deeds.same, 1).result(20))
    except Exception as error:
        print("late", type(error).__name__)

atexit.register(late)
executor.map(deeds.Noted(__import__("pathlib").Path(sys.argv[1]), deeds.same), range(20))
"""
    marks = tmp_path / "marks"
    out = client(script, str(marks))
    assert out in ("late 1\n", "late ExecutorClosedError\n")
    assert len(marks.read_text().splitlines()) == 20


def test_exit_with_work_that_nobody_waits_for() -> None:
    script = """
import wrenml, sys, threading
from tests.faults import deeds
futures = wrenml.default_executor().map(deeds.same, range(1000))
threading.Thread(target=lambda: print(len(futures.results(timeout=30)))).start()
"""
    assert client(script) == "1000\n"


def test_shutdown_without_waiting_ends_the_workers_all_the_same(eventually: Eventually) -> None:
    executor = wrenml.local_executor(workers=1)
    future = executor.submit(deeds.process)
    executor.shutdown(wait=False)
    worker = future.result(PATIENCE)
    eventually(lambda: gone(worker))
    with pytest.raises(ExecutorClosedError):
        executor.submit(deeds.same, 1)


def test_a_program_without_a_main_guard_does_not_run_twice() -> None:
    script = "import os, wrenml\nprint('once', os.getpid())\n"
    script += "print(wrenml.local_executor(workers=1).map(lambda x: x + 1, range(3)).results())\n"
    assert client(script).count("once") == 1


def test_executors_that_are_forgotten_leave_nothing(eventually: Eventually) -> None:
    script = f"""
import gc, os, sys, wrenml
sys.path.insert(0, {str(Path(sys.path[0]))!r})
from tests.faults import deeds
pids = set()
for _ in range(3):
    pids |= set(wrenml.local_executor(workers=1).map(deeds.process, range(3)).results(timeout=30))
print(*pids)
"""
    pids = [int(pid) for pid in client(script).split()]
    assert os.getpid() not in pids
    eventually(lambda: all(gone(pid) for pid in pids))
