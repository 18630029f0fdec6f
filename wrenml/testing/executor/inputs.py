"""What goes into calls: elements, functions, futures, references."""

# ruff: noqa: PLR2004, S101 - these are tests, and expected values are literals
from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import wrenml
from wrenml.errors import (
    ArgumentNotSerializable,
    ConfigError,
    ExecutorClosedError,
    FunctionNotSerializable,
    InputFailed,
    NotSupportedError,
    SerializationError,
    UnknownOptionError,
)
from wrenml.executor import Executor
from wrenml.testing import samples
from wrenml.testing.executor.base import PATIENCE, ExecutorSuite, refuses
from wrenml.testing.faults import ErrorAtPickle, ErrorAtUnpickle

__all__ = ["FunctionsContract", "InputsContract", "MapContract"]

_VALUES: list[Any] = [
    None, ..., True, 0, -1.5, 2**70, math.inf, "", "text", b"\0",
    (), (1, 2), ((3,),), [], [4, [5]], {}, {"a": (6,)}, {1, 2},
]  # fmt: skip


class MapContract(ExecutorSuite):
    """`map` and `starmap`."""

    def test_map_keeps_the_order(self, executor: Executor) -> None:
        """Futures and results stand in the order of the elements."""
        futures = executor.map(samples.square, range(200))
        assert len(futures) == 200
        assert futures.results(timeout=PATIENCE) == [x * x for x in range(200)]
        assert [future.result(PATIENCE) for future in futures] == [x * x for x in range(200)]
        assert [future.index for future in futures] == list(range(200))

    def test_elements_are_verbatim(self, executor: Executor) -> None:
        """Tuples, dicts, None and the rest reach the function as they are; nothing is spread."""
        expected = [samples.describe(value) for value in _VALUES]
        assert executor.map(samples.describe, _VALUES).results(timeout=PATIENCE) == expected
        assert executor.map(samples.identity, _VALUES).results(timeout=PATIENCE) == _VALUES

    def test_nan_is_a_value(self, executor: Executor) -> None:
        """NaN arrives as NaN, at its place."""
        results: list[Any] = executor.map(samples.identity, [1.0, math.nan, 3.0]).results(timeout=PATIENCE)
        assert [math.isnan(x) for x in results] == [False, True, False]

    def test_results_of_none_are_kept(self, executor: Executor) -> None:
        """None is a result like any other."""
        assert executor.map(samples.identity, [None, 1, None]).results(timeout=PATIENCE) == [None, 1, None]

    @pytest.mark.parametrize("chunksize", [None, 1, 3, 7, 100])
    def test_chunksize_changes_nothing(self, executor: Executor, chunksize: int | None) -> None:
        """Results do not depend on how calls are spread over invocations."""
        futures = executor.map(samples.square, range(20), chunksize=chunksize)
        assert futures.results(timeout=PATIENCE) == [x * x for x in range(20)]

    def test_any_finite_iterable(self, executor: Executor) -> None:
        """Generators, sets, dicts (their keys) and strings are taken as the built-in `map` takes them."""
        assert executor.map(samples.square, (x for x in range(4))).results(timeout=PATIENCE) == [0, 1, 4, 9]
        assert executor.map(str.upper, "abc").results(timeout=PATIENCE) == ["A", "B", "C"]
        assert executor.map(samples.identity, {"a": 1, "b": 2}).results(timeout=PATIENCE) == ["a", "b"]

    def test_failing_iterable(self, executor: Executor) -> None:
        """An exception of the input is raised by `map`, as by `list`."""

        def broken() -> Iterator[int]:
            yield 1
            raise OSError("the input broke")

        with pytest.raises(OSError, match="the input broke"):
            executor.map(samples.square, broken())

    def test_no_iterable(self, executor: Executor) -> None:
        """What is not iterable is a TypeError, at once."""
        with pytest.raises(TypeError):
            executor.map(samples.square, 3)  # type: ignore[arg-type]

    def test_empty_input(self, executor: Executor) -> None:
        """No elements: no futures, no results, and nothing to wait for."""
        futures = executor.map(samples.square, [])
        assert len(futures) == 0
        assert futures.results(timeout=0) == []
        assert list(futures.as_completed(timeout=0)) == []
        assert futures.exceptions(timeout=0) == []
        assert futures.cancel() == 0
        assert len(futures.retry_failed()) == 0
        assert futures.summary().calls == 0
        assert executor.starmap(samples.add, []).results(timeout=0) == []

    def test_several_iterables(self, executor: Executor) -> None:
        """Several iterables give several arguments, and the shortest ends the map."""
        assert executor.map(samples.add, [1, 2, 3], [10, 20, 30]).results(timeout=PATIENCE) == [11, 22, 33]
        assert executor.map(samples.add, [1, 2, 3], [10]).results(timeout=PATIENCE) == [11]
        pairs = executor.map(samples.gather, [(1, 2)], [None], ["x"]).results(timeout=PATIENCE)
        assert pairs == [(((1, 2), None, "x"), {})]

    def test_strict(self, executor: Executor) -> None:
        """With ``strict=True`` iterables of different length are refused."""
        assert executor.map(samples.add, [1], [2], strict=True).results(timeout=PATIENCE) == [3]
        with pytest.raises(ValueError, match="shorter"):
            executor.map(samples.add, [1, 2, 3], [1, 2], strict=True)

    def test_pywrens_positional_environment_is_refused(self, executor: Executor) -> None:
        """A dict as a further iterable is PyWren's `extra_env`: refused with the remedy, not zipped."""
        with refuses("extra_env"):
            executor.map(samples.square, [1], {"NAME": "value"})

    def test_starmap(self, executor: Executor) -> None:
        """`starmap` spreads each element, and only it."""
        assert executor.starmap(samples.add, [(1, 2), [3, 4]]).results(timeout=PATIENCE) == [3, 7]
        assert executor.starmap(samples.gather, [((1, 2), {})]).results(timeout=PATIENCE) == [(((1, 2), {}), {})]
        futures = executor.starmap(samples.add, [(1, 2), 3, (4, 5)])  # type: ignore[list-item]
        assert futures[0].result(PATIENCE) == 3
        assert isinstance(futures[1].exception(PATIENCE), TypeError)
        assert futures[2].result(PATIENCE) == 9

    def test_large_arguments_and_results(self, executor: Executor) -> None:
        """Megabytes go both ways unchanged, beside small ones."""
        sizes = [3_000_000, 0, 70_000, 10]
        arguments = [samples.big(size)[:size] for size in sizes]
        assert executor.map(samples.size_of, arguments).results(timeout=PATIENCE) == sizes
        assert executor.map(samples.identity, arguments, chunksize=4).results(timeout=PATIENCE) == arguments

    def test_many_elements_share_one_object(self, executor: Executor) -> None:
        """An object that recurs among the elements arrives in each."""
        data = samples.big(2_000_000)
        expected = [(i, len(data)) for i in range(20)]
        assert executor.map(samples.shared_size, [(i, data) for i in range(20)]).results(timeout=PATIENCE) == expected

    def test_calls_cannot_change_each_others_arguments(self, executor: Executor) -> None:
        """An argument changed in place is changed for that call alone."""
        shared = [1, 2]
        results = executor.map(samples.change, [shared] * 5, chunksize=5).results(timeout=PATIENCE)
        assert results == [[1, 2, 0]] * 5
        assert shared == [1, 2]

    def test_input_is_pickled_when_it_is_given(self, executor: Executor) -> None:
        """What happens to an element after `map` has returned does not reach its call."""
        values = [[i] for i in range(50)]
        futures = executor.map(samples.size_of, values)
        for value in values:
            value.clear()
        assert futures.results(timeout=PATIENCE) == [1] * 50

    def test_nested_containers(self, executor: Executor) -> None:
        """Deep results come back equal."""
        assert executor.map(samples.grid, [30]).results(timeout=PATIENCE) == [samples.grid(30)]


