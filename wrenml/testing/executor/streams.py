"""`imap`: streams of results."""

# ruff: noqa: PLR2004, S101 - these are tests, and expected values are literals
from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest

from wrenml.errors import ArgumentNotSerializable, FunctionNotSerializable
from wrenml.executor import Executor
from wrenml.testing import samples
from wrenml.testing.executor.base import ExecutorSuite, refuses
from wrenml.testing.faults import ErrorAtPickle

__all__ = ["StreamsContract"]


class _Counted:
    """An input that counts what was pulled, and remembers whether it was closed."""

    def __init__(self, limit: float = math.inf) -> None:
        self.limit = limit
        self.pulled = 0
        self.closed = False

    def __iter__(self) -> Iterator[int]:
        try:
            while self.pulled < self.limit:
                self.pulled += 1
                yield self.pulled - 1
        finally:
            self.closed = True


class StreamsContract(ExecutorSuite):
    """`imap`."""

    @pytest.mark.parametrize("window", [None, 1, 2, 7, 1000])
    def test_order(self, executor: Executor, window: int | None) -> None:
        """Results in the order of the input, whatever the window."""
        assert list(executor.imap(samples.square, range(100), window=window)) == [x * x for x in range(100)]

    @pytest.mark.parametrize("window", [None, 3])
    def test_unordered(self, executor: Executor, window: int | None) -> None:
        """Each result once, in any order."""
        results = list(executor.imap(samples.square, range(100), window=window, ordered=False))
        assert sorted(results) == [x * x for x in range(100)]

    def test_many(self, executor: Executor) -> None:
        """More than any window holds, None among them."""
        assert sum(1 for _ in executor.imap(samples.identity, itertools.repeat(None, 5000))) == 5000

    def test_empty(self, executor: Executor) -> None:
        """No elements, no results."""
        assert list(executor.imap(samples.square, [])) == []

    @pytest.mark.parametrize("ordered", [True, False])
    def test_window_bounds_what_is_pulled(self, executor: Executor, ordered: bool) -> None:  # noqa: FBT001  # a parameter of the test
        """No more elements are pulled and not yet yielded than the window holds, from an endless input."""
        source = _Counted()
        results = executor.imap(samples.square, source, window=5, ordered=ordered)
        assert source.pulled == 0
        for taken, _ in enumerate(itertools.islice(results, 50), 1):
            # The one just handed out is no longer in the window.
            assert source.pulled <= taken + 5
        results.close()  # type: ignore[attr-defined]
        assert source.closed

    def test_default_window_is_bounded(self, executor: Executor) -> None:
        """An endless input is not pulled without end."""
        source = _Counted()
        results = executor.imap(samples.square, source)
        assert [next(results) for _ in range(10)] == [x * x for x in range(10)]
        assert source.pulled < 100_000
        results.close()  # type: ignore[attr-defined]
        assert source.closed

    @pytest.mark.parametrize("window", [None, 1, 4])
    def test_failing_input(self, executor: Executor, window: int | None) -> None:
        """The input's exception comes after the results before it."""

        def source() -> Iterator[int]:
            yield from range(6)
            raise OSError("the input broke")

        results = executor.imap(samples.square, source(), window=window)
        seen: list[int] = []
        with pytest.raises(OSError, match="the input broke"):
            _collected(results, seen)
        assert seen == [x * x for x in range(6)]

    def test_input_that_fails_at_once(self, executor: Executor) -> None:
        """Also where there is no result before it."""

        def source() -> Iterator[int]:
            yield from ()
            raise OSError("nothing at all")

        with pytest.raises(OSError, match="nothing at all"):
            list(executor.imap(samples.square, source()))

    def test_failing_call(self, executor: Executor) -> None:
        """A call's exception is raised in its place and ends the stream; the input is closed."""
        source = _Counted()
        results = executor.imap(samples.reject_odd, (2 * x if x < 5 else x for x in source))
        seen: list[int] = []
        with pytest.raises(ValueError, match="is odd"):
            _collected(results, seen)
        assert seen == [0, 2, 4, 6, 8]
        assert list(results) == []

    def test_input_is_closed_at_the_end(self, executor: Executor) -> None:
        """A generator that was read to its end or left early is closed."""
        whole, part = _Counted(5), _Counted()
        assert list(executor.imap(samples.square, iter(whole))) == [0, 1, 4, 9, 16]
        results = executor.imap(samples.square, iter(part), window=2)
        next(results)
        results.close()  # type: ignore[attr-defined]
        assert (whole.closed, part.closed) == (True, True)

    def test_unpicklable_element(self, executor: Executor) -> None:
        """It fails in its place."""
        seen: list[Any] = []
        with pytest.raises(ArgumentNotSerializable):
            _collected(executor.imap(samples.identity, [1, 2, ErrorAtPickle(), 4]), seen)
        assert seen == [1, 2]
        with pytest.raises(ArgumentNotSerializable):
            next(executor.imap(samples.identity, [ErrorAtPickle()]))

    def test_unpicklable_function(self, executor: Executor) -> None:
        """It fails before anything runs."""
        bad = ErrorAtPickle()
        with pytest.raises(FunctionNotSerializable):
            list(executor.imap(lambda x: (x, bad), [1]))

    def test_bad_windows(self, executor: Executor) -> None:
        """A window of nothing is refused."""
        with refuses("window"):
            list(executor.imap(samples.square, [1], window=0))

    def test_several_streams_at_once(self, executor: Executor) -> None:
        """Streams that are read in turns do not mix."""
        one = executor.imap(samples.square, range(50), window=4)
        two = executor.imap(samples.identity, range(50), window=4)
        assert list(zip(one, two, strict=True)) == [(x * x, x) for x in range(50)]

    def test_large_elements(self, executor: Executor) -> None:
        """Elements and results of some size."""
        sizes = [10, 300_000, 20, 1_000_000]
        elements = [samples.big(size)[:size] for size in sizes]
        assert list(executor.imap(samples.identity, elements, window=2)) == elements

    def test_options(self, executor: Executor) -> None:
        """`imap` takes the options of `map`."""
        seeded = list(executor.imap(samples.random_numbers, range(5), seed=3, window=2))
        assert seeded == executor.map(samples.random_numbers, range(5), seed=3).results()


def _collected(results: Iterator[Any], seen: list[Any]) -> None:
    for result in results:
        seen.append(result)  # noqa: PERF402  # what came before an exception counts
