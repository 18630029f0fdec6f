from __future__ import annotations

import dataclasses
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest

from wrenml.failures import short_repr


@dataclasses.dataclass
class Setting:
    rate: float
    name: str = "a"


Point = namedtuple("Point", "x y")  # noqa: PYI024  it is the untyped one that is common


class Broken:
    def __repr__(self) -> str:
        raise SystemExit(1)


class ShapeRaises:
    @property
    def shape(self) -> tuple[int]:
        raise RuntimeError("not fitted")

    def __repr__(self) -> str:
        return "not\n  fitted yet"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, "3"),
        ("tea", "'tea'"),
        (None, "None"),
        ((1,), "(1,)"),
        ((), "()"),
        (set(), "set()"),
        (frozenset({1}), "frozenset({1})"),
        ([1, [2, [3, [4]]]], "[1, [2, [3, [...]]]]"),
        ({"a": 1}, "{'a': 1}"),
        (list(range(10**6)), "[0, 1, 2, 3, 4, 5, ... 1000000 items]"),
        (Setting(0.5), "Setting(rate=0.5, name='a')"),
        (Point(1, 2), "Point(x=1, y=2)"),
        (np.zeros((100, 3)), "ndarray(shape=(100, 3), dtype=float64)"),
        (np.float64(2.0), repr(np.float64(2.0))),
        (pd.DataFrame({"a": [1, 2]}), "DataFrame(shape=(2, 1))"),
        ([np.zeros(4)], "[ndarray(shape=(4,), dtype=float64)]"),
        (1 << 300, "<int of 301 bits>"),
        (True, "True"),
        (Broken(), "<Broken object; its repr raised SystemExit>"),
        ([Broken()], "[<Broken object; its repr raised SystemExit>]"),
        (ShapeRaises(), "not fitted yet"),
        ([1, "a\nb"], r"[1, 'a\nb']"),
        (
            {"x": np.zeros(2), "y": list(range(9))},
            "{'x': ndarray(shape=(2,), dtype=float64), 'y': [0, 1, 2, 3, 4, 5, ... 9 items]}",
        ),
        (b"ab", "b'ab'"),
        (int, "<class 'int'>"),
    ],
)
def test_shows_values_shortly(value: object, expected: str) -> None:
    assert short_repr(value) == expected


@pytest.mark.parametrize("value", ["x" * 10**6, b"x" * 10**6, ["x" * 1000] * 10, {"k" * 500: "v" * 500}, "\n" * 500])
def test_is_one_line_within_the_limit(value: object) -> None:
    for limit in (10, 80, 200):
        text = short_repr(value, limit)
        assert len(text) <= limit
        assert "\n" not in text
    assert short_repr(value).endswith("...")


def test_does_not_look_at_more_items_than_it_shows() -> None:
    looked: list[int] = []

    class Item:
        def __repr__(self) -> str:
            looked.append(1)
            return "item"

    assert short_repr([Item() for _ in range(1000)]).endswith("1000 items]")
    assert short_repr({n: Item() for n in range(1000)}).endswith("1000 items}")
    assert len(looked) == 12