class FunctionsContract(ExecutorSuite):
    """Everything that can be called."""

    def test_lambdas_and_closures(self, executor: Executor) -> None:
        """Functions without a name elsewhere travel by value, with what they close over."""
        offset = [100]

        def local(x: int) -> int:
            return x + offset[0]

        assert executor.map(lambda x: x + 1, [1, 2]).results(timeout=PATIENCE) == [2, 3]
        assert executor.map(local, [1, 2]).results(timeout=PATIENCE) == [101, 102]

    @pytest.mark.parametrize(
        ("function", "argument", "expected"),
        [
            (len, "abc", 3),
            (int, "12", 12),
            (operator.itemgetter(1), [3, 4], 4),
            (functools.partial(samples.add, 40), 2, 42),
            (functools.partial(pow, mod=7), (3), None),
            (samples.Multiplier(3), 5, 15),
            (samples.Multiplier(3).method, 5, 15),
            (samples.Multiplier.made, 2, 14),
            (samples.Multiplier.static, 2, 10),
            (samples.later, 1, 2),
            ("{}!".format, "hi", "hi!"),
            (samples.Multiplier, 9, None),
        ],
        ids=[
            "builtin", "class", "itemgetter", "partial", "failing partial", "callable object", "bound method",
            "class method", "static method", "async def", "method of a value", "class of ours",
        ],
    )  # fmt: skip
    def test_callables(self, executor: Executor, function: Callable[[Any], Any], argument: Any, expected: Any) -> None:  # noqa: ANN401  # any callable at all
        """Builtins, classes, partials, bound methods, callables and coroutine functions can be mapped."""
        future = executor.map(function, [argument])[0]
        if expected is not None:
            assert future.result(PATIENCE) == expected
        elif function is samples.Multiplier:
            assert future.result(PATIENCE).factor == 9
        else:
            assert isinstance(future.exception(PATIENCE), TypeError)

    def test_async_lambda_and_partial(self, executor: Executor) -> None:
        """A partial of a coroutine function is run to its end too."""
        results: list[Any] = executor.map(functools.partial(samples.later), [1]).results(timeout=PATIENCE)
        assert results == [2]

    def test_not_callable(self, executor: Executor) -> None:
        """What cannot be called is refused at submit, before anything is sent."""
        with pytest.raises(ConfigError, match="cannot be called: 3"):
            executor.map(3, [1])  # type: ignore[arg-type]

    def test_unpicklable_function(self, executor: Executor) -> None:
        """The error names the variable, at submit."""
        culprit = ErrorAtPickle()
        with pytest.raises(FunctionNotSerializable, match="culprit"):
            executor.map(lambda x: (x, culprit), [1])

    def test_generator_function_says_why_not(self, executor: Executor) -> None:
        """A generator is no result that can travel, and the message says so."""
        error = executor.map(samples.generator, [1])[0].exception(PATIENCE)
        assert isinstance(error, SerializationError)
        assert "generator" in str(error)

    def test_nested_maps_run_inline(self, executor: Executor) -> None:
        """A map inside a call works, and runs in that very process."""
        assert executor.map(samples.nested, [10]).results(timeout=PATIENCE) == [[11, 12, 1]]


