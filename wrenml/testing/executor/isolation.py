"""What holds where calls run in processes of their own: their ends, limits, output and state."""

# ruff: noqa: S101 - these are tests
from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wrenml.errors import CallCancelled, CallExited, CallTimeout, InputFailed, WorkerCrashed, WorkerLost
from wrenml.executor import Executor
from wrenml.testing import samples
from wrenml.testing.executor.base import PATIENCE, ExecutorSuite
from wrenml.testing.faults import CrashAtPickle, CrashAtUnpickle, CrashInCall, ExitAtUnpickle, ExitInCall, KilledWorker

__all__ = ["IsolationContract"]

_READ = """
import os, pickle, sys
futures = pickle.load(open(sys.argv[1], "rb"))
print([future.result(60) for future in futures])
"""
_CLIENT = """
import pickle, sys
from wrenml.testing import samples
executor = pickle.load(open(sys.argv[1], "rb"))
futures = executor.map(samples.wait_for_file, [sys.argv[2], sys.argv[3]], chunksize=1)
futures[0].result(60)
print(futures.id, flush=True)
futures.results(timeout=60)
executor.shutdown()
"""
_ATTACH = """
import pickle, sys
executor = pickle.load(open(sys.argv[1], "rb"))
futures = executor.attach(sys.argv[2])
print(futures.results(errors="return", timeout=60))
print(futures.retry_failed().results(errors="return", timeout=60))
executor.shutdown()
"""


def _seen(path: Path) -> bool:
    end = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > end:
            return False
        os.sched_yield()
    return True


def _python(script: str, *arguments: str) -> str:
    code = f"import sys; sys.path[:] = {sys.path!r}\n{script}"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=2 * PATIENCE).stdout


