"""What comes out of calls: exceptions, results, and reading them in several ways."""

# ruff: noqa: PLR2004, S101 - these are tests, and expected values are literals
from __future__ import annotations

import traceback
from typing import Any

import pytest

from wrenml.errors import CallError, CallExited, ConfigError, RemoteError, ResultNotSerializable
from wrenml.executor import Executor
from wrenml.testing import samples
from wrenml.testing.executor.base import PATIENCE, ExecutorSuite
from wrenml.testing.faults import ErrorAtPickle, ErrorAtUnpickle, ExitInCall, HugeResult, RaiseInCall

__all__ = ["FailuresContract", "ReadingContract"]


class FailuresContract(ExecutorSuite):
    """Exceptions of calls, and results that cannot travel."""

    def test_own_type(self, executor: Executor) -> None:
        """A call's exception is raised as its own type, with its arguments."""
        future = executor.submit(samples.reject_odd, 3)
        with pytest.raises(ValueError, match="3 is odd") as caught:
            future.result(PATIENCE)
        assert type(caught.value) is ValueError
        assert caught.value.args == ("3 is odd",)
        assert future.exception() is caught.value

    def test_remote_traceback(self, executor: Executor) -> None:
        """The traceback shows the function's frames and lines, and none of the worker's."""
        error = executor.submit(samples.reject_odd, 3).exception(PATIENCE)
        assert error is not None
        text = "".join(traceback.format_exception(error))
        assert "in reject_odd" in text
        assert 'raise ValueError(f"{x} is odd")' in text
        assert "wrenml/worker" not in text

    def test_notes_say_which_call(self, executor: Executor) -> None:
        """Notes name job, index, argument and how to reproduce the failure."""
        futures = executor.map(samples.reject_odd, [2, 41])
        error = futures[1].exception(PATIENCE)
        notes = "\n".join(getattr(error, "__notes__", []))
        assert futures.id in notes
        assert "41" in notes
        assert f"wrenml debug {futures.id} 1" in notes

    def test_chain_notes_and_attributes(self, executor: Executor) -> None:
        """Cause, notes and attributes come along, whatever the constructor wants."""
        error = executor.submit(samples.deep_failure, 5).exception(PATIENCE)
        assert type(error) is samples.CustomError
        assert error.args == (5, "middle")
        assert error.kept == [5]
        assert type(error.__cause__) is KeyError
        assert error.__cause__.args == ("inner",)
        assert "a note from far away" in error.__notes__

    def test_exception_groups(self, executor: Executor) -> None:
        """A group comes back as one, its members of their own types."""
        with pytest.raises(ExceptionGroup, match="several") as caught:
            executor.submit(samples.group_failure, 1).result(PATIENCE)
        assert [type(error) for error in caught.value.exceptions] == [ValueError, samples.CustomError]

    def test_exception_that_does_not_pickle(self, executor: Executor) -> None:
        """Its text arrives all the same."""
        error = executor.submit(samples.unreadable, "could not say").exception(PATIENCE)
        assert isinstance(error, samples.Unreadable | RemoteError)
        assert "could not say" in "".join(traceback.format_exception(error))
        assert "Unreadable" in "".join(traceback.format_exception(error))

    @pytest.mark.parametrize("base", [Exception, BaseException, GeneratorExit, StopIteration, StopAsyncIteration])
    def test_odd_exceptions(self, executor: Executor, base: type[BaseException]) -> None:
        """Exceptions that mean something to Python are outcomes like others."""
        futures = executor.map(RaiseInCall(base("odd")), [0, 1], chunksize=2)
        assert [type(error) for error in futures.exceptions(PATIENCE)] == [base, base]

    def test_exceptions_as_results(self, executor: Executor) -> None:
        """An exception that is returned is a result, not a failure."""
        future = executor.submit(samples.identity, ValueError("a value"))
        assert isinstance(future.result(PATIENCE), ValueError)
        assert future.exception() is None

    def test_sys_exit(self, executor: Executor) -> None:
        """A call that exits fails with its code; its neighbours and successors do not notice."""
        futures = executor.map(ExitInCall(7), [0, 1], chunksize=2)
        for error in futures.exceptions(PATIENCE):
            assert isinstance(error, CallExited)
            assert error.code == 7
            assert "non-zero return code 7" in str(error)
        assert isinstance(executor.submit(ExitInCall(0)).exception(PATIENCE), CallExited)
        assert executor.submit(samples.square, 3).result(PATIENCE) == 9

    def test_unpicklable_result(self, executor: Executor) -> None:
        """The error names the type, and the other calls have their results."""
        error = executor.submit(samples.returns_lock, 0).exception(PATIENCE)
        assert isinstance(error, ResultNotSerializable)
        assert "lock" in str(error)
        futures = executor.map(_maybe_bad, [0, 1, 2], chunksize=3)
        assert futures[0].result(PATIENCE) == 0
        assert isinstance(futures[1].exception(PATIENCE), ResultNotSerializable)
        assert futures[2].result(PATIENCE) == 2

    def test_result_that_does_not_unpickle(self, executor: Executor) -> None:
        """The failure to unpickle here is raised where the result is asked for, each time, and there alone."""
        futures = executor.map(_maybe_poisoned, [0, 1, 2], chunksize=3)
        assert futures[0].result(PATIENCE) == 0
        for _ in range(2):
            with pytest.raises(Exception, match="poison"):
                futures[1].result(PATIENCE)
        assert futures[2].result(PATIENCE) == 2

    @pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_000, 9_000_000])
    def test_results_of_any_size(self, executor: Executor, size: int) -> None:
        """Results small and large come back whole."""
        assert executor.submit(HugeResult(size)).result(PATIENCE) == HugeResult(size)()

    def test_failure_amid_successes(self, executor: Executor) -> None:
        """Failures and large results in one chunk keep their places."""
        futures = executor.map(_mixed, range(12), chunksize=6)
        for i, future in enumerate(futures):
            if i % 3 == 1:
                assert isinstance(future.exception(PATIENCE), ValueError)
            elif i % 3 == 2:
                assert future.result(PATIENCE) == HugeResult(300_000 + i)()
            else:
                assert future.result(PATIENCE) == i


