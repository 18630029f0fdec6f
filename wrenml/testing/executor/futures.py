"""Waiting, cancelling, running again, attaching."""

# ruff: noqa: PLR2004, S101 - these are tests, and expected values are literals
from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import wrenml
from wrenml.errors import CallCancelled, ConfigError, JobNotFoundError
from wrenml.executor import Executor
from wrenml.testing import samples
from wrenml.testing.executor.base import PATIENCE, ExecutorSuite

__all__ = ["AttachContract", "WaitingContract"]


class WaitingContract(ExecutorSuite):
    """`wait`, `as_completed`, and what the standard library does with our futures."""

    def test_wait_modes(self, executor: Executor) -> None:
        """Lists in input order, for PyWren's constants and the standard library's."""
        futures = executor.map(samples.square, range(5))
        backwards = list(reversed(futures))
        for mode in (wrenml.ALL_COMPLETED, concurrent.futures.ALL_COMPLETED):
            done, not_done = wrenml.wait(backwards, mode, timeout=PATIENCE)
            assert done == backwards
            assert not_done == []
        for mode in (wrenml.ANY_COMPLETED, wrenml.ALWAYS, concurrent.futures.FIRST_COMPLETED):
            done, not_done = wrenml.wait(futures, return_when=mode, WAIT_DUR_SEC=1)
            assert [*done, *not_done] == list(futures)
        with pytest.raises(ConfigError, match="ANY_COMPLETED"):
            wrenml.wait(futures, "SOME_COMPLETED")

    def test_wait_for_nothing(self) -> None:
        """Nothing to wait for is no reason to wait."""
        assert wrenml.wait([]) == ([], [])
        assert list(wrenml.as_completed([])) == []
        assert wrenml.get_all_results([]) == []

    def test_futures_of_several_maps_and_executors(self, executor: Executor, make: Callable[[], Executor]) -> None:
        """They are waited for together, whatever they belong to."""
        other, inline = make(), wrenml.inline_executor()
        futures = (
            executor.map(samples.square, [1, 2])
            + other.map(samples.square, [3])
            + inline.map(samples.square, [4])
            + [executor.submit(samples.square, 5)]
        )
        done, not_done = wrenml.wait(futures, timeout=PATIENCE)
        assert (len(done), not_done) == (5, [])
        assert wrenml.get_all_results(futures) == [1, 4, 9, 16, 25]
        assert futures.results(timeout=PATIENCE) == [1, 4, 9, 16, 25]
        assert {f.result() for f in wrenml.as_completed(futures, PATIENCE)} == {1, 4, 9, 16, 25}
        assert futures.summary().succeeded == 5

    def test_get_all_results_raises(self, executor: Executor) -> None:
        """The first exception in order."""
        with pytest.raises(ValueError, match="3 is odd"):
            wrenml.get_all_results(executor.map(samples.reject_odd, [2, 3, 5]))

    def test_standard_library(self, executor: Executor) -> None:
        """The standard library's `wait` and `as_completed` and asyncio take our futures."""
        futures = executor.map(samples.square, range(6))
        done, not_done = concurrent.futures.wait(futures, timeout=PATIENCE)
        assert (done, not_done) == (set(futures), set())
        assert set(concurrent.futures.as_completed(futures, timeout=PATIENCE)) == set(futures)

        async def gathered() -> list[int]:
            return await asyncio.gather(*map(asyncio.wrap_future, executor.map(samples.square, range(6))))

        assert asyncio.run(gathered()) == [x * x for x in range(6)]

    def test_as_completed_gives_each_once(self, executor: Executor) -> None:
        """Failed ones too."""
        futures = executor.map(samples.reject_odd, range(20))
        seen = list(futures.as_completed(PATIENCE))
        assert sorted(future.index for future in seen) == list(range(20))

    def test_from_many_threads(self, executor: Executor) -> None:
        """Maps from many threads at once keep apart, and one future may be read by all."""
        shared = executor.submit(samples.square, 9)

        def use(number: int) -> tuple[list[int], int]:
            futures = executor.map(samples.add, range(30), [number] * 30)
            return futures.results(timeout=PATIENCE), shared.result(PATIENCE)

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            found = list(pool.map(use, range(6)))
        assert found == [([x + number for x in range(30)], 81) for number in range(6)]

    def test_futures_do_not_need_their_list_or_executor(self, make: Callable[[], Executor]) -> None:
        """A future is enough to get its result."""
        executor = make()
        future = executor.map(samples.square, range(10))[7]
        gc.collect()
        assert future.result(PATIENCE) == 49
        executor.shutdown()
        assert future.result(PATIENCE) == 49

    @pytest.mark.usefixtures("processes")
    def test_timeouts_change_nothing(self, executor: Executor, tmp_path: Path) -> None:
        """A caller's patience is no limit of the call."""
        gate = str(tmp_path / "gate")
        futures = executor.map(samples.wait_for_file, [gate, gate])
        for ask in (
            lambda: futures[0].result(0.01),
            lambda: futures[0].exception(0.01),
            lambda: futures.results(timeout=0.01),
            lambda: futures.exceptions(0.01),
            lambda: list(futures.as_completed(0.01)),
            lambda: list(futures.iter_results(timeout=0)),
        ):
            with pytest.raises(TimeoutError):
                ask()
        assert futures[0].result(check_only=True) is None
        assert wrenml.wait(futures, timeout=0.01) == ([], list(futures))
        assert wrenml.wait(futures, wrenml.ALWAYS) == ([], list(futures))
        assert futures.done_count == 0
        Path(gate).touch()
        assert futures.results(timeout=PATIENCE) == [gate, gate]

    @pytest.mark.usefixtures("processes")
    def test_any_completed_returns_at_the_first(self, executor: Executor, tmp_path: Path) -> None:
        """`wait` for any, `as_completed` and streaming do not wait for the slow."""
        gate, there = str(tmp_path / "gate"), str(tmp_path)
        futures = executor.map(samples.wait_for_file, [there, gate], chunksize=1)
        done, not_done = wrenml.wait(futures, wrenml.ANY_COMPLETED, timeout=PATIENCE)
        assert (done, not_done) == ([futures[0]], [futures[1]])
        assert next(futures.as_completed(PATIENCE)) is futures[0]
        assert next(futures.iter_results(timeout=PATIENCE)) == there
        seen: list[object] = []
        settled = threading.Event()

        def told(done: concurrent.futures.Future[str]) -> None:
            seen.append(done.result())
            settled.set()

        futures[1].add_done_callback(told)
        Path(gate).touch()
        assert settled.wait(PATIENCE)
        assert seen == [gate]


