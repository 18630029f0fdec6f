"""Workers that die: by their call's doing, by somebody else's, at their start, while idle, again and again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import wrenml
from tests.faults import deeds
from tests.faults.clients import client
from wrenml.errors import CallExited, CallTimeout, WorkerCrashed, WorkerOutOfMemory
from wrenml.testing.faults import ExitInCall
from wrenml.worker.endings import Limits, Reason, ending
from wrenml.worker.oom import SystemKills
from wrenml.worker.supervisor import Death

PATIENCE = 60
Eventually = Callable[..., None]


@pytest.mark.parametrize(
    ("deed", "number", "word"),
    [
        (deeds.segfault_in_here, signal.SIGSEGV, "Segmentation fault"),
        (deeds.abort_in_here, signal.SIGABRT, "Aborted"),
    ],
)
def test_a_crash_in_native_code_says_where(
    executor: wrenml.Executor, deed: Callable[[object], None], number: int, word: str
) -> None:
    futures = executor.map(deeds.Only(3, deed), range(6), chunksize=6, infra_retries=0)
    errors = futures.exceptions(PATIENCE)
    assert [type(error) for error in errors] == [type(None)] * 3 + [WorkerCrashed] + [type(None)] * 2
    assert isinstance(errors[3], WorkerCrashed)
    assert errors[3].signal == number
    text = str(errors[3])
    assert signal.Signals(number).name in text
    assert word in text
    assert deed.__name__ in text
    assert "native code" in text
    assert "infra_retries=0" in "\n".join(errors[3].__notes__)


def test_a_stack_overflow_in_native_code_is_one_calls(executor: wrenml.Executor) -> None:
    futures = executor.map(deeds.Only(1, deeds.stack_overflow), range(3), chunksize=3, infra_retries=0)
    errors = futures.exceptions(PATIENCE)
    assert errors[0] is errors[2] is None
    assert isinstance(errors[1], WorkerCrashed | RecursionError)


@pytest.mark.parametrize(
    "text", [b"x" * 100, bytes(100), bytes(4) + b"\x32" + bytes(100)], ids=["words", "zeros", "no frame"]
)
def test_who_writes_to_what_a_worker_reports_by_ends_that_worker_only(executor: wrenml.Executor, text: bytes) -> None:
    futures = executor.map(deeds.babble, [text], infra_retries=1)
    others = executor.map(abs, range(20))

    error = futures[0].exception(PATIENCE)

    assert isinstance(error, WorkerCrashed)
    assert "wrote to the socket by which it reports" in str(error)
    assert others.results(timeout=PATIENCE) == list(range(20))


def test_a_call_that_kills_its_worker_every_time_costs_nobody_else(own: wrenml.Executor, tmp_path: Path) -> None:
    deed = deeds.Noted(tmp_path / "deaths", deeds.killed)
    before = time.monotonic()
    futures = own.map(deeds.Only(20, deed), range(41))
    assert [f.result(PATIENCE) for f in futures if f.index != 20] == [x for x in range(41) if x != 20]
    error = futures[20].exception(PATIENCE)
    assert isinstance(error, WorkerCrashed)
    assert error.signal == signal.SIGKILL
    assert deed.times() == 4
    assert "SIGKILL while it ran the call" in str(error)
    assert "attempts: 4" in "\n".join(error.__notes__)
    assert "attempt 4" in "\n".join(error.__notes__)
    assert time.monotonic() - before < PATIENCE
    assert own.submit(deeds.same, 1).result(PATIENCE) == 1


def test_a_worker_killed_from_outside_loses_nothing(
    executor: wrenml.Executor, tmp_path: Path, eventually: Eventually
) -> None:
    gate = tmp_path / "gate"
    futures = executor.map(deeds.say_and_wait, [(str(tmp_path / f"s{i}"), str(gate)) for i in range(2)])
    for i in range(2):
        eventually(lambda i=i: (tmp_path / f"s{i}").exists() and (tmp_path / f"s{i}").read_text())
    victim = int((tmp_path / "s1").read_text())
    os.kill(victim, signal.SIGKILL)
    gate.touch()
    pids = futures.results(timeout=PATIENCE)
    assert victim not in pids
    assert futures.summary().retried == 1


def test_a_worker_killed_while_idle_is_replaced(own: wrenml.Executor) -> None:
    victim = own.submit(deeds.process).result(PATIENCE)
    os.kill(victim, signal.SIGKILL)
    assert own.submit(deeds.process).result(PATIENCE) != victim
    assert own.map(deeds.same, range(50)).results(timeout=PATIENCE) == list(range(50))


def test_an_idle_worker_asked_to_end_is_replaced(own: wrenml.Executor) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        victim = own.submit(deeds.process).result(PATIENCE)
        os.kill(victim, number)
        assert own.map(deeds.same, range(5)).results(timeout=PATIENCE) == list(range(5))


def test_a_stopped_worker_is_out_of_time(own: wrenml.Executor, started: Path) -> None:
    futures = own.map(deeds.Only(str(started), deeds.stopped), ["a", str(started), "b"], timeout=1, chunksize=3)
    errors = futures.exceptions(PATIENCE)
    assert [type(error) for error in errors] == [type(None), CallTimeout, type(None)]


def test_what_was_stored_before_a_death_counts(own: wrenml.Executor, tmp_path: Path) -> None:
    deed = deeds.Noted(tmp_path / "runs", deeds.die_before_reporting)
    assert own.submit(deed, 1).result(PATIENCE) == "stored"
    assert deed.times() == 1
    assert own.submit(deeds.process).result(PATIENCE) != int((tmp_path / "runs").read_text())


def test_random_kills_change_no_result(executor: wrenml.Executor) -> None:
    tasks = [(i, i % 7) for i in range(4000)]
    futures = executor.map(deeds.chance, tasks, infra_retries=20)
    assert futures.results(timeout=2 * PATIENCE) == [a * b for a, b in tasks]
    count = futures.summary()
    assert (count.succeeded, count.pending) == (4000, 0)
    assert count.retried > 0


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        (0, 0, "return code 0"),
        (3, 3, "non-zero return code 3"),
        ("no licence", 1, "no licence"),
        (None, 0, "return code 0"),
    ],
)
def test_sys_exit_is_the_calls_outcome(own: wrenml.Executor, how: object, code: int, words: str) -> None:
    worker = own.submit(deeds.process).result(PATIENCE)
    error = own.submit(deeds.exits, how).exception(PATIENCE)
    assert isinstance(error, CallExited)
    assert error.code == code
    assert words in str(error)
    assert own.submit(deeds.process).result(PATIENCE) == worker


def test_keyboard_interrupt_in_a_call_is_its_outcome(own: wrenml.Executor) -> None:
    worker = own.submit(deeds.process).result(PATIENCE)
    error = own.submit(deeds.interrupted, 0).exception(PATIENCE)
    assert isinstance(error, CallExited)
    assert error.code == 130
    assert own.submit(deeds.process).result(PATIENCE) == worker


def test_a_hard_exit_replaces_the_worker(own: wrenml.Executor, tmp_path: Path) -> None:
    for code in (0, 3):
        deed = deeds.Noted(tmp_path / str(code), ExitInCall(code, hard=True))
        error = own.submit(deed, 1).exception(PATIENCE)
        assert isinstance(error, CallExited)
        assert error.code == code
        assert deed.times() == 1
        assert own.submit(deeds.same, 5).result(PATIENCE) == 5


@pytest.mark.parametrize("deed", [deeds.deadlock_in_here, deeds.busy_in_native_code])
def test_a_deadlock_is_out_of_time_and_says_where(own: wrenml.Executor, deed: Callable[[object], None]) -> None:
    errors = own.map(deeds.Only(1, deed), range(3), timeout=1, chunksize=3).exceptions(PATIENCE)
    assert [type(error) for error in errors] == [type(None), CallTimeout, type(None)]
    assert "out of time" in str(errors[1])
    assert deed.__name__ in str(errors[1])


@pytest.mark.parametrize("code", ["import os; os._exit(0)", "import os; os._exit(3)", "import os; os.abort()"])
def test_an_environment_in_which_no_worker_starts_is_said(own: wrenml.Executor, code: str, tmp_path: Path) -> None:
    deed = deeds.Noted(tmp_path / "starts", deeds.same)

    def initialize() -> None:
        deed(0)
        exec(code)  # noqa: S102

    errors = own.map(deeds.same, range(50), initializer=initialize, infra_retries=1).exceptions(PATIENCE)
    assert {type(error) for error in errors} == {WorkerCrashed}
    assert "before it ran the call" in str(errors[0])
    assert deed.times() <= 12
    assert own.submit(deeds.same, 2).result(PATIENCE) == 2


def test_an_interpreter_that_does_not_start_is_said() -> None:
    script = """