class InputsContract(ExecutorSuite):
    """`submit`, futures and references as arguments, `reduce`, bad elements."""

    def test_submit(self, executor: Executor) -> None:
        """Positional and keyword arguments arrive as given, also where a name is one of ours."""
        expected = ((1, (2,)), {"key": 3, "fn": 4, "timeout": 5, "self": 6})
        future = executor.submit(samples.gather, 1, (2,), key=3, fn=4, timeout=5, self=6)
        assert future.result(PATIENCE) == expected
        assert executor.submit(samples.gather).result(PATIENCE) == ((), {})

    def test_submits_of_one_function(self, executor: Executor) -> None:
        """Many single calls of the same and other functions keep apart."""
        futures = [executor.submit(fn, i) for i in range(20) for fn in (samples.square, samples.identity)]
        expected = [value for i in range(20) for value in (i * i, i)]
        assert [future.result(PATIENCE) for future in futures] == expected

    def test_call_async(self, executor: Executor) -> None:
        """`call_async` passes one argument verbatim."""
        assert executor.call_async(samples.describe, (1, 2)).result(PATIENCE) == ("tuple", "(1, 2)")
        with pytest.raises(UnknownOptionError):
            executor.call_async(samples.describe, 1, chunk_size=3)  # type: ignore[call-arg]

    def test_futures_as_arguments(self, executor: Executor) -> None:
        """Futures at any depth of an argument become their results."""
        one, two = executor.submit(samples.add, 1, 0), executor.submit(samples.add, 1, 1)
        assert executor.submit(samples.add, one, y=two).result(PATIENCE) == 3  # type: ignore[arg-type]
        assert executor.map(samples.first_of, [{"deep": [(two, None)]}]).results(timeout=PATIENCE) == [2]
        assert executor.map(samples.add, [one, two], [two, 5]).results(timeout=PATIENCE) == [3, 7]

    def test_chain_of_futures(self, executor: Executor) -> None:
        """A chain of calls, each on the last one's future, ends."""
        future: Any = executor.submit(samples.add, 0, 0)
        for _ in range(30):
            future = executor.submit(samples.add, future, 1)
        assert future.result(PATIENCE) == 30

    def test_futures_of_another_map(self, executor: Executor) -> None:
        """Futures of a map are arguments of the next, alone and as a list."""
        squares = executor.map(samples.square, range(10))
        assert executor.map(samples.square, squares).results(timeout=PATIENCE) == [x**4 for x in range(10)]
        assert executor.submit(samples.total, list(squares)).result(PATIENCE) == 285  # type: ignore[arg-type]

    def test_large_results_as_arguments(self, executor: Executor) -> None:
        """A result too large for a message is read from storage by the call that takes it."""
        data = executor.submit(samples.big, 2_000_000)
        assert executor.submit(samples.size_of, data).result(PATIENCE) == len(samples.big(2_000_000))

    def test_failed_inputs(self, executor: Executor) -> None:
        """A call whose input failed is not started; the error names the cause."""
        bad = executor.submit(samples.reject_odd, 1)
        good = executor.submit(samples.reject_odd, 2)
        after = executor.map(samples.add, [good, bad, 3], [1, 1, 1])
        assert after[0].result(PATIENCE) == 3
        error = after[1].exception(PATIENCE)
        assert isinstance(error, InputFailed)
        assert "1 is odd" in str(error)
        assert after[2].result(PATIENCE) == 4
        wordless: Any = executor.submit(samples.wordless, 1)
        assert isinstance(executor.submit(samples.square, wordless).exception(PATIENCE), InputFailed)

    def test_put(self, executor: Executor) -> None:
        """A reference stands for its object, as an argument or anywhere inside one, and for closures too."""
        ref: Any = executor.put([1, 2, 3])
        assert executor.submit(samples.total, ref).result(PATIENCE) == 6
        assert executor.map(samples.total, [ref, [4]]).results(timeout=PATIENCE) == [6, 4]
        inside: list[Any] = executor.map(samples.first_of, [{"deep": [(ref, 0)]}]).results(timeout=PATIENCE)
        assert inside == [[1, 2, 3]]
        several: list[Any] = executor.map(samples.add, [ref], [[0]]).results(timeout=PATIENCE)
        assert several == [[1, 2, 3, 0]]

    def test_reduce_and_map_reduce(self, executor: Executor) -> None:
        """The reducer gets the list of results, in order, on a worker."""
        squares = executor.map(samples.square, range(5))
        assert executor.reduce(samples.total, squares).result(PATIENCE) == 30
        assert executor.reduce(samples.identity, squares[1:3]).result(PATIENCE) == [1, 4]
        assert executor.map_reduce(samples.square, range(5), samples.total).result(PATIENCE) == 30
        assert executor.map_reduce(samples.square, [], samples.total).result(PATIENCE) == 0

    def test_unpicklable_element(self, executor: Executor) -> None:
        """Only its own future fails, with its index and the way to the culprit."""
        futures = executor.map(samples.size_of, ["ab", {"deep": [1, ErrorAtPickle()]}, "c"])
        assert futures[0].result(PATIENCE) == 2
        assert futures[2].result(PATIENCE) == 1
        error = futures[1].exception(PATIENCE)
        assert isinstance(error, ArgumentNotSerializable)
        assert "deep" in str(error)
        assert "1" in str(error)
        with pytest.raises(ArgumentNotSerializable):
            executor.submit(samples.identity, ErrorAtPickle())

    def test_element_that_does_not_unpickle(self, executor: Executor) -> None:
        """A failure to unpickle is that call's exception."""
        futures = executor.map(samples.describe, [1, ErrorAtUnpickle("not today"), 2], chunksize=3)
        assert futures[0].result(PATIENCE) == ("int", "1")
        assert "not today" in str(futures[1].exception(PATIENCE))
        assert futures[2].result(PATIENCE) == ("int", "2")

    def test_deep_recursion(self, executor: Executor) -> None:
        """An element nested too deeply to be pickled fails clearly, alone."""
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        futures = executor.map(samples.size_of, [[1], deep])
        assert futures[0].result(PATIENCE) == 1
        error = futures[1].exception(PATIENCE)
        while deep:
            deep = deep.pop()
        assert isinstance(error, ArgumentNotSerializable | RecursionError)

    def test_future_of_another_executor(self, executor: Executor) -> None:
        """A future whose result lies in another storage is refused, with the remedy."""
        other = wrenml.inline_executor()
        future = other.submit(samples.square, 3)
        with pytest.raises((SerializationError, NotSupportedError), match=r"result\(\)"):
            executor.submit(samples.square, future)  # type: ignore[arg-type]
        other.shutdown()

    def test_closed_executor(self, make: Callable[[], Executor]) -> None:
        """After shutdown nothing can be started; what is there can be read."""
        executor = make()
        futures = executor.map(samples.square, range(3))
        executor.shutdown()
        assert futures.results(timeout=PATIENCE) == [0, 1, 4]
        for use in (
            lambda: executor.map(samples.square, [1]),
            lambda: executor.submit(samples.square, 1),
            lambda: list(executor.imap(samples.square, [1])),
            lambda: executor.put(1),
        ):
            with pytest.raises(ExecutorClosedError):
                use()
        executor.shutdown()

    def test_max_calls(self, executor: Executor) -> None:
        """A longer map is refused before anything is sent."""
        assert len(executor.map(samples.square, range(3), max_calls=3)) == 3
        with pytest.raises(ConfigError, match="max_calls"):
            executor.map(samples.square, range(4), max_calls=3)
