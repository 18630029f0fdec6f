"""The options of a map, as far as every backend has them."""

# ruff: noqa: PLR2004, S101 - these are tests, and expected values are literals
from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from wrenml.errors import ConfigError, InitializerFailed, UnknownOptionError
from wrenml.events import CallsSettled, Event, JobEnded, JobStarted
from wrenml.executor import Executor
from wrenml.futurelist import FutureList
from wrenml.testing import samples
from wrenml.testing.executor.base import PATIENCE, ExecutorSuite
from wrenml.testing.faults import ErrorAtPickle

__all__ = ["OptionsContract"]

# What seed 42 gives for the first two calls, on every backend, machine and day.
_GOLDEN = [(0.7818675844147679, 0.5254287498657029), (0.7910716438463041, 0.1020518580352775)]
_GOLDEN_NUMPY = [[0.08182455410927736, 0.20500006104190172, 0.40830263878672457]]


class OptionsContract(ExecutorSuite):
    """Options, events, copies of executors."""

    def test_seed(self, executor: Executor) -> None:
        """The same numbers for the same seed, however the calls are spread; other numbers for another call."""
        first = executor.map(samples.random_numbers, range(6), seed=42, chunksize=1).results(timeout=PATIENCE)
        again = executor.map(samples.random_numbers, range(6), seed=42, chunksize=6).results(timeout=PATIENCE)
        other = executor.map(samples.random_numbers, range(6), seed=43).results(timeout=PATIENCE)
        assert first == again
        assert len({*first, *other}) == 12

    def test_seed_is_the_same_everywhere(self, executor: Executor) -> None:
        """Numbers written down once."""
        found = executor.map(samples.random_numbers, range(2), seed=42).results(timeout=PATIENCE)
        assert found == _GOLDEN

    def test_seed_of_numpy(self, executor: Executor) -> None:
        """The global generator of numpy is seeded too, also where the call imports numpy itself."""
        pytest.importorskip("numpy")
        found = executor.map(samples.numpy_numbers, range(3), seed=42, chunksize=1).results(timeout=PATIENCE)
        assert found[:1] == _GOLDEN_NUMPY
        assert found == executor.map(samples.numpy_numbers, range(3), seed=42, chunksize=3).results(timeout=PATIENCE)

    def test_without_seed(self, executor: Executor) -> None:
        """Fresh entropy for each call, also in one worker."""
        found = executor.map(samples.random_numbers, range(20), chunksize=10).results(timeout=PATIENCE)
        assert len(set(found)) == 20

    def test_retries(self, executor: Executor, tmp_path: Path) -> None:
        """A call that raises is run again, in place, as often as asked and no more."""
        tasks = [(str(tmp_path / f"task{i}"), i) for i in range(3)]
        assert executor.map(samples.fail_first, tasks, retries=2).results(timeout=PATIENCE) == [1, 2, 3]
        future = executor.map(samples.fail_first, [(str(tmp_path / "more"), 9)], retries=2)[0]
        with pytest.raises(ConnectionError, match="attempt 3"):
            future.result(PATIENCE)
        assert (tmp_path / "more").stat().st_size == 3

    def test_no_retries_unless_asked(self, executor: Executor, tmp_path: Path) -> None:
        """A user's exception is final by default."""
        with pytest.raises(ConnectionError, match="attempt 1"):
            executor.map(samples.fail_first, [(str(tmp_path / "once"), 1)]).results(timeout=PATIENCE)
        assert (tmp_path / "once").stat().st_size == 1

    def test_retry_on(self, executor: Executor, tmp_path: Path) -> None:
        """Only the named exceptions are tried again."""
        task = [(str(tmp_path / "a"), 1)]
        with pytest.raises(ConnectionError, match="attempt 1"):
            executor.map(samples.fail_first, task, retries=5, retry_on=(KeyError, TypeError)).results(timeout=PATIENCE)
        task = [(str(tmp_path / "b"), 1)]
        assert executor.map(samples.fail_first, task, retries=5, retry_on=OSError).results(timeout=PATIENCE) == [2]

    def test_env(self, executor: Executor) -> None:
        """Variables are set for the calls of the map and for no others; PyWren's name works."""
        name = "WRENML_CONTRACT_VARIABLE"
        assert executor.map(samples.variable, [name], env={name: "x"}).results(timeout=PATIENCE) == ["x"]
        assert executor.map(samples.variable, [name] * 4).results(timeout=PATIENCE) == [None] * 4
        assert executor.map(samples.variable, [name], extra_env={name: "y"}).results(timeout=PATIENCE) == ["y"]
        assert executor.call_async(samples.variable, name, extra_env={name: "z"}).result(PATIENCE) == "z"
        assert name not in os.environ

    def test_initializer(self, make: Callable[[], Executor]) -> None:
        """It runs once in each environment, before the first call."""
        samples.initialized.clear()
        executor = make()
        found = executor.map(samples.times_initialized, range(12), initializer=samples.initialize).results(
            timeout=PATIENCE
        )
        assert {times for _, times in found} == {1}

    def test_failing_initializer(self, executor: Executor) -> None:
        """It fails the calls, with its own words, and no other map: nor is its environment left behind."""
        name = "WRENML_CONTRACT_VARIABLE"
        before = executor.map(samples.variable, [name] * 8)
        assert before.results(timeout=PATIENCE) == [None] * 8
        futures = executor.map(samples.square, range(20), initializer=samples.broken_initializer, env={name: "left"})
        for error in futures.exceptions(PATIENCE):
            assert isinstance(error, InitializerFailed)
            assert "no licence server" in str(error)
        assert executor.map(samples.variable, [name] * 8).results(timeout=PATIENCE) == [None] * 8

    def test_finalizer(self, make: Callable[[], Executor], tmp_path: Path) -> None:
        """It runs when the environment ends."""
        mark = tmp_path / "finalized"
        executor = make()
        assert executor.map(samples.square, [2], finalizer=mark.touch).results(timeout=PATIENCE) == [4]
        assert not mark.exists()
        executor.shutdown()
        assert mark.exists()

    def test_misspelt_option(self, executor: Executor) -> None:
        """It is an error with a suggestion."""
        with pytest.raises(UnknownOptionError, match="chunksize"):
            executor.map(samples.square, [1], chunk_size=3)  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            executor.starmap(samples.add, [(1, 2)], retry=3)  # type: ignore[call-arg]

    @pytest.mark.parametrize(
        "bad", [{"chunksize": 0}, {"retries": -1}, {"timeout": 0}, {"timeout": "x"}, {"seed": -1}, {"env": {"a": 1}}]
    )
    def test_impossible_values(self, executor: Executor, bad: dict[str, object]) -> None:
        """They are refused before anything runs, naming the option."""
        with pytest.raises(ConfigError, match=next(iter(bad))):
            executor.map(samples.square, [1], **bad)  # type: ignore[arg-type]

    def test_missing_file(self, executor: Executor, tmp_path: Path) -> None:
        """A file to ship that does not exist is refused at once."""
        with pytest.raises((ConfigError, FileNotFoundError), match="nowhere"):
            executor.map(samples.square, [1], files=[tmp_path / "nowhere.csv"])

    def test_name_and_tags(self, executor: Executor) -> None:
        """A map is named after its function unless told otherwise."""
        assert "square" in repr(executor.map(samples.square, [1]))
        futures = executor.map(samples.square, [1], name="my sweep", tags={"team": "a"})
        assert "my sweep" in repr(futures)

    def test_events_add_up(self, make: Callable[[], Executor]) -> None:
        """Hooks see each job begin, settle and end, be it empty or all failed; a broken hook harms nobody."""
        executor = make()
        seen: list[Event] = []

        def note(event: Event) -> None:
            seen.append(event)

        executor.observe(_broken_hook)
        executor.observe(note)
        maps: list[FutureList[object]] = [
            executor.map(samples.reject_odd, range(7)),
            executor.map(samples.identity, [ErrorAtPickle(), ErrorAtPickle()]),
            executor.map(samples.identity, []),
        ]
        for futures in maps:
            futures.exceptions(PATIENCE)
        executor.shutdown()
        for futures, counts in zip(maps, [(4, 3), (0, 2), (0, 0)], strict=True):
            mine = [event for event in seen if event.job == futures.id]
            assert isinstance(mine[0], JobStarted)
            assert (mine[0].total, mine[0].closed) == (len(futures), True)
            assert isinstance(mine[-1], JobEnded)
            assert [type(event) for event in mine].count(JobEnded) == 1
            settled = [event for event in mine if isinstance(event, CallsSettled)]
            assert (sum(e.succeeded for e in settled), sum(e.failed for e in settled)) == counts

    def test_copies(self, executor: Executor, make: Callable[[], Executor]) -> None:
        """`deepcopy` gives the executor itself; a pickled one is another with the same settings."""
        assert copy.deepcopy(executor) is executor
        other = make()
        assert other is not executor
        assert other.session.backend == executor.session.backend
        assert other.map(samples.square, [3]).results(timeout=PATIENCE) == [9]

    def test_context_manager(self, make: Callable[[], Executor]) -> None:
        """Leaving it waits for the calls and shuts it down."""
        with make() as executor:
            futures = executor.map(samples.square, range(20))
        assert executor.closed
        assert futures.done_count == 20


def _broken_hook(event: Event) -> None:
    raise RuntimeError(f"a broken hook: {event}")
