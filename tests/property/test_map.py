from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wrenml import Executor, inline_executor, local_executor
from wrenml.errors import WorkerCrashed
from wrenml.executors import reopened_future
from wrenml.invoke.base import Invoker
from wrenml.invoke.inline import InlineInvoker
from wrenml.options import Options
from wrenml.rootkey import RootKey
from wrenml.session import Session
from wrenml.storage import MemoryStorage
from wrenml.testing.faults import DroppingInvoker, DuplicatingInvoker, ReorderingInvoker
from wrenml.wire import Request

Value = st.recursive(
    st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=6,
)
Elements = st.lists(Value, max_size=30)
Chunks = st.none() | st.integers(1, 40)


def shown(x: object) -> tuple[object, str]:
    if isinstance(x, int) and x % 7 == 3:
        raise ValueError(x)
    return x, repr(x)


def outcome(function: Callable[..., object], *args: object) -> tuple[str, object]:
    try:
        return "result", function(*args)
    except ValueError as error:
        return "error", error.args


def outcomes(executor: Executor, elements: list[object], chunksize: int | None) -> list[tuple[str, object]]:
    results: list[Any] = executor.map(shown, elements, chunksize=chunksize).results(errors="return", timeout=60)
    return [("error", r.args) if isinstance(r, ValueError) else ("result", r) for r in results]


@pytest.fixture(scope="module", params=[0, 1, 3], ids=["inline", "1 worker", "3 workers"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with inline_executor() if not request.param else local_executor(workers=request.param) as executor:
        yield executor


@given(elements=Elements, chunksize=Chunks)
@settings(max_examples=40)
def test_map_equals_the_built_in(executor: Executor, elements: list[object], chunksize: int | None) -> None:
    assert outcomes(executor, elements, chunksize) == [outcome(shown, element) for element in elements]


@given(columns=st.lists(st.lists(st.integers(), max_size=12), min_size=2, max_size=4), chunksize=Chunks)
@settings(max_examples=25)
def test_several_iterables_equal_the_built_in(
    executor: Executor, columns: list[list[int]], chunksize: int | None
) -> None:
    futures = executor.map(math.gcd, *columns, chunksize=chunksize)
    assert futures.results(timeout=60) == list(map(math.gcd, *columns))
    assert executor.starmap(math.gcd, zip(*columns, strict=False)).results(timeout=60) == list(map(math.gcd, *columns))


@given(elements=Elements, window=st.none() | st.integers(1, 12), ordered=st.booleans())
@settings(max_examples=40)
def test_imap_equals_the_built_in(
    executor: Executor, elements: list[object], window: int | None, ordered: bool  # noqa: FBT001  # drawn
) -> None:  # fmt: skip
    found = [text for text in executor.imap(repr, elements, window=window, ordered=ordered)]  # noqa: C416  # what a loop sees
    expected = list(map(repr, elements))
    assert found == expected if ordered else sorted(found) == sorted(expected)


def around(wrap: Callable[[InlineInvoker], Invoker]) -> Executor:
    storage = MemoryStorage(os.urandom(8).hex())
    root = RootKey(os.urandom(32), persistent=False, why="a test")
    invoker = wrap(InlineInvoker(storage))
    session = Session("inline", storage, root, invoker, 1, threaded=False, reopen=reopened_future)
    return Executor(session, Options(), (inline_executor, ()))


@given(elements=Elements, chunksize=Chunks, seed=st.integers(0, 2**20))
@settings(max_examples=60)
def test_news_in_any_order_and_twice(elements: list[object], chunksize: int | None, seed: int) -> None:
    executor = around(lambda inner: DuplicatingInvoker(ReorderingInvoker(inner, seed)))
    expected = [outcome(shown, element) for element in elements]
    assert outcomes(executor, elements, chunksize) == expected
    executor.shutdown()


@given(data=st.data(), elements=Elements, chunksize=st.integers(1, 10), infra_retries=st.integers(0, 3))
@settings(max_examples=60)
def test_lost_requests(data: st.DataObject, elements: list[object], chunksize: int, infra_retries: int) -> None:
    def drops(_request: Request) -> bool:
        return data.draw(st.booleans())

    dropping: list[DroppingInvoker] = []

    def wrap(inner: InlineInvoker) -> Invoker:
        dropping.append(DroppingInvoker(inner, drops))
        return dropping[0]

    executor = around(wrap)
    futures = executor.map(shown, elements, chunksize=chunksize, infra_retries=infra_retries)
    for future, element in zip(futures, elements, strict=True):
        error = future.exception(60)
        if not isinstance(error, WorkerCrashed):
            assert outcome(future.result) == outcome(shown, element)
    assert len(dropping[0].requests) <= math.ceil(len(elements) / chunksize) * (1 + infra_retries)
    attached = executor.attach(futures.id)
    assert [repr(error) for error in attached.exceptions(60)] == [repr(error) for error in futures.exceptions(60)]
    executor.shutdown()
