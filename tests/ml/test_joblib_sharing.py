from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from joblib.parallel import BatchedCalls, SequentialBackend

import wrenml
from wrenml.ml.envelope import Caller
from wrenml.ml.parallel.sharing import Parcel, Sharing

WORDS = [f"word {i}" for i in range(2_000)]


class Model:
    def __init__(self) -> None:
        self.weights = list(WORDS)


@pytest.fixture(scope="module")
def executor() -> Iterator[wrenml.Executor]:
    with wrenml.inline_executor() as executor:
        yield executor


@pytest.fixture
def sharing(executor: wrenml.Executor) -> Sharing:
    return Sharing(executor, Caller())


def batch(*args: object, **kwargs: object) -> Any:
    return BatchedCalls([(returned, args, kwargs)], (SequentialBackend(nesting_level=0), None))


def returned(*args: object, **kwargs: object) -> object:
    return args, kwargs


def opened(parcel: Parcel) -> list[Any]:
    return [each()[0] for each in parcel.unpack()[1]]


def arrived(executor: wrenml.Executor, parcel: Parcel) -> Any:
    return executor.submit(opened, parcel).result()


DATA: dict[str, Callable[[], Any]] = {
    "array": lambda: np.arange(5_000),
    "sparse": lambda: sp.eye_array(5_000, format="csr"),
    "frame": lambda: pd.DataFrame({"x": np.arange(5_000)}),
    "series": lambda: pd.Series(np.arange(5_000)),
}
THINGS: dict[str, Callable[[], Any]] = {
    "list": lambda: list(WORDS),
    "tuple": lambda: tuple(WORDS),
    "text": lambda: " ".join(WORDS),
    "dict": lambda: dict.fromkeys(WORDS),
    "object": Model,
}


@pytest.mark.parametrize("kind", DATA)
def test_data_is_put_when_it_is_first_met(executor: wrenml.Executor, sharing: Sharing, kind: str) -> None:
    data = DATA[kind]()
    parcel = sharing.pack([batch(data, 1, key=data), batch([data, 2])])
    assert len(parcel.shared) == 1
    assert len(parcel.tasks) < 2_000
    ((first, one), keywords), ((second,), _) = arrived(executor, parcel)
    assert one == 1
    assert first is keywords["key"]
    assert type(first) is type(data)
    assert abs(first - data).sum().sum() == 0
    assert second[0] is first
    assert second[1] == 2


@pytest.mark.parametrize("kind", THINGS)
def test_other_large_things_are_put_when_they_are_met_again(
    executor: wrenml.Executor, sharing: Sharing, kind: str
) -> None:
    thing = THINGS[kind]()
    sharing.pack([batch(thing)])
    parcel = sharing.pack([batch(thing)])
    assert len(parcel.shared) == 1
    assert len(parcel.tasks) < 2_000
    [((found,), _)] = arrived(executor, parcel)
    assert pickle.dumps(found) == pickle.dumps(thing)


@pytest.mark.parametrize(
    "thing", [1, "short", [1, 2], {"a": 1}, np.arange(3), np.ndarray, None, len], ids=lambda thing: repr(thing)[:20]
)
def test_small_things_travel_with_their_task(executor: wrenml.Executor, sharing: Sharing, thing: object) -> None:
    parcels = [sharing.pack([batch(thing)]) for _ in range(3)]
    assert not any(parcel.shared for parcel in parcels)
    [((found,), _)] = arrived(executor, parcels[-1])
    np.testing.assert_equal(found, thing)


def test_a_thing_that_changed_is_sent_as_it_is_now(executor: wrenml.Executor, sharing: Sharing) -> None:
    data, words = np.zeros(1_000), list(WORDS)
    for i in range(4):
        data[0], words[0] = i, str(i)
        [((array, texts), _)] = arrived(executor, sharing.pack([batch(data, words)]))
        assert (array[0], texts[0]) == (i, str(i))


def test_data_of_a_megabyte_is_packed_once(executor: wrenml.Executor, sharing: Sharing) -> None:
    data = np.zeros(1 << 17)
    first = sharing.pack([batch(data)])
    data[0] = 1
    assert sharing.pack([batch(data)]).shared == first.shared
    assert Sharing(executor, Caller()).pack([batch(data)]).shared != first.shared


def test_another_object_at_the_place_of_one_that_is_gone_is_another(
    executor: wrenml.Executor, sharing: Sharing
) -> None:
    for i in range(50):
        [((found,), _)] = arrived(executor, sharing.pack([batch(np.full(1 << 17, i))]))
        assert found[0] == i


def test_equal_data_is_stored_once(executor: wrenml.Executor) -> None:
    references = [Sharing(executor, Caller()).pack([batch(np.arange(10_000))]).shared[0] for _ in range(2)]
    assert references[0].digest == references[1].digest


def test_large_arrays_within_objects_arrive(executor: wrenml.Executor, sharing: Sharing) -> None:
    class Holder:
        data = np.arange(100_000)

        def __init__(self) -> None:
            self.own = np.arange(100_000)

    [((found,), _)] = arrived(executor, sharing.pack([batch(Holder())]))
    np.testing.assert_array_equal(found.own, np.arange(100_000))
