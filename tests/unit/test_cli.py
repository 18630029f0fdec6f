from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from wrenml.cli import main
from wrenml.local import local_executor

# Two jobs of a client that is gone; the second takes results of the first, a file, a variable and a local module.
CLIENT = """
import os
import sys
from helper import halved
from wrenml import local_executor

def divide(number):
    print("dividing by", number)
    return 12 / number

def combine(first, second):
    with open("offset.txt") as file:
        return halved(first + second) + int(file.read()) + int(os.environ["EXTRA"])

if __name__ == "__main__":
    with local_executor(workers=1) as executor:
        one = executor.map(divide, [1, 2, 0, 4], name="quotients", tags={"kind": "test"})
        pairs = [(one[0], one[1]), (one[3], 1.0)]
        two = executor.starmap(combine, pairs, files=sys.argv[1], env={"EXTRA": "1000"}, name="sums")
        assert two.results() == [1109.0, 1102.0]
        print(one.id, two.id)
"""


class Place(NamedTuple):
    environment: dict[str, str]
    quotients: str
    sums: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("client")
    (folder / "client.py").write_text(CLIENT)
    (folder / "helper.py").write_text("def halved(number):\n    return number / 2\n")
    (folder / "offset.txt").write_text("100")
    places = {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_CONFIG_HOME": str(folder / "config")}
    command = [sys.executable, str(folder / "client.py"), str(folder / "offset.txt")]
    done = subprocess.run(
        command, env={**os.environ, **places}, text=True, stdout=subprocess.PIPE, timeout=60, check=True
    )
    return Place(places, *done.stdout.split())


@pytest.fixture
def place(made: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


def command(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wrenml", *arguments],
        input=typed,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )


Captured = pytest.CaptureFixture[str]


def complaint(capsys: Captured) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


class TestHelp:
    def test_it_names_every_command_and_exit_code(self, capsys: Captured) -> None:
        with pytest.raises(SystemExit) as end:
            main(["--help"])
        assert end.value.code == 0
        out = capsys.readouterr().out
        for name in ("demo", "jobs", "show", "logs", "debug", "clean"):
            assert re.search(rf"^    {name} +\w", out, re.MULTILINE)
        for code in (0, 1, 2, 3, 4, 5, 130):
            assert re.search(rf"^  {code} +\w", out, re.MULTILINE)

    @pytest.mark.parametrize("line", ["", "shw", "show", "logs x -1", "clean --older-than 7", "jobs -n 0", "debug x"])
    def test_what_cannot_be_meant(self, line: str, capsys: Captured) -> None:
        with pytest.raises(SystemExit) as end:
            main(line.split())
        assert end.value.code == 2
        assert "usage: wrenml" in capsys.readouterr().err


class TestJobs:
    def test_the_newest_first(self, place: Place, capsys: Captured) -> None:
        assert main(["jobs"]) == 0
        head, *rows = capsys.readouterr().out.splitlines()
        assert head.split() == ["JOB", "STARTED", "STATE", "CALLS", "TOOK", "NAME"]
        cells = [row.split() for row in rows]
        assert [(row[0], row[3], row[4], row[-1]) for row in cells] == [
            (place.sums, "done", "2", "sums"),
            (place.quotients, "failed", "4", "quotients"),
        ]

    def test_a_limit(self, place: Place, capsys: Captured) -> None:
        assert main(["jobs", "-n", "1"]) == 0
        out = capsys.readouterr().out
        assert place.sums in out
        assert place.quotients not in out
        assert "1 older" in out

    def test_json(self, place: Place, capsys: Captured) -> None:
        assert main(["jobs", "--json"]) == 0
        first, second = json.loads(capsys.readouterr().out)
        assert (first["id"], second["id"]) == (place.sums, place.quotients)
        counts = {name: second[name] for name in ("state", "calls", "succeeded", "failed", "cancelled", "missing")}
        assert counts == {"state": "failed", "calls": 4, "succeeded": 3, "failed": 1, "cancelled": 0, "missing": 0}
        assert second["tags"] == {"kind": "test"}

    @pytest.mark.usefixtures("place")
    def test_jobs_that_another_key_wrote_are_counted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
    ) -> None:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        assert main(["jobs"]) == 0
        assert "2 jobs that another key wrote" in capsys.readouterr().out

    def test_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert main(["jobs"]) == 0
        assert capsys.readouterr().out.startswith("no jobs in ")
        assert main(["show", "last"]) == 3
        assert "`wrenml demo` runs one" in complaint(capsys)


class TestShow:
    def test_a_job_that_failed(self, place: Place, capsys: Captured) -> None:
        assert main(["show", place.quotients[:6]]) == 1
        out = capsys.readouterr().out
        assert out.startswith(f"job {place.quotients} · quotients · failed\n")
        assert "calls    4: 3 succeeded, 1 failed\n" in out
        assert "tags     kind=test\n" in out
        assert re.search(r"^2 +[\d.]+ ms  ZeroDivisionError: division by zero$", out, re.MULTILINE)
        assert f"wrenml debug {place.quotients} 2" in out

    def test_a_job_that_succeeded(self, place: Place, capsys: Captured) -> None:
        assert main(["show", "last"]) == 0
        assert capsys.readouterr().out.startswith(f"job {place.sums} · sums · done\n")

    def test_a_call(self, place: Place, capsys: Captured) -> None:
        assert main(["show", place.quotients, "1"]) == 0
        assert capsys.readouterr().out.startswith(f"call 1 of job {place.quotients} · quotients · done\n")
        assert main(["show", place.quotients, "2"]) == 1
        out = capsys.readouterr().out
        assert "Traceback (most recent call last)" in out
        assert "return 12 / number" in out

    def test_json(self, place: Place, capsys: Captured) -> None:
        assert main(["show", place.quotients, "--json"]) == 1
        shown = json.loads(capsys.readouterr().out)
        (failure,) = shown["failures"]
        assert (failure["call"], failure["type"].rpartition(".")[2]) == (2, "ZeroDivisionError")
        assert main(["show", place.quotients, "0", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["state"] == "done"

    @pytest.mark.usefixtures("place")
    @pytest.mark.parametrize("job", ["zz", "../jobs", "", "\0"])
    def test_no_such_job(self, job: str, capsys: Captured) -> None:
        assert main(["show", job]) == 3
        assert "`wrenml jobs` lists what there is" in complaint(capsys)

    def test_no_such_call(self, place: Place, capsys: Captured) -> None:
        for name in ("show", "logs", "debug"):
            assert main([name, place.quotients, "4"]) == 3
            assert "has no call 4: it has 4, numbered from 0" in complaint(capsys)

    def test_a_job_that_still_runs_or_was_lost(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        gate = tmp_path / "gate"
        os.mkfifo(gate)
        with local_executor(workers=1) as executor:
            futures = executor.map(lambda path: open(path).read(), [str(gate)])  # noqa: SIM115
            executor.session.output(executor.session.jobs[futures.id], 0)
            done = command("show", futures.id)
            assert (done.returncode, done.stderr) == (4, "")
            assert "· running\n" in done.stdout
            futures.cancel()
            assert main(["show", futures.id]) == 1
            assert "· cancelled\n" in capsys.readouterr().out


class TestLogs:
    def test_of_one_call(self, place: Place, capsys: Captured) -> None:
        assert main(["logs", place.quotients, "1"]) == 0
        assert capsys.readouterr().out == "dividing by 2\n"

    def test_of_all(self, place: Place, capsys: Captured) -> None:
        assert main(["logs", place.quotients]) == 0
        out = capsys.readouterr().out
        assert re.findall(r"── call (\d) ──\ndividing by (\d)\n", out) == [
            ("0", "1"),
            ("1", "2"),
            ("2", "0"),
            ("3", "4"),
        ]
        assert "ZeroDivisionError: division by zero\n── call 3" in out

    def test_of_calls_that_printed_nothing(self, place: Place, capsys: Captured) -> None:
        assert main(["logs", place.sums]) == 0
        assert "has printed anything" in complaint(capsys)

    def test_json(self, place: Place, capsys: Captured) -> None:
        assert main(["logs", place.quotients, "1", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == [{"call": 1, "output": "dividing by 2\n", "traceback": ""}]

    def test_a_reader_that_has_seen_enough(self, place: Place) -> None:
        pipe = f"{sys.executable} -m wrenml logs {place.quotients} | head -n 1"
        done = subprocess.run(["bash", "-c", pipe], text=True, capture_output=True, timeout=60, check=False)  # noqa: S607
        assert (done.stdout, done.stderr) == ("── call 0 ──\n", "")


class TestDebug:
    def test_a_call_that_fails_fails_here_too(self, place: Place) -> None:
        done = command("debug", place.quotients, "2")
        assert done.returncode == 1
        assert done.stdout == "dividing by 0\n"
        first, head, where, *_ = done.stderr.splitlines()
        assert first == f"wrenml: quotients, call 2 of job {place.quotients}: 0"
        assert head == "Traceback (most recent call last):"
        assert where.endswith("in divide")
        assert done.stderr.endswith("ZeroDivisionError: division by zero\n")

    def test_with_results_of_other_calls_files_variables_and_local_modules(self, place: Place, tmp_path: Path) -> None:
        done = command("debug", place.sums, "1")
        assert (done.returncode, done.stdout) == (0, "1102.0\n")
        assert not list(tmp_path.iterdir())

    def test_under_the_debugger(self, place: Place) -> None:
        done = command("debug", place.quotients, "1", "--pdb", typed="p number * 1000\nc\n")
        assert (done.returncode, "2000" in done.stdout) == (0, True)
        assert done.stdout.endswith("6.0\n")

    def test_the_debugger_stops_where_an_exception_was_raised(self, place: Place) -> None:
        done = command("debug", place.quotients, "2", "--pdb", typed="c\np number + 4000\nq\n")
        assert (done.returncode, "4000" in done.stdout) == (1, True)

    def test_quitting_the_debugger(self, place: Place) -> None:
        done = command("debug", place.quotients, "1", "--pdb", typed="q\n")
        assert done.returncode == 130
        assert "Traceback" not in done.stderr


class TestClean:
    def test_nothing_is_old(self, place: Place, capsys: Captured) -> None:
        assert main(["clean"]) == 0
        assert capsys.readouterr().out.startswith("removed 0 jobs, 0 blobs")
        assert main(["jobs", "--json"]) == 0
        assert [job["id"] for job in json.loads(capsys.readouterr().out)] == [place.sums, place.quotients]

    @pytest.mark.usefixtures("place")
    def test_saying_what_would_go(self, capsys: Captured) -> None:
        assert main(["clean", "--older-than", "0s", "--dry-run"]) == 0
        assert capsys.readouterr().out.startswith("would remove 2 jobs, ")
        assert main(["clean", "--older-than", "0s", "--dry-run", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["jobs"] == 2


def test_a_bad_setting_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("WRENML_WORKERS", "many")
    for line in ("jobs", "show x", "clean", "demo --quick"):
        assert main(line.split()) == 2
        assert "WRENML_WORKERS" in capsys.readouterr().err.splitlines()[-1]
