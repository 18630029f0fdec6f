"""`cache=`: results of equal calls, found again by other processes."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from wrenml import Executor, inline_executor, local_executor
from wrenml.storage import LocalStorage
from wrenml.testing import samples

PATIENCE = 60.0


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with local_executor(workers=2) as executor:
        yield executor


class Log:
    """Which arguments calls were run with, noted in a file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def fn(self) -> Callable[[Any], Any]:
        folder = str(self._folder)

        def noted(x: Any) -> Any:  # noqa: ANN401  # whatever the test maps
            Path(folder, f"{x}_{uuid4()}").touch()
            return [x, x]

        return noted

    def runs(self) -> Counter[str]:
        return Counter(path.name.partition("_")[0] for path in self._folder.iterdir())


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


PROGRAM = """
import sys
import wrenml
from helper import scale
STEP = {step}
def work(pair):
    name, options = pair
    with open({log!r}, "a") as file:
        file.write(f"{{name}}\\n")
    return name, sorted(options), scale(len(name)) + STEP
def main():
    items = [(f"candidate {{i}}", {{"a", "b", f"c{{i}}"}}) for i in range({count})]
    with wrenml.local_executor(workers=2) as executor:
        for result in executor.map(work, items, cache="sweep-{cache}").results(timeout=60):
            print(result)
if __name__ == "__main__":
    main()
"""


