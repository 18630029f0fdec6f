"""Scalers and a feature hasher over shards: equal to scikit-learn's on all rows."""

from __future__ import annotations

import weakref
from collections import UserDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
import sklearn.feature_extraction
import sklearn.preprocessing
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import check_estimator

import wrenml
from wrenml.ml.datasets import ShardedDataset
from wrenml.ml.preprocessing import FeatureHasher, MaxAbsScaler, MinMaxScaler, StandardScaler

RNG = np.random.default_rng(0)
X = RNG.normal(size=(103, 6)) * [1, 1e3, 1e-3, 1, 1, 1] + [0, 1e6, 0, 0, 0, 0]
X[:, 3] = 7.1  # constant
HOLES = X.copy()
HOLES[RNG.random(X.shape) < 0.1] = np.nan
HOLES[:30, 4] = np.nan  # all of a shard
HOLES[:, 5] = np.nan  # all there is
FORMS = {"whole": X, "holes": HOLES, "floats": HOLES[:, :4].astype(np.float32), "sparse": sparse.csr_matrix(X)}

MATRICES = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 30), st.integers(1, 3)),
    elements=st.floats(-1e6, 1e6) | st.just(np.nan) | st.just(0.0),
)


def learnt(scaler: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(scaler).items() if name.endswith("_")}


def same(found: Any, expected: Any) -> None:
    assert learnt(found).keys() == learnt(expected).keys()
    for name, value in learnt(expected).items():
        np.testing.assert_array_equal(getattr(found, name), value, err_msg=name)


def close(found: Any, expected: Any) -> None:
    assert learnt(found).keys() == learnt(expected).keys()
    for name, value in learnt(expected).items():
        if value is None:
            assert getattr(found, name) is None
        else:
            # The variance of a constant is rounding.
            np.testing.assert_allclose(getattr(found, name), value, rtol=1e-12, atol=1e-20, err_msg=name)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.filterwarnings("ignore:All-NaN", "ignore:invalid value encountered in divide")
class TestEqual:
    @pytest.mark.parametrize("ours", [MinMaxScaler(feature_range=(-1, 2)), MaxAbsScaler()])
    def test_bounds_bit_for_bit(self, ours: Any, form: str, inline: wrenml.Executor) -> None:
        theirs = getattr(sklearn.preprocessing, type(ours).__name__)
        if form == "sparse" and isinstance(ours, MinMaxScaler):
            with pytest.raises(TypeError, match="does not support sparse input"):
                ours.set_params(executor=inline).fit(FORMS[form])
            return
        known = {name: value for name, value in ours.get_params().items() if name in theirs().get_params()}
        expected = theirs(**known).fit(FORMS[form])
        found = clone(ours).set_params(executor=inline, n_shards=5).fit(FORMS[form])
        same(found, expected)
        made, wanted = found.transform(FORMS[form]), expected.transform(FORMS[form])
        np.testing.assert_array_equal(*(each.toarray() if form == "sparse" else each for each in (made, wanted)))

    @pytest.mark.parametrize("more", [{}, {"with_std": False}, {"with_mean": False}], ids=str)
    @pytest.mark.parametrize("weighted", [False, True])
    def test_moments(self, form: str, more: Any, weighted: bool, inline: wrenml.Executor) -> None:  # noqa: FBT001  # pytest's
        weights = RNG.integers(1, 4, len(X)).astype(float) if weighted else None
        found = StandardScaler(n_shards=5, executor=inline, **more)
        if form == "sparse" and more.get("with_mean", True):
            with pytest.raises(ValueError, match=r"^Cannot center sparse matrices"):
                found.fit(FORMS[form])
            return
        expected = sklearn.preprocessing.StandardScaler(**more).fit(FORMS[form], sample_weight=weights)
        close(found.fit(FORMS[form], sample_weight=weights), expected)


def test_rows_that_do_not_count_fill_a_shard(inline: wrenml.Executor) -> None:
    weights = np.repeat([0.0, 1.0, 2.0], [40, 40, 23])
    found = StandardScaler(n_shards=5, executor=inline).fit(X, sample_weight=weights)
    close(found, sklearn.preprocessing.StandardScaler().fit(X, sample_weight=weights))


