"""What the options of a map do on local workers, beyond what every executor promises."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wrenml import Executor, inline_executor, local_executor, wait
from wrenml.errors import (
    CallCancelled,
    ConfigError,
    FunctionNotSerializable,
    InitializerFailed,
    NotSupportedError,
    WorkerOutOfMemory,
)
from wrenml.testing import samples
from wrenml.testing.faults import ErrorAtPickle

PATIENCE = 60.0


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with local_executor(workers=2) as executor:
        yield executor


class TestMemory:
    """`memory_mb`: one limit, or several to try in turn."""

    @staticmethod
    def hungry(log: Path) -> Callable[[int], int]:
        """A call that notes that it ran and uses that many MB for as long as it takes to be seen."""

        def use(megabytes: int) -> int:
            with log.open("a") as file:
                file.write(f"{megabytes}\n")
            used = b"x" * (megabytes << 20)
            if megabytes:
                time.sleep(0.5)
            return len(used)

        return use

    def test_the_next_size_is_tried(self, executor: Executor, tmp_path: Path) -> None:
        log = tmp_path / "log"
        futures = executor.map(self.hungry(log), [0, 300, 0, 0], memory_mb=[150, 250, 1000])
        assert futures.results(timeout=PATIENCE) == [0, 300 << 20, 0, 0]
        assert log.read_text().split().count("300") == 3
        assert futures.summary().retried >= 2

    def test_more_sizes_than_infra_retries(self, executor: Executor, tmp_path: Path) -> None:
        sizes = [100, 150, 200, 1000]
        futures = executor.map(self.hungry(tmp_path / "log"), [300], memory_mb=sizes, infra_retries=0)
        assert futures.results(timeout=PATIENCE) == [300 << 20]

    def test_the_last_size_is_the_limit(self, executor: Executor, tmp_path: Path) -> None:
        log = tmp_path / "log"
        futures = executor.map(self.hungry(log), [300, 0], memory_mb=(100, 150))
        error = futures[0].exception(PATIENCE)
        assert isinstance(error, WorkerOutOfMemory)
        assert error.memory_mb == 150
        assert futures[1].result(PATIENCE) == 0
        assert log.read_text().split().count("300") == 2


class TestFiles:
    """`files`: what is shipped lies in the folder where calls run."""

    def test_folders_and_paths(self, executor: Executor, tmp_path: Path) -> None:
        deep = tmp_path / "data" / "more"
        deep.mkdir(parents=True)
        (deep / "leaf.txt").write_text("leaf")
        (tmp_path / "data" / "root.txt").write_text("root")
        (tmp_path / "single.txt").write_text("single")
        names = ["data/more/leaf.txt", "data/root.txt", "single.txt"]
        files: list[str | Path] = [f"{tmp_path / 'data'}{os.sep}", tmp_path / "single.txt"]
        assert executor.map(samples.read_file, names, files=files).results(timeout=PATIENCE) == [
            "leaf",
            "root",
            "single",
        ]

    def test_two_files_of_one_name(self, executor: Executor, tmp_path: Path) -> None:
        paths = [tmp_path / "a" / "same.txt", tmp_path / "b" / "same.txt"]
        for path in paths:
            path.parent.mkdir()
            path.touch()
        with pytest.raises(ConfigError, match=r"'same\.txt'"):
            executor.map(samples.read_file, ["same.txt"], files=paths)
        assert executor.map(samples.read_file, ["same.txt"], files=paths[:1] * 2).results(timeout=PATIENCE) == [""]


class TestInitializer:
    """`initializer` and `finalizer`: once an environment."""

    def test_once_a_worker_whatever_runs_in_between(self, tmp_path: Path) -> None:
        log = tmp_path / "log"

        def note(word: str) -> Callable[[], None]:
            def noted() -> None:
                with log.open("a") as file:
                    file.write(f"{word} {os.getpid()}\n")

            return noted

        with local_executor(workers=1) as executor:
            begin, end = note("begin"), note("end")
            for _ in range(2):
                executor.map(samples.square, range(5), initializer=begin, finalizer=end).results(timeout=PATIENCE)
                executor.map(samples.square, range(5)).results(timeout=PATIENCE)
            pid = executor.submit(samples.process).result(PATIENCE)
        assert log.read_text().splitlines() == [f"begin {pid}", f"end {pid}"]

    def test_its_failure_has_its_cause(self, executor: Executor) -> None:
        futures = executor.map(samples.square, range(3), initializer=samples.broken_initializer)
        for error in futures.exceptions(PATIENCE):
            assert isinstance(error, InitializerFailed)
            assert isinstance(error.__cause__, OSError)
            assert "no licence server" in str(error.__cause__)

    def test_a_failing_finalizer_costs_nothing(self, tmp_path: Path) -> None:
        mark = tmp_path / "mark"

        def fail() -> None:
            mark.touch()
            raise ValueError

        with local_executor(workers=1) as executor:
            assert executor.map(samples.square, [3], finalizer=fail).results(timeout=PATIENCE) == [9]
        assert mark.exists()


def test_max_in_flight(executor: Executor, tmp_path: Path) -> None:
    def alone(_: int) -> bool:
        mark = tmp_path / "here"
        try:
            mark.mkdir()
        except FileExistsError:
            return False
        time.sleep(0.02)
        mark.rmdir()
        return True

    assert executor.map(alone, range(12), max_in_flight=1).results(timeout=PATIENCE) == [True] * 12


def test_tags_stay_with_the_job(executor: Executor) -> None:
    futures = executor.map(samples.square, [1], name="sweep 7", tags={"team": "α"})
    futures.results(timeout=PATIENCE)
    with local_executor(workers=1) as other:
        again = other.attach(futures.id)
    assert "sweep 7" in repr(again)


def test_strict(executor: Executor) -> None:
    with pytest.raises(ValueError, match="shorter"):
        executor.map(samples.add, [1, 2], [1], strict=True)
    assert executor.map(samples.add, [1, 2], [1]).results(timeout=PATIENCE) == [2]


def test_exclude_modules(executor: Executor, tmp_path: Path) -> None:
    (tmp_path / "left_behind.py").write_text("def increase(x):\n    return x + 1\n")
    sys.path.insert(0, str(tmp_path))
    try:
        import left_behind  # type: ignore[import-not-found]  # noqa: PLC0415  # written above

        assert executor.map(left_behind.increase, [1]).results(timeout=PATIENCE) == [2]
        futures = executor.map(left_behind.increase, [1], exclude_modules="left_behind")
        assert isinstance(futures[0].exception(PATIENCE), ImportError)
        assert executor.map(left_behind.increase, [1]).results(timeout=PATIENCE) == [2]
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("left_behind", None)


def test_max_cost_costs_nothing_here(executor: Executor) -> None:
    assert executor.map(samples.square, range(9), max_cost=0.01).results(timeout=PATIENCE) == [x * x for x in range(9)]


class TestDryRun:
    """`dry_run`: says what would be sent, and sends nothing."""

    def test_it_says_sizes_and_requests(
        self, executor: Executor, capfd: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        (tmp_path / "data.csv").write_bytes(bytes(2000))
        futures = executor.map(
            samples.size_of, [bytes(300_000), "a", [1, 2]], chunksize=2, files=tmp_path / "data.csv", dry_run=True
        )
        said = capfd.readouterr().err
        for part in (
            "dry run of size_of",
            "calls      3\n",
            "2 of 2 calls",
            "300.0 kB",
            "data.csv",
            "2.0 kB",
            "cost       none",
        ):
            assert part in said
        assert len(futures) == 3

    def test_nothing_is_stored_or_run(self, executor: Executor, tmp_path: Path) -> None:
        storage = executor.session.storage
        before = list(storage.list(""))
        mark = tmp_path / "mark"

        def leave_mark(_: bytes) -> None:
            mark.touch()

        futures = executor.map(leave_mark, [os.urandom(300_000)] * 2, dry_run=True)
        assert futures.done_count == 2
        assert (list(storage.list("")), mark.exists()) == (before, False)

    def test_what_its_futures_do(self, executor: Executor) -> None:
        futures = executor.map(samples.square, range(3), dry_run=True)
        with pytest.raises(CallCancelled, match="dry_run"):
            futures.results(timeout=PATIENCE)
        assert futures.results(errors="skip") == []
        assert [type(error) for error in futures.exceptions()] == [CallCancelled] * 3
        assert wait(futures) == (list(futures), [])
        assert futures.cancel() == 0
        with pytest.raises(NotSupportedError, match="dry run"):
            futures.retry_failed()
        with pytest.raises(TypeError, match="dry run"):
            pickle.dumps(futures[0])

    def test_what_cannot_be_sent(self, executor: Executor, capfd: pytest.CaptureFixture[str]) -> None:
        executor.map(samples.identity, [1, ErrorAtPickle(), ErrorAtPickle()], dry_run=True)
        assert "3, of which 2 cannot be pickled, the first with index 1" in capfd.readouterr().err
        lock = threading.Lock()
        with pytest.raises(FunctionNotSerializable, match="lock"):
            executor.map(lambda x: (lock, x), [1], dry_run=True)

    def test_single_calls(self, executor: Executor) -> None:
        future = executor.call_async(samples.square, 3, dry_run=True)
        assert isinstance(future.exception(PATIENCE), CallCancelled)
        with local_executor(workers=1, dry_run=True) as dry:
            assert isinstance(dry.submit(samples.square, 3).exception(PATIENCE), CallCancelled)
            with pytest.raises(ConfigError, match="dry_run"):
                dry.concurrent()
        with pytest.raises(ConfigError, match="map"):
            executor.imap(samples.square, range(3), dry_run=True)

    def test_of_nothing(self, executor: Executor) -> None:
        assert executor.map(samples.square, [], dry_run=True).results() == []
        assert len(inline_executor().map(samples.square, [1, 2], dry_run=True)) == 2
