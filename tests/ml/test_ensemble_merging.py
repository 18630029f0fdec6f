"""Forests of parts of the data as one forest, and forests grown on shards."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.ensemble as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import wrenml
import wrenml.ml.ensemble as ours
from wrenml.ml.datasets import ShardedDataset
from wrenml.ml.ensemble import merge_forests

X, Y = load_digits(return_X_y=True)
X, Y, REST, REST_Y = X[:600], Y[:600], X[600:], Y[600:]
KINDS = ["RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor"]


def mean(forests: list[Any], method: str, data: Any = REST) -> Any:
    """The mean of what forests predict, weighted by their numbers of trees."""
    weights = [len(forest.estimators_) for forest in forests]
    return np.average([getattr(forest, method)(data) for forest in forests], axis=0, weights=weights)


def cut(count: int) -> list[tuple[Any, Any]]:
    return [(X[start::count], Y[start::count]) for start in range(count)]


@pytest.mark.parametrize("name", KINDS)
def test_it_predicts_the_mean_weighted_by_trees(name: str) -> None:
    # Trees of 10 digits, grown out, have leaves of one class: sums of such are exact, and so are their means by eight.
    parts = [
        getattr(theirs, name)(trees, random_state=trees).fit(*part) for trees, part in zip((8, 8), cut(2), strict=True)
    ]
    forest = merge_forests(parts)
    assert type(forest) is type(parts[0])
    assert forest.n_estimators == len(forest.estimators_) == 16
    method = "predict_proba" if "Classifier" in name else "predict"
    np.testing.assert_array_equal(getattr(forest, method)(REST), mean(parts, method))
    uneven = [theirs.RandomForestRegressor(count, random_state=0).fit(X, Y) for count in (3, 1, 7)]
    np.testing.assert_allclose(merge_forests(uneven).predict(REST), mean(uneven, "predict"), rtol=1e-14)


@pytest.mark.parametrize("name", KINDS)
def test_parts_of_a_forest_make_that_forest(name: str) -> None:
    whole = getattr(theirs, name)(30, max_depth=4, random_state=0, oob_score=True, bootstrap=True).fit(X, Y)
    parts = []
    for some in (slice(0, 4), slice(4, 30)):
        parts.append(copy.copy(whole))
        parts[-1].estimators_ = whole.estimators_[some]
    forest = merge_forests(parts)
    for method in ("predict", "predict_proba", "apply"):
        if hasattr(whole, method):
            np.testing.assert_array_equal(getattr(forest, method)(REST), getattr(whole, method)(REST))
    np.testing.assert_array_equal(forest.feature_importances_, whole.feature_importances_)
    assert not hasattr(forest, "oob_score_")


def widened(proba: Any, classes: Any, union: Any) -> Any:
    wide = np.zeros((len(proba), len(union)))
    wide[:, np.searchsorted(union, classes)] = proba
    return wide


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sets(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=3))
def test_classes_that_parts_lack(known: list[set[int]]) -> None:
    names = np.array([f"digit {digit}" for digit in range(10)])
    parts = []
    for classes in known:
        rows = np.isin(Y[:200], list(classes))
        parts.append(
            theirs.ExtraTreesClassifier(2, max_depth=3, random_state=0).fit(X[:200][rows], names[Y[:200][rows]])
        )
    before = [part.predict_proba(REST[:50]) for part in parts]
    forest = merge_forests(parts)
    union = np.unique(np.concatenate([part.classes_ for part in parts]))
    np.testing.assert_array_equal(forest.classes_, union)
    assert forest.n_classes_ == len(union)
    expected = np.mean([widened(p, m.classes_, union) for p, m in zip(before, parts, strict=True)], axis=0)
    np.testing.assert_allclose(forest.predict_proba(REST[:50]), expected, rtol=1e-14, atol=1e-16)
    assert set(forest.predict(REST[:50])) <= set(union)
    for tree in forest.estimators_:
        assert tree.predict_proba(REST[:2]).shape == (2, len(union))
        assert tree.predict(REST[:2]).max() < len(union)
    for part, proba in zip(parts, before, strict=True):
        np.testing.assert_array_equal(part.predict_proba(REST[:50]), proba)


def test_several_outputs_with_other_classes() -> None:
    targets = np.column_stack([Y, Y % 3])
    few, others = Y < 5, Y % 3 > 0
    parts = [theirs.RandomForestClassifier(4, random_state=0).fit(X[rows], targets[rows]) for rows in (few, others)]
    forest = merge_forests(parts)
    assert [list(classes) for classes in forest.classes_] == [[0, 1, 2, 3, 4, 5, 7, 8], [0, 1, 2]]
    assert forest.n_classes_ == [8, 3]
    for output, union in enumerate(forest.classes_):
        expected = np.mean(
            [widened(part.predict_proba(REST)[output], part.classes_[output], union) for part in parts], axis=0
        )
        np.testing.assert_array_equal(forest.predict_proba(REST)[output], expected)
    assert forest.predict(REST).shape == (len(REST), 2)
    numbers = [theirs.ExtraTreesRegressor(2, random_state=0).fit(X, targets) for _ in range(2)]
    assert merge_forests(numbers).predict(REST).shape == (len(REST), 2)


def test_text_is_text_in_any_array() -> None:
    names = np.array(["a", "bb", "ccc"])[Y % 3]
    merged = merge_forests([forest(target=names), forest(target=names.astype(object))])
    assert merged.classes_.tolist() == ["a", "bb", "ccc"]
    assert set(merged.predict(X)) <= {"a", "bb", "ccc"}


def test_a_merged_forest_is_a_forest() -> None:
    parts = [
        theirs.RandomForestClassifier(3, random_state=i, warm_start=True).fit(*part) for i, part in enumerate(cut(2))
    ]
    forest = merge_forests(parts)
    assert merge_forests([forest, parts[0]]).n_estimators == 9
    assert clone(forest).get_params() == {**parts[0].get_params(), "n_estimators": 6}
    wider = merge_forests([clone(parts[0]).fit(X[Y < 3], Y[Y < 3]) if i == 0 else part for i, part in enumerate(parts)])
    assert len(wider.set_params(n_estimators=8).fit(X, Y).estimators_) == 8  # it grows on
    assert wider.predict_proba(REST).shape == (len(REST), 10)


def forest(name: str = "RandomForestClassifier", data: Any = X, target: Any = Y) -> Any:
    return getattr(theirs, name)(1, max_depth=1).fit(data, target)


def test_mixtures_are_refused_by_name() -> None:
    pandas = pytest.importorskip("pandas")
    frames = [pandas.DataFrame(X[:, :2], columns=columns) for columns in (["a", "b"], ["b", "a"])]
    for others, kind, text in (
        ([], ValueError, "there are no forests"),
        ([LogisticRegression()], TypeError, "forest 0 is LogisticRegression: give random forests or extra trees"),
        ([forest(), theirs.RandomForestClassifier()], ValueError, "forest 1 is not fitted"),
        (
            [forest(), forest("RandomForestRegressor")],
            ValueError,
            "forest 1 has trees of the kind DecisionTreeRegressor",
        ),
        ([forest(), forest("ExtraTreesClassifier")], ValueError, "forest 1 has trees of the kind ExtraTreeClassifier"),
        ([forest(), forest(), forest(data=X[:, :3])], ValueError, "forest 2 has 3 features, forest 0 64"),
        ([forest(), forest(target=np.c_[Y, Y])], ValueError, "forest 1 has 2 outputs, forest 0 1"),
        ([forest(), forest(target=Y.astype(str))], ValueError, r"forest 1 knows the classes array\(\['0'"),
        ([forest(data=frame) for frame in frames], ValueError, "forest 1 knows its features by other names"),
    ):
        with pytest.raises(kind, match=text):
            merge_forests(others)


# Forests grown on shards


@pytest.mark.parametrize("name", KINDS)
def test_a_forest_on_shards_is_the_merged_forests_of_the_shards(name: str, two_workers: wrenml.Executor) -> None:
    shards = [(X[:200], Y[:200]), (X[200:400][Y[200:400] < 4], Y[200:400][Y[200:400] < 4]), (X[400:], Y[400:])]
    found = getattr(ours, name)(8, random_state=0, max_depth=5, executor=two_workers).fit(X, Y).fit_shards(shards)
    seeds = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=3)
    parts = [
        getattr(theirs, name)(count, random_state=seed, max_depth=5).fit(*shard)
        for count, seed, shard in zip((3, 3, 2), seeds, shards, strict=True)
    ]
    expected = merge_forests(parts)
    method = "predict_proba" if "Classifier" in name else "predict"
    np.testing.assert_array_equal(getattr(found, method)(REST), getattr(expected, method)(REST))
    assert not hasattr(found, "estimators_samples_")  # of `fit`, before
    assert found.n_estimators == 8


def test_any_form_of_shards(two_workers: wrenml.Executor, inline: wrenml.Executor, tmp_path: Path) -> None:
    dataset = ShardedDataset.from_arrays(X, Y, url=tmp_path / "data", rows_per_shard=200)
    model = ours.RandomForestClassifier(6, random_state=0, executor=two_workers)
    expected = model.fit_shards((X[start : start + 200], Y[start : start + 200]) for start in (0, 200, 400))
    expected = expected.predict_proba(REST)
    for executor in (two_workers, inline):
        model.set_params(executor=executor)
        for shards in (dataset, dataset.shards, list(dataset)):
            np.testing.assert_array_equal(model.fit_shards(shards).predict_proba(REST), expected)
    weights = np.arange(len(Y)) % 3
    found = model.set_params(n_estimators=4).fit_shards([(X, Y, weights)]).predict_proba(REST)
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    one = theirs.RandomForestClassifier(4, random_state=seed).fit(X, Y, weights)
    np.testing.assert_array_equal(found, one.predict_proba(REST))
    rows = [(sparse.csr_matrix(data), target) for data, target in dataset]
    assert model.fit_shards(rows).score(sparse.csr_matrix(REST), REST_Y) > 0.5


def test_shards_that_are_refused(two_workers: wrenml.Executor) -> None:
    model = ours.RandomForestClassifier(4, executor=two_workers)
    for shards, text in (
        ([], "there are no shards"),
        ([X], "shard 0 is ndarray: give"),
        (cut(5), "n_estimators=4 for 5 shards"),
        ([(X, Y), (X[:0], Y[:0])], "shard 1: Found array with 0 sample"),
        ([(X, Y), (X[:5], Y[:6])], r"shard 1: Found input variables with inconsistent numbers of samples: \[5, 6\]"),
        ([(X, Y), (X[:, :5], Y)], "shard 1: X has 5 features, but shard 0 has 64 features"),
        ([(X, Y), (X, Y + 0.5)], "shard 1: Unknown label type"),
    ):
        with pytest.raises(ValueError, match=text):
            model.fit_shards(shards)
    with pytest.raises(ValueError, match="oob_score=True needs fit"):
        clone(model).set_params(oob_score=True).fit_shards(cut(2))
    with pytest.raises(ValueError, match="The 'max_depth' parameter of RandomForestClassifier"):
        clone(model).set_params(max_depth=0).fit_shards(cut(2))
    assert not hasattr(model, "estimators_")
