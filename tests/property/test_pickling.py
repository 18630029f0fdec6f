from __future__ import annotations

import pickle
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wrenml.pickling import Buffer, Packer, Unpacker, dumps_result

atoms = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
values = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.frozensets(st.integers(), max_size=3)
    ),
    max_leaves=20,
)
# Objects that recur: small ones, texts and containers worth sharing, arrays of all sizes.
arrays = st.integers(0, 300_000).map(lambda n: np.arange(n, dtype="u2"))
large = st.integers(1, 3).map(lambda n: [str(n) * 2000, {"n": n}]) | st.just(b"x" * 10_000) | arrays


def leaves(value: Any) -> list[Any]:  # noqa: ANN401 - any value
    """Identity and content of every mutable part, in order."""
    if isinstance(value, (list, tuple)):
        return [(type(value), id(value)), *(leaf for part in value for leaf in leaves(part))]
    if isinstance(value, dict):
        return [(dict, id(value)), *(leaf for k, v in value.items() for leaf in (k, *leaves(v)))]
    if isinstance(value, np.ndarray):
        return [(np.ndarray, id(value)), value.tobytes()]
    return [value]


def shape(value: Any) -> list[Any]:  # noqa: ANN401 - any value
    """`leaves` with identities numbered as they appear: equal for what pickle would call equal."""
    numbers: dict[int, int] = {}
    return [
        (leaf[0], numbers.setdefault(leaf[1], len(numbers))) if isinstance(leaf, tuple) else leaf
        for leaf in leaves(value)
    ]


class Store:
    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}

    def put(self, digest: bytes, buffers: Sequence[Buffer]) -> None:
        self.data[digest] = b"".join(buffers)

    def get(self, digest: bytes) -> bytearray:
        return bytearray(self.data[digest])


def round_trip(items: list[Any]) -> list[Any]:
    store = Store()
    packed = Packer(store.put).dumps_many(items)
    assert not packed.errors
    load, starts = Unpacker(store.get).loads, packed.offsets
    return [load(packed.data[a:b]) for a, b in pairwise(starts)]


@given(st.lists(values, max_size=8))
def test_items_come_back_as_pickle_would_bring_them(items: list[Any]) -> None:
    assert round_trip(items) == pickle.loads(pickle.dumps(items))


@given(st.data())
def test_sharing_keeps_values_and_identities_within_each_item(data: st.DataObject) -> None:
    pool: list[Any] = data.draw(st.lists(large, min_size=1, max_size=3))
    holders = [{"inner": x, "n": 1, "pad": "y" * n} for x in pool for n in (1, 5000)]
    inner, outer = st.sampled_from(pool), st.sampled_from(holders)
    items = data.draw(
        st.lists(
            inner | outer | st.lists(inner, max_size=3) | st.tuples(st.integers(), inner, inner, outer),
            max_size=6,
        )
    )
    for item, loaded in zip(items, round_trip(items), strict=True):
        alone = pickle.loads(pickle.dumps(item))
        assert shape(loaded) == shape(alone)


@given(values)
def test_results_come_back(value: Any) -> None:  # noqa: ANN401 - any value
    store = Store()
    assert Unpacker(store.get).loads(b"".join(dumps_result(value))) == value
    assert Unpacker(store.get).loads(Packer(store.put).dumps(value)) == value