import os, wrenml
from tests.faults import deeds
os.environ["PYTHONHOME"] = "/nowhere"
import sys
sys.executable = "/bin/false"
with wrenml.local_executor(workers=2) as executor:
    for error in executor.map(deeds.same, range(3), infra_retries=1).exceptions(60):
        print(type(error).__name__, "before it ran" in str(error))
sys.executable = "/nowhere/python"
with wrenml.local_executor(workers=2) as executor:
    for error in executor.map(deeds.same, range(3), infra_retries=1).exceptions(60):
        print(type(error).__name__, "/nowhere/python" in str(error))
"""
    assert client(script) == "WorkerCrashed True\n" * 6


@pytest.mark.parametrize(
    ("group", "file", "before", "after"),
    [
        ("0::/a/b\n", "a/b/memory.events", "low 0\noom 0\noom_kill 0\n", "low 0\noom 1\noom_kill 2\n"),
        (
            "4:cpu,memory:/x\n0::/\n",
            "memory/x/memory.oom_control",
            "under_oom 0\noom_kill 5\n",
            "under_oom 0\noom_kill 7\n",
        ),
        ("4:memory:/not/here\n", "memory/memory.oom_control", "oom_kill 0\n", "oom_kill 2\n"),
    ],
)
def test_kills_by_the_system_are_counted(tmp_path: Path, group: str, file: str, before: str, after: str) -> None:
    counter = tmp_path / "sys/fs/cgroup" / file
    for path, text in ((tmp_path / "proc/self/cgroup", group), (counter, before)):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    kills = SystemKills(str(tmp_path))
    assert not kills.one_more()
    counter.write_text(after)
    assert [kills.one_more() for _ in range(3)] == [True, True, False]


def test_where_the_system_counts_nothing_nothing_is_counted(tmp_path: Path) -> None:
    assert not SystemKills(str(tmp_path)).one_more()


def test_death_for_want_of_memory_is_told_from_other_kills() -> None:
    killed = Death(signal.SIGKILL, None, "")
    cause, final = ending(Reason.SYSTEM_MEMORY, killed, Limits())
    assert isinstance(cause, WorkerOutOfMemory)
    assert not final
    assert "max_in_flight" in str(cause)
    assert isinstance(ending(None, killed, Limits())[0], WorkerCrashed)
