from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wrenml.failures import annotate, describe, rebuild, short_repr


class Custom(Exception):
    def __init__(self, first: object, second: object) -> None:
        super().__init__(f"{first}: {second}")
        self.second = second


def thrown(exc: BaseException, depth: int) -> BaseException:
    def throw(left: int) -> None:
        if left:
            throw(left - 1)
        raise exc

    try:
        throw(depth)
    except BaseException as caught:  # noqa: BLE001
        return caught
    raise AssertionError("did not raise")


def linked(exc: Exception, cause: Exception | None, context: Exception | None, notes: list[str]) -> Exception:
    exc.__cause__ = cause
    exc.__context__ = context
    exc.__suppress_context__ = cause is not None
    for note in notes:
        exc.add_note(note)
    return exc


words = st.text(max_size=12)
values = st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), words, st.binary(max_size=5))
makers: list[Callable[..., Exception]] = [ValueError, KeyError, LookupError, Custom]
alone = st.builds(lambda make, a, b: make(a, b), st.sampled_from(makers), values, values)


def larger(inner: st.SearchStrategy[Exception]) -> st.SearchStrategy[Exception]:
    groups = st.builds(ExceptionGroup[Exception], words, st.lists(inner, min_size=1, max_size=3))
    any_of = st.one_of(alone, groups)
    with_links = st.builds(linked, any_of, st.none() | inner, st.none() | inner, st.lists(words, max_size=2))
    return st.builds(thrown, with_links, st.integers(0, 3))  # type: ignore[arg-type]


exceptions = st.recursive(alone, larger, max_leaves=6)


def shape(exc: BaseException | None) -> object:
    if exc is None:
        return None
    members = [shape(each) for each in exc.exceptions] if isinstance(exc, BaseExceptionGroup) else []
    args = () if members else exc.args
    links = (shape(exc.__cause__), shape(exc.__context__), exc.__suppress_context__)
    return type(exc), str(exc), args, getattr(exc, "__notes__", None), links, members


@given(exceptions)
def test_any_tree_of_exceptions_comes_back_and_prints_the_same(exc: Exception) -> None:
    there, printed = shape(exc), "".join(traceback.format_exception(exc))
    text, body = describe(exc)
    back = rebuild(json.loads(json.dumps(text)), body)
    assert shape(back) == there
    assert "".join(traceback.format_exception(back)) == printed


@given(exceptions, words, st.integers(0), words)
def test_notes_are_added_once(exc: Exception, job: str, index: int, tail: str) -> None:
    before = len(getattr(exc, "__notes__", []))
    for _ in range(2):
        annotate(exc, job=job, index=index, attempt=1, argument=None, output_tail=tail)
    assert len(exc.__notes__) == before + (3 if tail.strip() else 2)


nested: st.SearchStrategy[Any] = st.recursive(
    values,
    lambda inner: st.one_of(
        st.lists(inner), st.tuples(inner, inner), st.dictionaries(words, inner), st.frozensets(words)
    ),
)


@given(nested, st.integers(4, 200))
def test_a_short_repr_is_short_and_one_line(value: object, limit: int) -> None:
    text = short_repr(value, limit)
    assert len(text) <= limit
    assert len(text.splitlines()) <= 1
