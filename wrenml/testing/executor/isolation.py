"""What holds where calls run in processes of their own: their ends, limits, output and state."""

# ruff: noqa: PLR2004, S101 - these are tests, and expected values are literals
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wrenml.errors import CallCancelled, CallExited, CallTimeout, WorkerCrashed
from wrenml.executor import Executor
from wrenml.testing import samples
from wrenml.testing.executor.base import PATIENCE, ExecutorSuite, seen
from wrenml.testing.faults import CrashAtPickle, CrashAtUnpickle, CrashInCall, ExitAtUnpickle, ExitInCall, KilledWorker

__all__ = ["IsolationContract"]


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
        quiet = executor.map(samples.square, [1])
        quiet.results(timeout=PATIENCE)
        assert quiet.logs(0) == ""

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
        assert [type(error) for error in futures.exceptions(PATIENCE)] == [
            type(None),
            WorkerCrashed,
            type(None),
            type(None),
        ]
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
        assert seen(started[0])
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
        assert seen(started)
        assert stuck.cancel()
        assert "cancelled" in str(after.exception(PATIENCE))

    @pytest.mark.usefixtures("processes")
    def test_cancel_keeps_the_neighbours(self, executor: Executor, tmp_path: Path) -> None:
        """Cancelling the running call of a chunk loses none of the others."""
        tasks = [(i, str(tmp_path / "stuck")) for i in range(6)]
        futures = executor.map(_stuck_at_three, tasks, chunksize=6)
        assert seen(tmp_path / "stuck")
        assert futures[3].cancel()
        results: list[Any] = futures.results(errors="skip", timeout=PATIENCE)
        assert results == [(i, i) for i in (0, 1, 2, 4, 5)]

    @pytest.mark.usefixtures("processes")
    def test_shutdown_cancels(self, make: Callable[[], Executor], tmp_path: Path) -> None:
        """With ``cancel_futures=True`` nothing is waited for."""
        executor = make()
        futures = executor.map(samples.stuck_in_this_function, [str(tmp_path / f"s{i}") for i in range(5)])
        executor.shutdown(cancel_futures=True)
        assert [future.cancelled() for future in futures] == [True] * 5


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
    if task[0] == 3:  # the name says it
        samples.stuck_in_this_function(task[1])
    return task[0]