@settings(max_examples=25, deadline=None)
@given(MATRICES, st.integers(1, 8))
@pytest.mark.filterwarnings("ignore:All-NaN", "ignore:invalid value encountered in divide")
def test_any_rows_in_any_shards(inline: wrenml.Executor, rows: Any, n_shards: int) -> None:
    same(
        MinMaxScaler(n_shards=n_shards, executor=inline).fit(rows), sklearn.preprocessing.MinMaxScaler().fit(rows)
    )  # fmt: skip
    found = StandardScaler(n_shards=n_shards, executor=inline).fit(rows)
    expected = sklearn.preprocessing.StandardScaler().fit(rows)
    np.testing.assert_array_equal(found.n_samples_seen_, expected.n_samples_seen_)
    largest = np.nanmax(np.abs(rows), initial=0)
    np.testing.assert_allclose(found.mean_, expected.mean_, rtol=1e-12, atol=1e-12 * largest)
    np.testing.assert_allclose(found.var_, expected.var_, rtol=1e-12, atol=1e-12 * largest**2)


@pytest.mark.parametrize("ours", [MinMaxScaler(), MaxAbsScaler(), StandardScaler()], ids=lambda one: type(one).__name__)
class TestDataSets:
    def test_workers_learn_and_write(self, ours: Any, two_workers: wrenml.Executor, tmp_path: Path) -> None:
        y = np.arange(len(X)) % 2
        dataset = ShardedDataset.from_arrays(X, y, url=tmp_path / "raw", rows_per_shard=25)
        scaler = clone(ours).set_params(executor=two_workers).fit(dataset)
        expected = getattr(sklearn.preprocessing, type(ours).__name__)().fit(X)
        close(scaler, expected)
        scaled = scaler.transform(dataset, url=tmp_path / "scaled")
        rows, labels = scaled.to_arrays()
        np.testing.assert_array_equal(rows, scaler.transform(X))
        np.testing.assert_array_equal(labels, y)
        with pytest.raises(ValueError, match="say where with url="):
            scaler.transform(dataset)

    def test_tables_as_output_are_of_rows(self, ours: Any, inline: wrenml.Executor, tmp_path: Path) -> None:
        dataset = ShardedDataset.from_arrays(X, url=tmp_path / "raw", rows_per_shard=50)
        scaler = clone(ours).set_params(executor=inline).fit(dataset)
        with sklearn.config_context(transform_output="pandas"):
            scaled = scaler.transform(dataset, url=tmp_path / "scaled")
            frame = scaler.transform(X)
        assert isinstance(frame, pd.DataFrame)
        np.testing.assert_array_equal(scaled.to_arrays()[0], frame)
        scaler.set_output(transform="pandas")
        assert scaler.transform(dataset, url=tmp_path / "again").digest == scaled.digest
        assert isinstance(scaler.transform(X), pd.DataFrame)

    def test_shards_are_taken_one_at_a_time(self, ours: Any, two_workers: wrenml.Executor) -> None:
        before: list[weakref.ref[Any]] = []

        def shards() -> Iterator[tuple[Any, None]]:
            for start in range(4):
                assert [rows() for rows in before[:-1]] == [None] * max(0, start - 1)
                rows = X[start::4].copy()
                before.append(weakref.ref(rows))
                yield rows, None

        scaler = clone(ours).set_params(executor=two_workers).fit(shards())
        assert len(before) == 4
        close(scaler, getattr(sklearn.preprocessing, type(ours).__name__)().fit(X))

    def test_bad_shards(self, ours: Any, inline: wrenml.Executor) -> None:
        scaler = clone(ours).set_params(executor=inline)
        y = np.zeros(len(X))
        for more, message in [
            ((X[:, :2], y), "shard 1: X has 2 features, but shard 0 has 6"),
            ((X[:0], y[:0]), "shard 1: Found array with 0 sample"),
            ((np.where(X == 7.1, np.inf, X), y), "shard 1: Input.* contains infinity"),
        ]:
            with pytest.raises(ValueError, match=message):
                scaler.fit([(X, y), more])
        with pytest.raises(ValueError, match="there are no shards"):
            scaler.fit([])
        with pytest.raises(ValueError, match=r"shard 0 is ndarray: give \(X, y\) or \(X, y, sample_weight\)"):
            scaler.fit(iter([X]))
        with pytest.raises(ValueError, match="n_shards=0"):
            clone(scaler).set_params(n_shards=0).fit(X)
        with pytest.raises(NotFittedError):
            clone(scaler).transform(X)


def test_names_of_columns_are_forgotten_with_the_fit(inline: wrenml.Executor) -> None:
    scaler = MinMaxScaler(executor=inline).fit(pd.DataFrame(X[:, :2], columns=["a", "b"]))
    assert not hasattr(scaler.fit([(X, None)]), "feature_names_in_")