def _maybe_bad(x: int) -> object:
    return ErrorAtPickle() if x == 1 else x


def _maybe_poisoned(x: int) -> object:
    return ErrorAtUnpickle("poison") if x == 1 else x


def _mixed(x: int) -> object:
    if x % 3 == 1:
        raise ValueError(x)
    return HugeResult(300_000 + x)() if x % 3 == 2 else x  # thirds


class ReadingContract(ExecutorSuite):
    """`FutureList`: the results of a map, in several ways."""

    def test_errors_raise(self, executor: Executor) -> None:
        """The first failure in the order of the elements is raised; reading once more gives the same."""
        futures = executor.map(samples.reject_odd, [0, 1, 3])
        for _ in range(2):
            with pytest.raises(ValueError, match="1 is odd"):
                futures.results(timeout=PATIENCE)

    def test_errors_return(self, executor: Executor) -> None:
        """Exceptions stand in the places of results."""
        results: list[Any] = executor.map(samples.reject_odd, range(4)).results(errors="return", timeout=PATIENCE)
        assert results[::2] == [0, 2]
        assert [type(error) for error in results[1::2]] == [ValueError, ValueError]

    def test_errors_skip(self, executor: Executor) -> None:
        """Pairs of index and result, so positions are kept."""
        results: list[Any] = executor.map(samples.reject_odd, range(5)).results(errors="skip", timeout=PATIENCE)
        assert results == [(0, 0), (2, 2), (4, 4)]
        assert executor.map(samples.reject_odd, [1]).results(errors="skip", timeout=PATIENCE) == []

    def test_errors_of_another_name(self, executor: Executor) -> None:
        """A misspelt word is refused, at once, also by the streaming form."""
        futures = executor.map(samples.square, [1])
        for read in (futures.results, futures.iter_results):
            with pytest.raises(ConfigError, match="skip"):
                read(errors="ignore")  # type: ignore[call-overload]

    def test_iter_results_streams(self, executor: Executor) -> None:
        """Results come one after another, failures where they are in the order."""
        stream = executor.map(samples.reject_odd, [0, 2, 3, 4]).iter_results(timeout=PATIENCE)
        assert next(stream) == 0
        assert next(stream) == 2
        with pytest.raises(ValueError, match="3 is odd"):
            next(stream)

    def test_exceptions(self, executor: Executor) -> None:
        """One entry for each call, None where there is a result."""
        found = executor.map(samples.reject_odd, range(4)).exceptions(PATIENCE)
        assert [None if error is None else str(error) for error in found] == [None, "1 is odd", None, "3 is odd"]

    def test_pywrens_future(self, executor: Executor) -> None:
        """`succeeded`, `errored`, and `result` without exceptions."""
        good, bad = executor.map(samples.reject_odd, [2, 3])
        assert good.result(PATIENCE) == 2
        assert bad.result(PATIENCE, throw_except=False) is None
        assert (good.succeeded(), good.errored()) == (True, False)
        assert (bad.succeeded(), bad.errored()) == (False, True)
        assert (good.done(), bad.done(), good.cancelled(), bad.cancelled()) == (True, True, False, False)

    def test_it_is_a_sequence(self, executor: Executor) -> None:
        """Length, items, slices, concatenation, membership, truth."""
        futures = executor.map(samples.square, range(5))
        assert len(futures) == 5
        assert futures[-1].result(PATIENCE) == 16
        assert futures[1:4:2].results(timeout=PATIENCE) == [1, 9]
        assert futures[0] in futures
        assert futures.index(futures[3]) == 3
        assert next(reversed(futures)) is futures[4]
        more = executor.map(samples.square, [9])
        assert (futures + more).results(timeout=PATIENCE) == [0, 1, 4, 9, 16, 81]
        assert (list(futures) + more).results(timeout=PATIENCE) == [0, 1, 4, 9, 16, 81]
        assert not executor.map(samples.square, [])

    def test_summary(self, executor: Executor) -> None:
        """The counts add up, and the calls took time."""
        futures = executor.map(samples.reject_odd, range(10))
        futures.exceptions(PATIENCE)
        count = futures.summary()
        assert (count.calls, count.succeeded, count.failed, count.cancelled, count.pending) == (10, 5, 5, 0, 0)
        assert count.call_seconds > 0
        assert count.wall_seconds > 0
        assert futures.done_count == 10

    def test_reprs(self, executor: Executor) -> None:
        """Short and useful."""
        futures = executor.map(samples.reject_odd, range(3))
        futures.exceptions(PATIENCE)
        assert futures.id in repr(futures)
        assert "reject_odd" in repr(futures)
        assert "failed" in repr(futures[1])
        assert futures.id in futures._repr_html_()
        assert len(repr(executor)) < 200

    def test_callbacks(self, executor: Executor) -> None:
        """A callback gets the settled future, also when it is added late; its failure harms nobody."""
        seen: list[Any] = []
        future = executor.submit(samples.square, 3)
        future.result(PATIENCE)
        future.add_done_callback(lambda done: seen.append(done.result()))
        future.add_done_callback(_broken_callback)
        assert seen == [9]
        assert executor.submit(samples.square, 4).result(PATIENCE) == 16

    def test_error_classes_of_ours(self, executor: Executor) -> None:
        """Errors of ours that a call raises itself come back as they are."""
        error = executor.submit(RaiseInCall(CallError("mine"))).exception(PATIENCE)
        assert type(error) is CallError
        assert str(error) == "mine"


def _broken_callback(_future: object) -> None:
    raise RuntimeError("a broken callback")
