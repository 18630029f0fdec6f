from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from wrenml.cli import main

# Calls that fail until a file exists; what it is called with decides whether they wait for another.
CLIENT = """
import signal
import sys
import time
from pathlib import Path
from wrenml import local_executor

def measure(number):
    while number >= 100:
        time.sleep(0.05)
    if number % 2 and not Path(sys_path, "calibration").exists():
        raise FileNotFoundError(f"no calibration for {number}")
    return number

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started this may ignore it
    sys_path = sys.argv[1]
    with local_executor(workers=2) as executor:
        futures = executor.map(measure, map(int, sys.argv[2:]), name="measured")
        next(futures.as_completed())
        print(futures.id, flush=True)
        futures.exceptions()
"""

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, folder in {"XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config"}.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setenv("WRENML_WORKERS", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "client.py").write_text(CLIENT)
    return tmp_path


def measured(folder: Path, *numbers: int) -> subprocess.Popen[str]:
    """A client at work on these."""
    command = [sys.executable, str(folder / "client.py"), str(folder), *map(str, numbers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def running(client: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A client whose job does not end by itself, and its job."""
    process = measured(client, 2, 4, 100, 102)
    limit = threading.Timer(60, process.kill)
    limit.start()
    try:
        yield process, first_line(process)
    finally:
        limit.cancel()
        process.kill()
        process.communicate(timeout=30)


@pytest.fixture
def failed(client: Path) -> str:
    process = measured(client, 0, 1, 2, 3)
    out, _ = process.communicate(timeout=60)
    return out.strip()


def shown(job: str, capsys: Captured) -> dict[str, object]:
    main(["show", job, "--json"])
    record: dict[str, object] = json.loads(capsys.readouterr().out)
    return record


class TestCancel:
    def test_a_client_is_interrupted_as_by_ctrl_c(
        self, running: tuple[subprocess.Popen[str], str], capsys: Captured
    ) -> None:
        process, job = running
        assert main(["cancel", job]) == 0
        assert f"job {job} is cancelled" in capsys.readouterr().out
        _, errors = process.communicate(timeout=30)
        assert process.returncode == -signal.SIGINT
        assert "interrupted" in errors
        record = shown(job, capsys)
        assert record["state"] == "cancelled"
        assert record["cancelled"] in (2, 3)  # with two workers, one may not have come to its second call

    def test_a_job_that_is_over_is_left_alone(self, failed: str, capsys: Captured) -> None:
        assert main(["cancel", failed[:8]]) == 0
        assert f"job {failed} is not running: it is failed" in capsys.readouterr().out

    def test_there_is_no_such_job(self, client: Path, capsys: Captured) -> None:  # noqa: ARG002  # its folders
        assert main(["cancel", "0123456789abcdef"]) == 3
        assert "no job" in capsys.readouterr().err


class TestRetry:
    def test_what_failed_is_run_again(self, failed: str, client: Path, capsys: Captured) -> None:
        (client / "calibration").touch()
        assert main(["retry", failed]) == 0
        out = capsys.readouterr().out
        assert f"runs 2 calls of job {failed} again" in out
        again = shown(out.split()[1], capsys)
        assert (again["state"], again["calls"]) == ("done", 2)

    def test_what_fails_again_is_said(self, failed: str, capsys: Captured) -> None:
        assert main(["retry", failed]) == 1
        assert "2 calls failed again: `wrenml show " in capsys.readouterr().out

    def test_what_is_lost_is_run(self, running: tuple[subprocess.Popen[str], str], capsys: Captured) -> None:
        process, job = running
        assert main(["retry", job]) == 4
        process.kill()
        process.wait(timeout=30)
        assert "still running" in capsys.readouterr().out
        assert shown(job, capsys)["state"] == "lost"

    def test_nothing_is_to_be_run_again(self, client: Path, capsys: Captured) -> None:
        process = measured(client, 0, 2)
        job = process.communicate(timeout=60)[0].strip()
        assert main(["retry", job]) == 0
        assert "nothing to run again" in capsys.readouterr().out


class TestReport:
    def test_it_is_written_where_one_says(self, failed: str, client: Path, capsys: Captured) -> None:
        assert main(["report", "last", "-o", "report.html"]) == 0
        assert capsys.readouterr().out == "report.html\n"
        text = (client / "report.html").read_text(encoding="utf-8")
        assert failed in text
        assert "FileNotFoundError: no calibration for 3" in text

    def test_by_default_it_is_named_after_the_job(self, failed: str, capsys: Captured) -> None:
        assert main(["report", failed[:6]]) == 0
        assert os.path.exists(capsys.readouterr().out.strip())

    def test_a_folder_that_is_not_there(self, failed: str, capsys: Captured) -> None:
        assert main(["report", failed, "--output", "nowhere/report.html"]) == 5
        assert "nowhere" in capsys.readouterr().err