class Sweep:
    """A script that maps over candidates, run by a process of its own with a hash seed of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "runs"
        self._log.touch()
        self._seed = 0

    def run(self, count: int, *, step: int = 1, helper: str = "def scale(n): return 10 * n") -> tuple[list[str], int]:
        """Its lines, and how many calls were run for them."""
        before = len(self._log.read_text().splitlines())
        self._seed += 1
        (self._folder / "helper.py").write_text(helper + "\n")
        (self._folder / "sweep.py").write_text(
            PROGRAM.format(step=step, log=str(self._log), count=count, cache=self._folder.name)
        )
        environment = {**os.environ, "PYTHONHASHSEED": str(self._seed), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "sweep.py"], cwd=self._folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines(), len(self._log.read_text().splitlines()) - before


def test_a_sweep_resumes_in_another_process(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    first, runs = sweep.run(20)
    assert runs == 20
    again, runs = sweep.run(20)
    assert (again, runs) == (first, 0)
    longer, runs = sweep.run(30)
    assert (longer[:20], len(longer), runs) == (first, 30, 10)


def test_what_the_function_does_is_part_of_the_key(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    first, _ = sweep.run(3)
    assert sweep.run(3, step=2)[1] == 3  # another value of a global
    changed, runs = sweep.run(3, helper="def scale(n): return 20 * n")  # another callee
    assert runs == 3
    assert changed != first
    assert sweep.run(3, helper="# a remark\ndef scale(n):\n    return 10 * n")[1] == 0


def test_constants_and_closures_are_part_of_the_key(executor: Executor) -> None:
    def adder(n: int) -> Callable[[int], int]:
        return lambda x: x + n

    one, two = adder(1), adder(2)
    assert executor.map(one, range(3), cache="closures").results(timeout=PATIENCE) == [1, 2, 3]
    assert executor.map(two, range(3), cache="closures").results(timeout=PATIENCE) == [2, 3, 4]
    assert executor.map(lambda x: x + 1, [0], cache="constants").results(timeout=PATIENCE) == [1]
    assert executor.map(lambda x: x + 5, [0], cache="constants").results(timeout=PATIENCE) == [5]


def test_positions_are_kept(executor: Executor, log: Log) -> None:
    fn = log.fn()
    executor.map(fn, ["b", "d", "f"], cache="positions").results(timeout=PATIENCE)
    futures = executor.map(fn, list("abcdef"), cache="positions")
    assert [future.done() for future in futures][1::2] == [True] * 3
    assert futures.results(timeout=PATIENCE) == [[x, x] for x in "abcdef"]
    assert log.runs() == Counter("abcdef")
    summary = futures.summary()
    assert (summary.calls, summary.succeeded, summary.pending) == (6, 6, 0)


def test_many_elements(executor: Executor) -> None:
    executor.map(samples.square, range(0, 3000, 2), cache="many").results(timeout=PATIENCE)
    futures = executor.map(samples.square, range(3000), cache="many")
    assert futures.results(timeout=PATIENCE) == [x * x for x in range(3000)]


def test_large_results(executor: Executor) -> None:
    sizes = [10, 500_000, 9_000_000, 20]
    for found in (False, True):
        futures = executor.map(samples.big, sizes, cache="large")
        assert not found or futures.done_count == len(sizes)
        assert [len(result) for result in futures.results(timeout=PATIENCE)] == [251, 500_243, 9_000_107, 251]


def test_another_name_is_another_cache(executor: Executor, log: Log) -> None:
    for name in ("name-1", "name-2", "name-1"):
        executor.map(log.fn(), ["x"], cache=name).results(timeout=PATIENCE)
    assert log.runs() == {"x": 2}


def test_without_it_calls_are_run(executor: Executor, log: Log) -> None:
    for _ in range(2):
        executor.map(log.fn(), ["x"]).results(timeout=PATIENCE)
    assert log.runs() == {"x": 2}


def test_failures_are_not_kept_and_retries_are(executor: Executor, tmp_path: Path) -> None:
    tasks = [(str(tmp_path / f"t{i}"), i % 2) for i in range(4)]
    futures = executor.map(samples.fail_first, tasks, cache=f"retried-{tmp_path.name}")
    assert [error is None for error in futures.exceptions(PATIENCE)] == [True, False, True, False]
    again = futures.retry_failed()
    assert again.results(timeout=PATIENCE) == [1, 2, 1, 2]
    found = executor.map(samples.fail_first, tasks, cache=f"retried-{tmp_path.name}")
    assert found.results(timeout=PATIENCE) == [1, 2, 1, 2]
    assert [Path(path).stat().st_size for path, _ in tasks] == [1, 2, 1, 2]


def test_cached_results_belong_to_their_job(executor: Executor, log: Log) -> None:
    """They are attached to, pickled, passed on as arguments, and say nothing they did not print."""
    fn = log.fn()
    executor.map(fn, ["a", "b"], cache="jobs").results(timeout=PATIENCE)
    futures = executor.map(fn, ["a", "b", "c"], cache="jobs")
    futures.results(timeout=PATIENCE)
    job = futures.id
    assert futures.logs(0) == ""
    assert executor.submit(samples.size_of, futures[0]).result(PATIENCE) == 2
    del futures
    with local_executor(workers=1) as other:
        assert other.attach(job).results(timeout=PATIENCE) == [["a", "a"], ["b", "b"], ["c", "c"]]


def test_single_calls_and_streams(executor: Executor, log: Log) -> None:
    fn = log.fn()
    assert executor.call_async(fn, "s", cache="single").result(PATIENCE) == ["s", "s"]
    assert executor.call_async(fn, "s", cache="single").result(PATIENCE) == ["s", "s"]
    assert executor.map(fn, ["s"], cache="single").results(timeout=PATIENCE) == [["s", "s"]]
    assert list(executor.imap(fn, iter("rst"), cache="single")) == [[x, x] for x in "rst"]
    assert list(executor.imap(fn, iter("rstu"), cache="single", window=2)) == [[x, x] for x in "rstu"]
    assert sorted(executor.imap(fn, iter("ustr"), cache="single", ordered=False)) == [[x, x] for x in "rstu"]
    assert log.runs() == Counter("rstu")
    with local_executor(workers=1, cache="submitted") as other:
        for _ in range(2):
            assert other.submit(fn, "v").result(PATIENCE) == ["v", "v"]
        assert list(other.concurrent().map(fn, "vv")) == [["v", "v"], ["v", "v"]]
        assert list(other.concurrent().map(fn, "vv")) == [["v", "v"], ["v", "v"]]
    assert log.runs()["v"] == 3  # once as submitted, and twice in a map that looked them up together


def test_how_elements_become_arguments_is_part_of_the_key(executor: Executor) -> None:
    assert executor.map(samples.gather, [(1, 2)], cache="applied").results(timeout=PATIENCE) == [(((1, 2),), {})]
    assert executor.starmap(samples.gather, [(1, 2)], cache="applied").results(timeout=PATIENCE) == [((1, 2), {})]


def test_options_that_change_results_are_part_of_the_key(executor: Executor, tmp_path: Path) -> None:
    def drawn(seed: int, count: int) -> list[tuple[float, float]]:
        futures = executor.map(samples.random_numbers, [0] * count, seed=seed, cache=f"options-{tmp_path.name}")
        return futures.results(timeout=PATIENCE)

    first = drawn(1, 3)
    assert len(set(first)) == 3  # equal elements, but each call has its own numbers
    assert drawn(1, 4)[:3] == first
    assert not set(first) & set(drawn(2, 3))
    data = tmp_path / "data.txt"
    for text in ("one", "two"):
        data.write_text(text)
        found = executor.map(samples.read_file, ["data.txt"], files=data, cache="files").results(timeout=PATIENCE)
        assert found == [text]
        assert executor.map(samples.variable, ["V"], env={"V": text}, cache="env").results(timeout=PATIENCE) == [text]


def test_elements_that_hold_futures_are_run(executor: Executor, log: Log) -> None:
    fn = log.fn()
    for _ in range(2):
        future = executor.submit(samples.identity, "w")
        assert executor.map(fn, [future, "w2"], cache="futures").results(timeout=PATIENCE) == [["w", "w"], ["w2", "w2"]]
    assert log.runs() == {"w": 2, "w2": 1}


def test_what_cannot_be_pickled_fails_alone(executor: Executor) -> None:
    from wrenml.testing.faults import ErrorAtPickle  # noqa: PLC0415  # the one test that needs it

    futures = executor.map(samples.identity, [1, ErrorAtPickle(), 2], cache="unpicklable")
    assert futures[0].result(PATIENCE) == 1
    assert futures[2].result(PATIENCE) == 2
    assert isinstance(futures[1].exception(PATIENCE), Exception)


def test_inline(log: Log) -> None:
    with inline_executor(cache="inline") as executor:
        for _ in range(2):
            assert executor.map(log.fn(), "abc").results() == [[x, x] for x in "abc"]
    assert log.runs() == Counter("abc")


DAMAGES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "a bit flipped": lambda entry, _: entry[:-1] + bytes([entry[-1] ^ 1]),
    "cut": lambda entry, _: entry[: len(entry) // 2],
    "empty": lambda _, __: b"",
    "something before it": lambda entry, _: b"\x80\x05" + entry,
    "the entry of another call": lambda _, other: other,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_a_miss(
    executor: Executor,
    log: Log,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[bytes, bytes], bytes],
) -> None:
    fn, name = log.fn(), f"damaged-{tmp_path.name}"
    storage = executor.session.storage
    assert isinstance(storage, LocalStorage)
    executor.map(fn, ["x", "y"], cache=name).results(timeout=PATIENCE)
    keys = list(storage.list(f"cache/{name}/"))
    entries = [bytes(storage.get(key)) for key in keys]
    assert len(entries) == 2
    for key, entry, other in zip(keys, entries, reversed(entries), strict=True):
        storage.put(key, damage(entry, other))
    with caplog.at_level(logging.WARNING, "wrenml"):
        assert executor.map(fn, ["x", "y"], cache=name).results(timeout=PATIENCE) == [["x", "x"], ["y", "y"]]
    assert len([record for record in caplog.records if "not unpickled" in record.getMessage()]) == 2
    assert log.runs() == {"x": 2, "y": 2}
    assert executor.map(fn, ["x", "y"], cache=name).results(timeout=PATIENCE) == [["x", "x"], ["y", "y"]]
    assert log.runs() == {"x": 2, "y": 2}  # what was computed again took its place
