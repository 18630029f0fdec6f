"""Ensembles are scikit-learn's in every attribute, however many workers there are."""

from __future__ import annotations

import ast
import pickle
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
import sklearn.ensemble
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import check_estimator

import wrenml
import wrenml.ml.ensemble as ours
from wrenml.errors import ConfigError
from wrenml.events import CallsSettled, Event

X, Y = load_digits(return_X_y=True)
X, Y = X[:300], Y[:300]
WEIGHTS = np.random.default_rng(0).integers(1, 4, len(Y)).astype(float)
SEVERAL = np.column_stack([Y, Y % 2, Y > 4])
HOLES = np.where(np.random.default_rng(1).random(X.shape) < 0.1, np.nan, X)

FORESTS = ["RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor"]
BAGS = ["BaggingClassifier", "BaggingRegressor"]


def same(found: Any, expected: Any, where: str = "") -> None:
    """Compare what estimators hold, down to the nodes of trees."""
    if isinstance(expected, np.ndarray) and expected.dtype != object:
        np.testing.assert_array_equal(found, expected, where, strict=True)
    elif isinstance(expected, list | tuple | np.ndarray):
        assert len(found) == len(expected), where
        for number, pair in enumerate(zip(found, expected, strict=True)):
            same(*pair, f"{where}[{number}]")
    elif isinstance(expected, dict):
        assert set(found) - {"executor"} == set(expected), where
        for name, value in expected.items():
            same(found[name], value, f"{where}.{name}")
    elif type(expected).__name__ == "Tree":
        same(found.__getstate__(), expected.__getstate__(), where)
    elif isinstance(expected, BaseEstimator):
        assert type(expected).__name__ == type(found).__name__
        same(vars(found), vars(expected), where)
    elif isinstance(expected, np.random.RandomState):
        same(found.get_state(), expected.get_state(), where)
    else:
        assert found == expected or (found != found and expected != expected), where  # noqa: PLR0124  # NaN


def pair(name: str, executor: wrenml.Executor, **params: Any) -> tuple[Any, Any]:
    """An ensemble of ours and scikit-learn's of the same name."""
    params = {"random_state": 0, **params}
    return getattr(ours, name)(executor=executor, **deepcopy(params)), getattr(sklearn.ensemble, name)(**params)


def fitted(name: str, executor: wrenml.Executor, data: tuple[Any, ...], **params: Any) -> Any:
    """An ensemble that was found to be scikit-learn's."""
    found, expected = pair(name, executor, **params)
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        assert found.fit(*data) is found
    with warnings.catch_warnings(record=True) as expected_to_be_given:
        warnings.simplefilter("always")
        expected.fit(*data)
    assert [str(each.message) for each in given] == [str(each.message) for each in expected_to_be_given]
    same(found, expected)
    same(found.estimators_samples_, expected.estimators_samples_)
    same(found.predict(data[0]), expected.predict(data[0]))
    if hasattr(expected, "feature_importances_"):
        same(found.feature_importances_, expected.feature_importances_)
    if hasattr(expected, "predict_proba"):
        same(found.predict_proba(data[0]), expected.predict_proba(data[0]))
    return found


CASES: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "plain": ((X, Y), {}),
    "weights": ((X, Y, WEIGHTS), {}),
    "sparse": ((sparse.csr_matrix(X), Y), {}),
    "outputs": ((X, SEVERAL), {}),
    "missing": ((HOLES, Y), {}),
    "samples": ((X, Y), {"max_samples": 0.4, "bootstrap": True}),
    "out of bag": ((X, Y), {"oob_score": True, "bootstrap": True}),
    "generator": ((X, Y), {"random_state": np.random.RandomState(7)}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", FORESTS)
def test_forests(name: str, case: str, two_workers: wrenml.Executor) -> None:
    data, params = CASES[case]
    fitted(name, two_workers, data, n_estimators=7, **params)


@pytest.mark.parametrize("case", [case for case in CASES if case != "outputs"])
@pytest.mark.parametrize("name", BAGS)
def test_bagging(name: str, case: str, two_workers: wrenml.Executor) -> None:
    data, params = CASES[case]
    fitted(name, two_workers, data, n_estimators=20, **params)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("RandomForestClassifier", {"class_weight": "balanced"}),
        ("RandomForestClassifier", {"class_weight": "balanced_subsample", "criterion": "entropy"}),
        ("ExtraTreesClassifier", {"class_weight": {label: 1 + label for label in range(10)}, "ccp_alpha": 0.01}),
        ("ExtraTreesRegressor", {"monotonic_cst": [1] * 32 + [-1] * 32}),
        ("RandomForestRegressor", {"criterion": "poisson", "max_features": 5, "max_leaf_nodes": 9}),
        ("BaggingRegressor", {"estimator": Ridge(), "bootstrap": False, "max_samples": 0.5, "max_features": 0.3}),
        ("BaggingClassifier", {"estimator": SVC(random_state=1), "bootstrap_features": True, "max_samples": 60}),
        ("BaggingClassifier", {"estimator": LogisticRegression(max_iter=3)}),
    ],
)
def test_parameters(name: str, params: dict[str, Any], two_workers: wrenml.Executor) -> None:
    fitted(name, two_workers, (X, Y), n_estimators=6, **params)


