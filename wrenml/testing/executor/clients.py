"""Several clients of one storage: attaching from other processes, and to their jobs."""

# ruff: noqa: S101 - these are tests, and expected values are literals
from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from wrenml.errors import InputFailed, WorkerLost
from wrenml.executor import Executor
from wrenml.testing import samples
from wrenml.testing.executor.base import PATIENCE, ExecutorSuite, seen

__all__ = ["ClientsContract"]

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


def _start(script: str, *arguments: str) -> subprocess.Popen[str]:
    code = f"import sys; sys.path[:] = {sys.path!r}\n{script}"
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)


def _python(script: str, *arguments: str) -> str:
    code = f"import sys; sys.path[:] = {sys.path!r}\n{script}"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=2 * PATIENCE).stdout


class ClientsContract(ExecutorSuite):
    """Skipped where `isolated` is False."""

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
            assert seen(Path(f"{gate}.reading"))
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
