"""Ensembles on random patches: scikit-learn's draws and trees; from shards, each estimator sees one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.ensemble as theirs
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import check_estimator

import wrenml
from wrenml.ml.datasets import ShardedDataset
from wrenml.ml.ensemble import RandomPatchesClassifier, RandomPatchesRegressor

X, Y = load_digits(return_X_y=True)
X, Y, REST = X[:600], Y[:600], X[600:]


def pair(kind: str, executor: wrenml.Executor, **params: Any) -> tuple[Any, Any]:
    params = {"max_samples": 0.5, "max_features": 0.5, "bootstrap": False, "random_state": 0, **params}
    ours = RandomPatchesClassifier if kind == "Classifier" else RandomPatchesRegressor
    return ours(executor=executor, **params), getattr(theirs, f"Bagging{kind}")(**params)


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"bootstrap_features": True, "max_samples": 70},
        {"max_features": 1.0, "max_samples": 1.0},
        {"max_features": 3, "max_samples": 0.1, "n_estimators": 40},  # patches that are fewer bytes than all data
    ],
    ids=str,
)
def test_trees_and_patches_are_those_of_bagging(
    kind: str, params: dict[str, Any], two_workers: wrenml.Executor
) -> None:
    found, expected = pair(kind, two_workers, **params)
    for data, rest in ((X, REST), (sparse.csr_matrix(X), sparse.csr_matrix(REST))):
        found.fit(data, Y)
        expected.fit(data, Y)
        np.testing.assert_array_equal(found.predict(rest), expected.predict(rest))
        for name in ("estimators_samples_", "estimators_features_"):
            for one, other in zip(getattr(found, name), getattr(expected, name), strict=True):
                np.testing.assert_array_equal(one, other)
    assert found.n_features_in_ == 64
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(found)).predict(rest), found.predict(rest))


def test_other_estimators(two_workers: wrenml.Executor) -> None:
    names = np.array([f"digit {digit}" for digit in range(10)])[Y]
    for inner in (KNeighborsClassifier(3), make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=4))):
        found, expected = pair("Classifier", two_workers, estimator=inner)
        np.testing.assert_array_equal(found.fit(X, names).predict(REST), expected.fit(X, names).predict(REST))
    targets = np.column_stack([Y, X[:, 5]])
    found, expected = pair("Regressor", two_workers, estimator=LinearRegression(), max_features=10)
    np.testing.assert_allclose(found.fit(X, targets).predict(REST), expected.fit(X, targets).predict(REST))


def test_the_same_anywhere_and_in_any_number(two_workers: wrenml.Executor, inline: wrenml.Executor) -> None:
    found, _ = pair("Classifier", inline, n_estimators=12)
    expected = found.fit(X, Y).predict_proba(REST)
    for jobs in (None, 1, 2):
        other = clone(found).set_params(executor=two_workers, n_jobs=jobs).fit(X, Y)
        np.testing.assert_array_equal(other.predict_proba(REST), expected)


def test_each_estimator_learns_a_patch_of_one_shard(two_workers: wrenml.Executor, inline: wrenml.Executor) -> None:
    names = np.array([f"digit {digit}" for digit in range(10)])[Y]
    few = np.flatnonzero(Y < 4)
    shards = [(X[few], names[few]), (X[300:], names[300:])]
    model, _ = pair("Classifier", two_workers, n_estimators=7, max_samples=100)
    model.fit_shards(shards)
    assert model.n_classes_ == 10
    # Estimators know classes by their numbers, and those of the first shard know four.
    assert [len(each.classes_) <= 4 for each in model.estimators_] == [True, False] * 3 + [True]
    for place, (tree, rows, features) in enumerate(
        zip(model.estimators_, model.estimators_samples_, model.estimators_features_, strict=True)
    ):
        data, target = shards[place % 2]
        np.testing.assert_array_equal(tree.classes_, np.searchsorted(model.classes_, np.unique(target[rows])))
        np.testing.assert_array_equal(model.classes_[tree.predict(data[rows][:, features]).astype(int)], target[rows])
    here = clone(model).set_params(executor=inline).fit_shards(iter(shards))
    np.testing.assert_array_equal(here.predict_proba(REST), model.predict_proba(REST))
    assert set(here.predict(REST)) == set(names)


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_shards_of_a_data_set(kind: str, two_workers: wrenml.Executor, tmp_path: Path) -> None:
    dataset = ShardedDataset.from_arrays(X, Y, url=tmp_path / "data", rows_per_shard=250)
    model, _ = pair(kind, two_workers)
    expected = model.fit_shards((X[start : start + 250], Y[start : start + 250]) for start in (0, 250, 500))
    expected = expected.predict(REST)
    np.testing.assert_array_equal(model.fit_shards(dataset).predict(REST), expected)
    np.testing.assert_array_equal(model.fit_shards(dataset.shards).predict(REST), expected)


def test_what_makes_no_sense_is_refused(two_workers: wrenml.Executor) -> None:
    model, _ = pair("Classifier", two_workers)
    halves = [(X[:300], Y[:300]), (X[300:], Y[300:])]
    for params, text in (
        ({"max_samples": 601}, "max_samples=601: there are 600 rows, and bootstrap=False"),
        ({"max_features": 65}, "max_features=65: there are 64 features"),
        ({"n_estimators": 0}, "The 'n_estimators' parameter of RandomPatchesClassifier"),
    ):
        with pytest.raises(ValueError, match=text):
            clone(model).set_params(**params).fit(X, Y)
    with pytest.raises(ValueError, match="Unknown label type"):
        model.fit(X, Y + 0.5)
    with pytest.raises(ValueError, match="y should be a 1d array"):
        model.fit(X, np.c_[Y, Y])
    for shards, text in (
        ([], "there are no shards"),
        ([*halves, (X[:, :3], Y)], "shard 2: X has 3 features, but shard 0 has 64 features"),
        ([*halves, (X, None)], "shard 2: its rows have no labels"),
        ([(X, Y[:9]), halves[0]], "shard 0: Found input variables with inconsistent numbers of samples"),
        ([*halves, (X[:0], Y[:0])], "shard 2: Found array with 0 sample"),
        ([*halves, (X, Y, np.ones(600))], r"shard 2: patches have no weights: give \(X, y\)"),
        ([*halves, (X, np.c_[Y, Y])], "shard 2: y should be a 1d array"),
        ([*halves, (X, Y.astype(str))], "shard 2: its labels are text, those of shard 0 numbers"),
        (halves * 6, "n_estimators=10 for 12 shards"),
    ):
        with pytest.raises(ValueError, match=text):
            model.fit_shards(shards)
    with pytest.raises(ValueError, match="shard 1: max_samples=310: there are 300 rows"):
        clone(model).set_params(max_samples=310).fit_shards([(X, Y), halves[0]])
    assert not hasattr(model, "estimators_")
    with pytest.raises(ValueError, match="shard 1: y has 2 columns, but that of shard 0 has 1"):
        RandomPatchesRegressor(executor=two_workers).fit_shards([halves[0], (X, np.c_[Y, Y])])
    frame = pytest.importorskip("pandas").DataFrame(X[:, :2], columns=["a", "b"])
    with pytest.raises(ValueError, match="shard 1: its columns are not those of shard 0, or in another order"):
        model.fit_shards([(frame, Y), (frame[["b", "a"]], Y)])
    model.fit_shards([(frame, Y), (X[:, :2], Y)])


def test_decisions_about_other_classes_are_not_averaged(inline: wrenml.Executor) -> None:
    data, target = X[Y < 3], Y[Y < 3]
    ours = pair("Classifier", inline, estimator=LinearSVC(random_state=0))[0].fit(data, target)
    each = zip(ours.estimators_, ours.estimators_features_, strict=True)
    mean = np.mean([model.decision_function(REST[:, features]) for model, features in each], axis=0)
    np.testing.assert_allclose(ours.decision_function(REST), mean)
    shards = [(data[target != number], target[target != number]) for number in range(3)]
    with pytest.raises(ValueError, match="estimator 0 has seen 2 of 3 classes"):
        ours.fit_shards(shards).decision_function(REST)
    assert set(ours.predict(REST)) == {0, 1, 2}
    assert not hasattr(RandomPatchesClassifier(), "decision_function")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_scikit_learns_checks(kind: str, inline: wrenml.Executor) -> None:
    # Patches of everything: a check spoils one value, and looks whether that is noticed.
    model, _ = pair(kind, inline, n_estimators=3, max_samples=1.0, max_features=1.0)
    assert len(check_estimator(model, on_skip=None)) > 40