@pytest.mark.parametrize("name", ["RandomForestClassifier", "ExtraTreesRegressor", "BaggingClassifier"])
def test_growing_on_is_growing_at_once(name: str, two_workers: wrenml.Executor) -> None:
    found, expected = pair(name, two_workers, n_estimators=3, warm_start=True)
    for count in (3, 8):
        found.set_params(n_estimators=count).fit(X, Y)
        same(found, expected.set_params(n_estimators=count).fit(X, Y))
    at_once = getattr(sklearn.ensemble, name)(n_estimators=8, random_state=0).fit(X, Y)
    same(found.estimators_, at_once.estimators_)
    with pytest.raises(ValueError, match="must be larger or equal to"):
        found.set_params(n_estimators=2).fit(X, Y)
    with pytest.warns(UserWarning, match="does not fit new trees"):
        found.set_params(n_estimators=8).fit(X, Y)


def test_any_number_of_workers_and_jobs(two_workers: wrenml.Executor, inline: wrenml.Executor) -> None:
    for name in ("RandomForestClassifier", "BaggingClassifier"):
        expected = fitted(name, inline, (X, Y), n_estimators=5).estimators_
        for jobs in (1, 2, 5):
            model, _ = pair(name, two_workers, n_estimators=5, n_jobs=jobs)
            same(model.fit(X, Y).estimators_, expected)


class Counted:
    """Counts the calls of an executor."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, CallsSettled):
            self.calls += event.succeeded


@pytest.fixture
def counted(two_workers: wrenml.Executor) -> Counted:
    counter = Counted()
    two_workers.observe(counter)
    return counter


@pytest.mark.parametrize("name", ["ExtraTreesRegressor", "BaggingRegressor"])
def test_trees_travel_in_packs(name: str, two_workers: wrenml.Executor, counted: Counted) -> None:
    trees = 400
    model, _ = pair(name, two_workers, n_estimators=trees, max_samples=0.2, bootstrap=True)
    model.fit(X[:60], Y[:60])
    assert len(model.estimators_) == trees
    # Bagging makes its parts itself; both know what a tree takes after the first ones.
    assert 1 < counted.calls < trees / 4


@pytest.mark.parametrize("name", [*FORESTS, *BAGS])
def test_parameters_are_scikit_learns_and_one_more(name: str, inline: wrenml.Executor) -> None:
    found, expected = pair(name, inline)
    params = found.get_params(deep=False)
    assert params.pop("executor") is inline
    assert params == expected.get_params(deep=False)
    assert list(found.get_params(deep=False)) == sorted([*params, "executor"])
    assert clone(found).get_params() == found.get_params()
    assert repr(getattr(ours, name)(n_estimators=3)) == f"{name}(n_estimators=3)"
    with pytest.raises(TypeError, match="unexpected keyword argument 'trees'"):
        getattr(ours, name)(trees=3)


def test_a_fitted_one_pickles(two_workers: wrenml.Executor) -> None:
    for name in ("RandomForestClassifier", "BaggingClassifier"):
        model = fitted(name, two_workers, (X, Y), n_estimators=3)
        same(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


def test_a_wrong_executor_is_said(two_workers: wrenml.Executor) -> None:
    for name in ("RandomForestClassifier", "BaggingClassifier"):
        model, _ = pair(name, two_workers)
        with pytest.raises(ConfigError, match="is no wrenml executor"):
            model.set_params(executor="two").fit(X, Y)


def test_what_scikit_learn_refuses_is_refused(two_workers: wrenml.Executor) -> None:
    for name, params, text in (
        ("RandomForestClassifier", {"n_estimators": 0}, "The 'n_estimators' parameter of RandomForestClassifier"),
        ("ExtraTreesClassifier", {"oob_score": True}, "Out of bag estimation only available if bootstrap=True"),
        ("BaggingRegressor", {"max_features": 65}, "max_features must be <= n_features"),
    ):
        for model in pair(name, two_workers, **params):
            with pytest.raises(ValueError, match=text):
                model.fit(X, Y)


class NeedsGroups(BaseEstimator):  # type: ignore[misc]
    """Fits with metadata only."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> NeedsGroups:  # noqa: ARG002
        self.mean_ = float(np.mean(groups))
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.mean_)


def test_metadata_goes_where_it_is_asked_for(two_workers: wrenml.Executor) -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        inner = NeedsGroups().set_fit_request(groups=True, sample_weight=False)
        for model in pair("BaggingRegressor", two_workers, estimator=inner, n_estimators=3, bootstrap=False):
            assert model.fit(X, Y, groups=np.full(len(Y), 4.0)).estimators_[2].mean_ == 4
        forest, _ = pair("RandomForestRegressor", two_workers, n_estimators=2)
        forest.set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        search = sklearn.model_selection.GridSearchCV(forest, {"max_depth": [1]}, cv=KFold(2))
        assert search.fit(X, Y, sample_weight=WEIGHTS).best_score_ < 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RandomForestClassifier", "BaggingRegressor"])
def test_scikit_learns_checks(name: str, inline: wrenml.Executor) -> None:
    found, expected = pair(name, inline, n_estimators=5, random_state=None)
    # What scikit-learn's own class fails here, ours may fail as well, and nothing else.
    runs = [check_estimator(each, on_fail=None, on_skip=None) for each in (found, expected)]
    outcomes = [{each["check_name"]: each["status"] for each in run} for run in runs]
    assert len(outcomes[0]) > 40
    assert outcomes[0] == outcomes[1]


def test_only_public_names_of_scikit_learn_are_imported() -> None:
    for path in Path(str(wrenml.__file__)).parent.joinpath("ml", "ensemble").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [each.name for each in getattr(node, "names", ()) if isinstance(node, ast.Import | ast.ImportFrom)]
            private = [name for name in names for part in name.split(".") if part.startswith("_")]
            assert not private or node.module == "__future__", path.name  # type: ignore[attr-defined]