@pytest.mark.parametrize("ours", [MaxAbsScaler(), StandardScaler(with_mean=False)], ids=lambda one: type(one).__name__)
def test_sparse_data_sets_where_tables_are_output(ours: Any, inline: wrenml.Executor, tmp_path: Path) -> None:
    dataset = ShardedDataset.from_arrays(FORMS["sparse"], url=tmp_path / "raw")
    with sklearn.config_context(transform_output="pandas"):
        scaler = clone(ours).set_params(executor=inline).fit(dataset)
        scaled = scaler.transform(dataset, url=tmp_path / "scaled")
    np.testing.assert_array_equal(scaled.to_arrays()[0].toarray(), scaler.transform(FORMS["sparse"]).toarray())


CODES = np.random.default_rng(1).integers(0, 40, size=(50, 3)).astype(float)


class TestHashing:
    def test_columns_are_scikit_learns_strings(self, inline: wrenml.Executor) -> None:
        found = FeatureHasher(16, columns=[0, 2], executor=inline).transform(CODES)
        strings = [[f"0={row[0]:.0f}", f"2={row[2]:.0f}"] for row in CODES]
        expected = sklearn.feature_extraction.FeatureHasher(16, input_type="string").transform(strings)
        assert found.shape == (50, 17)
        np.testing.assert_array_equal(found[:, :16].toarray(), expected.toarray())
        np.testing.assert_array_equal(found[:, 16].toarray().ravel(), CODES[:, 1])

    def test_what_is_missing_is_no_category(self, inline: wrenml.Executor) -> None:
        words = np.array([["a", "x"], ["b", "x"], ["a", "y"]], dtype=object)
        hasher = FeatureHasher(8, columns=[0, 1], alternate_sign=False, executor=inline)
        assert hasher.transform(words).sum() == 6
        assert hasher.transform(np.array([[1.0, np.nan], [np.nan, np.nan]])).sum() == 1
        assert hasher.transform(sparse.csr_matrix([[1.0, 0.0], [0.0, 0.0]])).sum() == 1

    @pytest.mark.parametrize(
        ("kind", "samples"),
        [
            ("dict", [{"cat": 2, "dog": number} for number in range(9)]),
            ("dict", [UserDict(cat=2), {"dog": "old"}]),
            ("pair", [[("cat", 2.0), ("dog", -1.0)]] * 3),
            ("string", [["cat", "dog"], [], ["cow"]]),
        ],
    )
    def test_samples_are_scikit_learns(self, kind: str, samples: Any, inline: wrenml.Executor) -> None:
        found = FeatureHasher(16, input_type=kind, executor=inline).transform(iter(samples))
        expected = sklearn.feature_extraction.FeatureHasher(16, input_type=kind).transform(samples)
        np.testing.assert_array_equal(found.toarray(), expected.toarray())

    def test_a_data_set(self, two_workers: wrenml.Executor, tmp_path: Path) -> None:
        dataset = ShardedDataset.from_arrays(CODES, CODES[:, 0] > 9, url=tmp_path / "codes", rows_per_shard=20)
        hasher = FeatureHasher(16, columns=[0, 2], executor=two_workers)
        rows, labels = hasher.transform(dataset, url=tmp_path / "hashed").to_arrays()
        np.testing.assert_array_equal(rows.toarray(), hasher.transform(CODES).toarray())
        np.testing.assert_array_equal(labels, CODES[:, 0] > 9)

    def test_bad_columns(self, inline: wrenml.Executor) -> None:
        for columns, message in [
            ([3], "there is no column 3, X has 3"),
            (["age"], "there is no column 'age', X has 3, numbered from 0"),
            ([], r"columns=\(\) hashes nothing"),
        ]:
            with pytest.raises(ValueError, match=message):
                FeatureHasher(16, columns=columns, executor=inline).transform(CODES)

    def test_words_that_are_not_hashed(self, inline: wrenml.Executor) -> None:
        words = np.array([["a", "x"], ["b", "x"]], dtype=object)
        with pytest.raises(ValueError, match=r"what is not hashed has to be numbers .*: give such columns in columns="):
            FeatureHasher(8, columns=[0], executor=inline).transform(words)

    def test_data_sets_without_columns_to_hash(self, inline: wrenml.Executor, tmp_path: Path) -> None:
        rows = ShardedDataset.from_arrays(CODES, url=tmp_path / "rows")
        lines = ShardedDataset.from_lines(["a", "b"], tmp_path / "lines")
        for dataset, columns in [(rows, None), (lines, [0])]:
            with pytest.raises(ValueError, match="of a data set, columns= of its rows are hashed"):
                FeatureHasher(8, columns=columns, executor=inline).transform(dataset, url=tmp_path / "hashed")


@pytest.mark.parametrize("ours", [MinMaxScaler(), MaxAbsScaler(), StandardScaler()], ids=lambda one: type(one).__name__)
def test_scikit_learns_checks(ours: Any, inline: wrenml.Executor) -> None:
    assert check_estimator(ours.set_params(executor=inline), on_skip=None)