class AttachContract(ExecutorSuite):
    """Cancelling what is over, running again, and attaching in this process."""

    def test_cancel_what_is_over(self, executor: Executor) -> None:
        """It changes nothing and says so."""
        futures = executor.map(samples.square, range(3))
        futures.results(timeout=PATIENCE)
        assert futures.cancel() == 0
        assert [future.cancel() for future in futures] == [False] * 3
        assert futures.results(timeout=PATIENCE) == [0, 1, 4]

    def test_retry_failed(self, executor: Executor, tmp_path: Path) -> None:
        """What failed is run again with its own arguments; what succeeded is kept, positions too."""
        tasks = [(str(tmp_path / f"t{i}"), i % 2) for i in range(5)]
        futures = executor.map(samples.fail_first, tasks)
        assert [error is None for error in futures.exceptions(PATIENCE)] == [True, False, True, False, True]
        again = futures.retry_failed()
        assert again.results(timeout=PATIENCE) == [1, 2, 1, 2, 1]
        assert [again[i] is futures[i] for i in range(5)] == [True, False, True, False, True]
        assert isinstance(futures[1].exception(), ConnectionError)
        assert again.retry_failed().results(timeout=PATIENCE) == [1, 2, 1, 2, 1]

    def test_retry_failed_more_than_once(self, executor: Executor, tmp_path: Path) -> None:
        """What fails again can be run again."""
        futures = executor.map(samples.fail_first, [(str(tmp_path / f"t{i}"), 2) for i in range(3)])
        futures.exceptions(PATIENCE)
        again = futures.retry_failed()
        assert all(isinstance(error, ConnectionError) for error in again.exceptions(PATIENCE))
        assert again.retry_failed().results(timeout=PATIENCE) == [3, 3, 3]

    def test_retry_failed_with_futures_among_the_arguments(self, executor: Executor, tmp_path: Path) -> None:
        """Their results are found again."""
        one = executor.submit(samples.identity, str(tmp_path / "inner"))
        futures = executor.map(samples.fail_first, [(one, 1)])
        futures.exceptions(PATIENCE)
        assert futures.retry_failed().results(timeout=PATIENCE) == [2]

    def test_retry_failed_after_an_unpicklable_element(self, executor: Executor) -> None:
        """An element that could not be pickled cannot be run again, and says so instead of running on nothing."""
        from wrenml.testing.faults import ErrorAtPickle  # noqa: PLC0415  # the one test of this part that needs it

        futures = executor.map(samples.describe, [1, ErrorAtPickle()])
        futures.exceptions(PATIENCE)
        again = futures.retry_failed()
        assert again[0].result(PATIENCE) == ("int", "1")
        assert isinstance(again[1].exception(PATIENCE), Exception)

    def test_attach_in_this_process(self, executor: Executor) -> None:
        """The same outcomes under the job's id, while the futures live and after."""
        futures = executor.map(samples.reject_odd, range(6), name="attached")
        job = futures.id
        expected = [repr(result) for result in futures.results(errors="return", timeout=PATIENCE)]
        again = executor.attach(job)
        assert again[0] is futures[0]
        del futures, again
        gc.collect()
        again = executor.attach(job)
        assert again.id == job
        assert [repr(r) for r in again.results(errors="return", timeout=PATIENCE)] == expected
        assert "attached" in repr(again)

    def test_attach_keeps_large_results(self, executor: Executor) -> None:
        """Results that lay in storage are read from there."""
        futures = executor.map(samples.big, [10, 500_000, 3_000_000])
        job, expected = futures.id, futures.results(timeout=PATIENCE)
        del futures
        gc.collect()
        assert executor.attach(job).results(timeout=PATIENCE) == expected

    @pytest.mark.usefixtures("processes")
    def test_attach_through_another_executor(
        self, executor: Executor, make: Callable[[], Executor], tmp_path: Path
    ) -> None:
        """Another executor of this process takes no running call for lost, be it of a map, a submit or a stream."""
        gate = str(tmp_path / "gate")
        mapped, submitted = executor.map(samples.wait_for_file, [gate]), executor.submit(samples.wait_for_file, gate)
        attached = [make().attach(job) for job in (mapped.id, submitted.job_id)]
        copy = pickle.loads(pickle.dumps(submitted))
        assert [futures.done_count for futures in attached] == [0, 0]
        Path(gate).touch()
        assert [futures.results(timeout=PATIENCE) for futures in attached] == [[gate], [gate]]
        assert copy.result(PATIENCE) == gate

    def test_attach_to_nothing(self, executor: Executor) -> None:
        """An id that is none is an error that says what to do."""
        with pytest.raises(JobNotFoundError, match="wrenml jobs"):
            executor.attach("0123456789abcdef")

    def test_attach_to_single_calls(self, executor: Executor) -> None:
        """Calls made by `submit` can be attached to as well."""
        futures = [executor.submit(samples.cube_of, x) for x in range(4)]
        assert [future.result(PATIENCE) for future in futures] == [0, 1, 8, 27]
        assert executor.attach(futures[0].job_id).results(timeout=PATIENCE) == [0, 1, 8, 27]

    @pytest.mark.usefixtures("processes")
    def test_pickled_future(self, executor: Executor) -> None:
        """A future that was pickled gives the same outcome."""
        good, bad = executor.map(samples.reject_odd, [2, 3])
        copies = pickle.loads(pickle.dumps([good, bad]))
        assert copies[0].result(PATIENCE) == 2
        assert copies[0].job_id == good.job_id
        with pytest.raises(ValueError, match="3 is odd"):
            copies[1].result(PATIENCE)

    @pytest.mark.usefixtures("processes")
    def test_cancelled_calls_stay_cancelled(self, executor: Executor, tmp_path: Path) -> None:
        """Who attaches sees a cancelled call as the client does."""
        gate = str(tmp_path / "gate")
        futures = executor.map(samples.wait_for_file, [gate] * 6, chunksize=1)
        job = futures.id
        assert futures.cancel() == 6
        for again in (futures, executor.attach(job)):
            assert [future.cancelled() for future in again] == [True] * 6
            with pytest.raises(CallCancelled, match="cancelled"):
                again[0].result(PATIENCE)
        del futures, again
        gc.collect()
        again = executor.attach(job)
        assert [future.cancelled() for future in again] == [True] * 6
        with pytest.raises(concurrent.futures.CancelledError, match="cancelled"):
            again.results(timeout=PATIENCE)