class IsolationContract(ExecutorSuite):
    """Skipped where `isolated` is False."""

    @pytest.mark.usefixtures("processes")
    def test_calls_run_elsewhere(self, executor: Executor) -> None:
        """Not in this process."""
        assert os.getpid() not in executor.map(samples.process, range(4)).results(timeout=PATIENCE)

    @pytest.mark.usefixtures("processes")
    def test_calls_run_at_the_same_time(self, executor: Executor, tmp_path: Path) -> None:
        """Two calls that wait for each other both end."""
        one, two = str(tmp_path / "one"), str(tmp_path / "two")
        futures = executor.map(samples.announce_and_wait, [(one, two), (two, one)], chunksize=1)
        assert len(set(futures.results(timeout=PATIENCE))) == 2

    @pytest.mark.usefixtures("processes")
    def test_logs(self, executor: Executor) -> None:
        """What a call printed is its own, in full, and is there after a failure too."""
        futures = executor.map(samples.speak, range(3), chunksize=3)
        assert futures.results(timeout=PATIENCE) == [0, 1, 2]
        for i in range(3):
            assert f"out {i}" in futures.logs(i)
            assert f"err {i}" in futures.logs(i)
            assert f"out {(i + 1) % 3}" not in futures.logs(i)
        failed = executor.map(samples.speak_and_fail, [5])
        error = failed[0].exception(PATIENCE)
        assert "last words 5" in failed.logs(0)
        assert "last words 5" in "\n".join(getattr(error, "__notes__", []))
        assert executor.map(samples.square, [1]).logs

    @pytest.mark.usefixtures("processes")
    def test_logs_of_a_call_that_is_not_over(self, executor: Executor, tmp_path: Path) -> None:
        """They are asked for too early, which is said."""
        gate = tmp_path / "gate"
        futures = executor.map(samples.wait_for_file, [str(gate)])
        with pytest.raises(TimeoutError, match="not over"):
            futures.logs(0)
        gate.touch()
        futures.results(timeout=PATIENCE)
        assert futures.logs(0) == ""

    @pytest.mark.usefixtures("processes")
    def test_files(self, executor: Executor, tmp_path: Path) -> None:
        """Shipped files lie in the call's folder, and a changed file is shipped anew."""
        data = tmp_path / "data.csv"
        for text in ("a,b\n1,2\n", "changed\n"):
            data.write_text(text, encoding="utf-8")
            assert executor.map(samples.read_file, ["data.csv"], files=data).results(timeout=PATIENCE) == [text]

    @pytest.mark.usefixtures("processes")
    def test_timeout(self, executor: Executor, tmp_path: Path) -> None:
        """A call over its limit fails alone and says where it was stuck."""
        started = tmp_path / "started"
        futures = executor.map(samples.stuck_in_this_function, [str(started)], timeout=1)
        error = futures[0].exception(PATIENCE)
        assert isinstance(error, CallTimeout)
        assert "out of time" in str(error)
        assert "stuck_in_this_function" in str(error)
        assert executor.map(samples.square, range(5), timeout=30).results(timeout=PATIENCE) == [0, 1, 4, 9, 16]

    @pytest.mark.usefixtures("processes")
    def test_timeout_spares_the_neighbours(self, executor: Executor, tmp_path: Path) -> None:
        """Calls of the same chunk have their results."""
        futures = executor.map(_stuck_at_three, [(i, str(tmp_path / "s")) for i in range(8)], timeout=1, chunksize=8)
        errors = futures.exceptions(PATIENCE)
        assert [type(error) for error in errors] == [type(None)] * 3 + [CallTimeout] + [type(None)] * 4

    @pytest.mark.parametrize("code", [0, 3])
    @pytest.mark.usefixtures("processes")
    def test_hard_exit(self, executor: Executor, code: int) -> None:
        """`os._exit` costs its own call only, which learns the code and is not run again."""
        futures = executor.map(_exit_at(2, code), range(6), chunksize=6)
        errors = futures.exceptions(PATIENCE)
        assert [error is None for error in errors] == [True, True, False, True, True, True]
        assert isinstance(errors[2], CallExited)
        assert errors[2].code == code

    @pytest.mark.parametrize("how", ["segfault", "abort", "kill"])
    @pytest.mark.usefixtures("processes")
    def test_crash(self, executor: Executor, how: str) -> None:
        """A call that keeps killing its worker ends as crashed; nobody else's result is lost."""
        futures = executor.map(_Only(2, CrashInCall(how)), range(6), chunksize=6, infra_retries=1)
        errors = futures.exceptions(PATIENCE)
        assert [error is None for error in errors] == [True, True, False, True, True, True]
        assert isinstance(errors[2], WorkerCrashed)
        assert errors[2].signal == {"segfault": 11, "abort": 6, "kill": 9}[how]
        assert executor.submit(samples.square, 3).result(PATIENCE) == 9

    @pytest.mark.usefixtures("processes")
    def test_killed_worker(self, executor: Executor, tmp_path: Path) -> None:
        """A call whose worker was killed is run again, as often as is allowed."""
        fn = KilledWorker(samples.identity, str(tmp_path), times=2, only=[3, 11])
        futures = executor.map(fn, range(20), chunksize=5)
        assert futures.results(timeout=PATIENCE) == list(range(20))
        assert futures.summary().retried >= 4

    @pytest.mark.usefixtures("processes")
    def test_infra_retries_are_bounded(self, executor: Executor, tmp_path: Path) -> None:
        """The worker is killed once more than the retries, and then no more."""
        fn = KilledWorker(samples.identity, str(tmp_path), times=99)
        error = executor.map(fn, [0], infra_retries=2)[0].exception(PATIENCE)
        assert isinstance(error, WorkerCrashed)
        assert len(list(tmp_path.iterdir())) == 3

    @pytest.mark.usefixtures("processes")
    def test_crash_at_pickling(self, executor: Executor) -> None:
        """Death while a result is pickled or an argument unpickled is that call's."""
        futures = executor.map(_returns_deadly, range(4), chunksize=4, infra_retries=0)
        assert [type(error) for error in futures.exceptions(PATIENCE)] == [type(None), WorkerCrashed, type(None), type(None)]
        futures = executor.map(samples.describe, [0, CrashAtUnpickle(), 2], chunksize=3, infra_retries=0)
        assert [type(error) for error in futures.exceptions(PATIENCE)] == [type(None), WorkerCrashed, type(None)]
        futures = executor.map(samples.describe, [0, ExitAtUnpickle(5), 2], chunksize=3)
        errors = futures.exceptions(PATIENCE)
        assert isinstance(errors[1], CallExited)
        assert (errors[0], errors[1].code, errors[2]) == (None, 5, None)

    @pytest.mark.usefixtures("processes")
    def test_cancel(self, executor: Executor, tmp_path: Path) -> None:
        """Running calls are ended, waiting ones never started; the executor stays usable."""
        started = [tmp_path / f"s{i}" for i in range(30)]
        futures = executor.map(samples.stuck_in_this_function, map(str, started), chunksize=1)
        assert _seen(started[0])
        assert futures[0].cancel() is True
        assert futures[0].cancelled()
        assert futures.cancel() == 29
        assert futures.cancel() == 0
        with pytest.raises(CallCancelled, match="cancelled"):
            futures.results(timeout=PATIENCE)
        assert futures.results(errors="skip", timeout=PATIENCE) == []
        assert futures.summary().cancelled == 30
        assert executor.map(samples.square, range(10)).results(timeout=PATIENCE) == [x * x for x in range(10)]
        assert not started[29].exists()

    @pytest.mark.usefixtures("processes")
    def test_cancel_of_an_input(self, executor: Executor, tmp_path: Path) -> None:
        """A call whose input is cancelled fails, and one that waits for inputs can be cancelled."""
        started = tmp_path / "started"
        stuck = executor.submit(samples.stuck_in_this_function, str(started))
        after, cancelled = executor.submit(samples.identity, stuck), executor.submit(samples.square, stuck)  # type: ignore[arg-type]
        assert cancelled.cancel()
        assert _seen(started)
        assert stuck.cancel()
        assert "cancelled" in str(after.exception(PATIENCE))

    @pytest.mark.usefixtures("processes")
    def test_cancel_keeps_the_neighbours(self, executor: Executor, tmp_path: Path) -> None:
        """Cancelling the running call of a chunk loses none of the others."""
        tasks = [(i, str(tmp_path / "stuck")) for i in range(6)]
        futures = executor.map(_stuck_at_three, tasks, chunksize=6)
        assert _seen(tmp_path / "stuck")
        assert futures[3].cancel()
        assert futures.results(errors="skip", timeout=PATIENCE) == [(i, i) for i in (0, 1, 2, 4, 5)]

    @pytest.mark.usefixtures("processes")
    def test_shutdown_cancels(self, make: Callable[[], Executor], tmp_path: Path) -> None:
        """With ``cancel_futures=True`` nothing is waited for."""
        executor = make()
        futures = executor.map(samples.stuck_in_this_function, [str(tmp_path / f"s{i}") for i in range(5)])
        executor.shutdown(cancel_futures=True)
        assert [future.cancelled() for future in futures] == [True] * 5

    @pytest.mark.usefixtures("processes")
    def test_attach_in_another_process(self, executor: Executor, tmp_path: Path) -> None:
        """It sees the same outcomes, reads pickled futures, and can run again what failed."""
        tasks = [(str(tmp_path / f"t{i}"), i % 2) for i in range(4)]
        futures = executor.map(samples.fail_first, tasks)
        expected = futures.results(errors="return", timeout=PATIENCE)
        (tmp_path / "executor").write_bytes(pickle.dumps(executor))
        attached, again = _python(_ATTACH, str(tmp_path / "executor"), futures.id).splitlines()
        assert attached == str(expected)
        assert again == "[1, 2, 1, 2]"
        (tmp_path / "futures").write_bytes(pickle.dumps([futures[0], futures[2]]))
        assert _python(_READ, str(tmp_path / "futures")).strip() == "[1, 1]"

    @pytest.mark.usefixtures("processes")
    def test_attach_to_a_running_job(self, executor: Executor, tmp_path: Path) -> None:
        """Another process waits for what this one is still running."""
        gate = tmp_path / "gate"
        futures = executor.map(samples.wait_for_file, [str(tmp_path), str(gate)], chunksize=1)
        assert futures[0].result(PATIENCE)
        (tmp_path / "futures").write_bytes(pickle.dumps(list(futures)))
        script = f"open({str(gate)!r} + '.reading', 'w').close()\n{_READ}"
        with _start(script, str(tmp_path / "futures")) as reader:
            assert _seen(Path(f"{gate}.reading"))
            gate.touch()
            output, _ = reader.communicate(timeout=2 * PATIENCE)
        assert output.strip() == str([str(tmp_path), str(gate)])


    @pytest.mark.usefixtures("processes")
    @pytest.mark.parametrize("killed", [False, True])
    def test_attach_to_another_client(self, executor: Executor, tmp_path: Path, killed: bool) -> None:  # noqa: FBT001  # a parameter of the test
        """Its running calls are waited for while it lives, and lost with it; they can be run again here."""
        gate = str(tmp_path / "gate")
        (tmp_path / "executor").write_bytes(pickle.dumps(executor))
        with _start(_CLIENT, str(tmp_path / "executor"), str(tmp_path), gate) as client:
            assert client.stdout is not None
            futures = executor.attach(client.stdout.readline().strip())
            assert [future.done() for future in futures] == [True, False]
            told = threading.Event()
            futures[1].add_done_callback(lambda _: told.set())
            after = executor.submit(samples.identity, futures[1])
            if killed:
                client.kill()
                client.wait()
                assert isinstance(futures[1].exception(PATIENCE), WorkerLost)
                assert isinstance(after.exception(PATIENCE), InputFailed)
                Path(gate).touch()
                futures = futures.retry_failed()
            else:
                Path(gate).touch()
                assert after.result(PATIENCE) == gate
            assert futures.results(timeout=PATIENCE) == [str(tmp_path), gate]
            assert told.wait(PATIENCE)


def _start(script: str, *arguments: str) -> subprocess.Popen[str]:
    code = f"import sys; sys.path[:] = {sys.path!r}\n{script}"
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)


class _Only:
    """A function that fails for one argument."""

    def __init__(self, culprit: int, fault: Callable[[object], object]) -> None:
        self.culprit = culprit
        self.fault = fault

    def __call__(self, x: int) -> object:
        return self.fault(x) if x == self.culprit else x


def _exit_at(culprit: int, code: int) -> _Only:
    return _Only(culprit, ExitInCall(code, hard=True))


def _returns_deadly(x: int) -> object:
    return CrashAtPickle() if x == 1 else x


def _stuck_at_three(task: tuple[int, str]) -> int:
    if task[0] == 3:  # noqa: PLR2004  # the name says it
        samples.stuck_in_this_function(task[1])
    return task[0]
