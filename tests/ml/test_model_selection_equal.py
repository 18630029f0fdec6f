"""What scikit-learn finds, wrenml finds: in this process and on local workers, but for the times."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
import sklearn.model_selection
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.stats import loguniform
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, RepeatedKFold, ShuffleSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import wrenml
import wrenml.ml.model_selection as ours

theirs = sklearn.model_selection

X, Y = load_iris(return_X_y=True)
XD, YD = (part[:120] for part in load_diabetes(return_X_y=True))
GROUPS = np.arange(len(Y)) % 6
FRAME = pd.DataFrame({"width": X[:, 0], "length": X[:, 2], "kind": [f"k{int(v)}" for v in X[:, 3]]})
TEXTS = [f"word{i % 7} word{i % 3} {'good' if label else 'bad'}{i % 5}" for i, label in enumerate(Y[:90] > 0)]


def assert_same(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    assert list(theirs) == list(ours)
    for name, expected in theirs.items():
        found = ours[name]
        assert type(found) is type(expected), name
        if name == "params":
            assert list(map(str, found)) == list(map(str, expected))
            continue
        assert found.dtype == expected.dtype, name
        assert found.shape == expected.shape, name
        if name.startswith("param_"):
            np.testing.assert_array_equal(found.mask, expected.mask)
            assert list(map(str, found)) == list(map(str, expected))
        elif not name.endswith("_time"):
            np.testing.assert_array_equal(found, expected, name)


SEARCHES: dict[str, tuple[Any, Any, Any, Any, dict[str, Any]]] = {
    "linear": (LogisticRegression(max_iter=500), {"C": [0.1, 1.0]}, X, Y, {}),
    "svm": (SVC(), [{"C": [1, 10]}, {"kernel": ["linear"], "C": [1]}], X, Y, {"return_train_score": True}),
    "forest": (RandomForestClassifier(5, random_state=0), {"max_depth": [1, None]}, X, Y, {}),
    "forest, generator": (
        RandomForestClassifier(5, random_state=np.random.RandomState(3)), {"max_depth": [1, 2]}, X, Y, {},
    ),
    "boosting": (HistGradientBoostingClassifier(max_iter=5), {"max_depth": [2, 3]}, X, Y, {}),
    "pipeline": (
        make_pipeline(StandardScaler(), PCA(), SVC()),
        {"pca__n_components": [1, 2], "svc__C": [1, 10]}, X, Y, {"return_train_score": True},
    ),
    "pipeline, own scorer": (
        make_pipeline(StandardScaler(), PCA(), Ridge()),
        {"pca__n_components": [1, 3], "ridge__alpha": [1, 10]}, XD, YD,
        {"scoring": lambda estimator, X, y: estimator.named_steps["pca"].mean_[0] + estimator.score(X, y)},
    ),
    "pipeline, steps replaced": (
        make_pipeline(StandardScaler(), PCA(random_state=0), LogisticRegression()),
        {"standardscaler": ["passthrough", StandardScaler()], "logisticregression__C": [0.1, 1]}, X, Y, {},
    ),
    "columns": (
        make_pipeline(
            make_column_transformer((StandardScaler(), ["width", "length"]), (OneHotEncoder(), ["kind"])),
            LogisticRegression(),
        ),
        {"logisticregression__C": [0.1, 1]}, FRAME, pd.Series(Y), {},
    ),
    "sparse": (SGDClassifier(random_state=0, max_iter=5, tol=None), {"alpha": [1e-3, 1e-2]}, csr_matrix(X), Y, {}),
    "texts": (
        make_pipeline(TfidfVectorizer(), SGDClassifier(random_state=0)),
        {"tfidfvectorizer__ngram_range": [(1, 1), (1, 2)], "sgdclassifier__alpha": [1e-4, 1e-2]},
        TEXTS, Y[:90] > 0, {},
    ),
    "several metrics": (
        SVC(), {"C": [1, 10]}, X, Y,
        {"scoring": ["accuracy", "f1_macro"], "refit": "f1_macro", "return_train_score": True},
    ),
    "scorers": (
        Ridge(), {"alpha": [1, 2]}, XD, YD,
        {"scoring": {"r2": "r2", "mae": make_scorer(mean_absolute_error, greater_is_better=False)}, "refit": False},
    ),
    "refit callable": (SVC(), {"C": [1, 10]}, X, Y, {"refit": lambda found: int(found["mean_test_score"].argmin())}),
    "shuffled": (SVC(), {"C": [1, 10]}, X, Y, {"cv": ShuffleSplit(3, random_state=1)}),
    "repeated": (Ridge(), {"alpha": [1, 10]}, XD, YD, {"cv": RepeatedKFold(n_splits=2, n_repeats=2, random_state=0)}),
    "precomputed": (SVC(kernel="precomputed"), {"C": [1, 10]}, X @ X.T, Y, {}),
    "masks and lists": (
        SVC(), {"C": [1, 10]}, X.tolist(), Y.tolist(), {"cv": [(np.arange(150) % 2 == 0, np.arange(150) % 2 == 1)]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("where", ["inline", "two_workers"])
@pytest.mark.parametrize("name", SEARCHES)
def test_a_grid(name: str, where: str, request: pytest.FixtureRequest) -> None:
    estimator, grid, X, y, options = SEARCHES[name]
    options = {"cv": 3} | options
    expected = theirs.GridSearchCV(estimator, grid, **options).fit(X, y)
    found = ours.GridSearchCV(estimator, grid, executor=request.getfixturevalue(where), **options).fit(X, y)
    assert_same(expected.cv_results_, found.cv_results_)
    assert found.n_splits_ == expected.n_splits_
    assert found.multimetric_ is expected.multimetric_
    assert hasattr(found, "best_score_") == hasattr(expected, "best_score_")
    if options.get("refit", True):
        assert found.best_index_ == expected.best_index_
        assert type(found.best_index_) is type(expected.best_index_)
        assert str(found.best_params_) == str(expected.best_params_)
        np.testing.assert_array_equal(found.predict(X), expected.predict(X))
        assert getattr(found, "best_score_", 0) == getattr(expected, "best_score_", 0)


def test_random_candidates(two_workers: wrenml.Executor) -> None:
    options: dict[str, Any] = {"n_iter": 4, "random_state": 7, "cv": StratifiedKFold(3)}
    space = {"C": loguniform(1e-2, 1e2), "kernel": ["linear", "rbf"]}
    expected = theirs.RandomizedSearchCV(SVC(), space, **options).fit(X, Y)
    found = ours.RandomizedSearchCV(SVC(), space, executor=two_workers, **options).fit(X, Y)
    assert_same(expected.cv_results_, found.cv_results_)
    assert found.best_params_ == expected.best_params_


def test_many_cells_of_different_length_are_packed_and_stay_in_order(two_workers: wrenml.Executor) -> None:
    grid = {"max_depth": list(range(1, 21)), "criterion": ["gini", "entropy"]}
    expected = theirs.GridSearchCV(DecisionTreeClassifier(random_state=0), grid, cv=4).fit(X, Y)
    found = ours.GridSearchCV(DecisionTreeClassifier(random_state=0), grid, cv=4, executor=two_workers).fit(X, Y)
    assert_same(expected.cv_results_, found.cv_results_)


def test_groups_and_weights(two_workers: wrenml.Executor) -> None:
    weights = np.linspace(0.1, 2, len(Y))
    expected = theirs.GridSearchCV(SVC(), {"C": [0.01, 1]}, cv=GroupKFold(3))
    found = ours.GridSearchCV(SVC(), {"C": [0.01, 1]}, cv=GroupKFold(3), executor=two_workers)
    for search in (expected, found):
        search.fit(X, Y, groups=GROUPS, sample_weight=weights)
    assert_same(expected.cv_results_, found.cv_results_)


def test_routed_metadata(two_workers: wrenml.Executor) -> None:
    weights = np.linspace(0.1, 2, len(Y))
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = SVC().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        expected = theirs.GridSearchCV(estimator, {"C": [0.01, 1]}, cv=LeaveOneGroupOut())
        found = ours.GridSearchCV(estimator, {"C": [0.01, 1]}, cv=LeaveOneGroupOut(), executor=two_workers)
        for search in (expected, found):
            search.fit(X, Y, groups=GROUPS, sample_weight=weights)
        params = {"sample_weight": weights, "groups": GROUPS}
        both = [
            module.cross_validate(estimator, X, Y, cv=GroupKFold(3), params=params) for module in (theirs, ours)
        ]  # fmt: skip
    assert_same(expected.cv_results_, found.cv_results_)
    np.testing.assert_array_equal(both[0]["test_score"], both[1]["test_score"])


def fails_for_large(estimator: Any, X: Any, y: Any) -> float:
    if estimator.C > 5:
        raise ValueError("too large")
    return float(estimator.score(X, y))


@pytest.mark.parametrize("where", ["inline", "two_workers"])
@pytest.mark.parametrize("broken", ["fit", "score"])
def test_failures_are_rows_and_warnings(broken: str, where: str, request: pytest.FixtureRequest) -> None:
    grid = {"C": [1, -1]} if broken == "fit" else {"C": [1, 10]}
    options: dict[str, Any] = {"cv": 2, "error_score": -3.0, "return_train_score": True}
    if broken == "score":
        options["scoring"] = fails_for_large
    with warnings.catch_warnings(record=True) as expected_warnings:
        warnings.simplefilter("always")
        expected = theirs.GridSearchCV(SVC(), grid, **options).fit(X, Y)
    with warnings.catch_warnings(record=True) as found_warnings:
        warnings.simplefilter("always")
        found = ours.GridSearchCV(SVC(), grid, executor=request.getfixturevalue(where), **options).fit(X, Y)
    assert_same(expected.cv_results_, found.cv_results_)
    assert [w.category for w in found_warnings] == [w.category for w in expected_warnings]
    for one, other in zip(expected_warnings, found_warnings, strict=True):
        # The same but for the frames of the traceback.
        assert str(one.message).splitlines()[:2] == str(other.message).splitlines()[:2]
        assert str(one.message).splitlines()[-1] == str(other.message).splitlines()[-1]


FUNCTIONS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "cross_validate": lambda m, more: m.cross_validate(
        SVC(), X, Y, cv=3, scoring=["accuracy", "f1_macro"], return_train_score=True, return_indices=True, **more
    ),
    "cross_val_score": lambda m, more: m.cross_val_score(Ridge(), XD, YD, cv=4, scoring="r2", **more),
    "predict": lambda m, more: m.cross_val_predict(SVC(), X, Y, cv=3, **more),
    "predict_proba": lambda m, more: m.cross_val_predict(
        LogisticRegression(), X, np.array(list("abc"))[Y], cv=3, method="predict_proba", **more
    ),
    "decision_function": lambda m, more: m.cross_val_predict(
        LogisticRegression(), csr_matrix(X), Y, cv=3, method="decision_function", **more
    ),
    "several outputs": lambda m, more: m.cross_val_predict(
        DecisionTreeClassifier(random_state=0), X, np.column_stack([Y, Y > 0]), cv=3, method="predict_proba", **more
    ),
    "learning_curve": lambda m, more: m.learning_curve(
        SVC(), X, Y, cv=3, shuffle=True, random_state=2, train_sizes=[0.3, 0.7], **more
    ),
    "learning_curve, growing": lambda m, more: m.learning_curve(
        SGDClassifier(random_state=0), X, Y, cv=3, shuffle=True, random_state=2,
        exploit_incremental_learning=True, **more
    ),
    "validation_curve": lambda m, more: m.validation_curve(
        SVC(), X, Y, param_name="C", param_range=[0.1, 1, 10], cv=3, **more
    ),
    "permutation_test_score": lambda m, more: m.permutation_test_score(
        DecisionTreeClassifier(random_state=0), X, Y, cv=3, n_permutations=6, random_state=1, **more
    ),
    "permutation_test_score, groups": lambda m, more: m.permutation_test_score(
        SVC(), X, Y, cv=GroupKFold(2), groups=GROUPS, n_permutations=4, random_state=1, **more
    ),
    "permutation_test_score, lists": lambda m, more: m.permutation_test_score(
        SVC(), X, Y, cv=[(list(range(0, 150, 2)), list(range(1, 150, 2)))], n_permutations=2, random_state=1,
        params={"sample_weight": np.linspace(0.1, 2, 150).tolist()}, **more
    ),
}  # fmt: skip


def assert_equal(expected: Any, found: Any) -> None:
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for name in expected:
            if not name.endswith("_time"):
                assert_equal(expected[name], found[name])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(expected, found, strict=True):
            assert_equal(one, other)
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("where", ["inline", "two_workers"])
def test_a_function(name: str, where: str, request: pytest.FixtureRequest) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = FUNCTIONS[name](theirs, {})
        found = FUNCTIONS[name](ours, {"executor": request.getfixturevalue(where)})
    assert_equal(expected, found)


WRONG: list[Callable[[Any, dict[str, Any]], Any]] = [
    lambda m, more: m.cross_validate(SVC(), X, Y, verbose="loud", **more),
    lambda m, more: m.cross_val_predict(SVC(), X, Y, method="guess", **more),
    lambda m, more: m.GridSearchCV(SVC(), {"C": []}, **more).fit(X, Y),
    lambda m, more: m.GridSearchCV(SVC(), {"D": [1]}, **more).fit(X, Y),
    lambda m, more: m.GridSearchCV(SVC(), {"C": [1]}, refit="a", scoring=["accuracy"], **more).fit(X, Y),
    lambda m, more: m.GridSearchCV(SVC(), {"C": [1]}, error_score="no", **more).fit(X, Y),
    lambda m, more: m.GridSearchCV(SVC(), {"C": [-1]}, **more).fit(X, Y),
    lambda m, more: m.GridSearchCV(SVC(), {"C": [-1]}, error_score="raise", **more).fit(X, Y),
    lambda m, more: m.learning_curve(SVC(), X, Y, train_sizes=[0.0, 2.0], **more),
]


@pytest.mark.parametrize("call", WRONG, ids=map(str, range(len(WRONG))))
def test_arguments_are_refused_in_scikit_learns_words(
    call: Callable[[Any, dict[str, Any]], Any], inline: wrenml.Executor
) -> None:
    with pytest.raises((ValueError, TypeError)) as expected:
        call(theirs, {})
    with pytest.raises(expected.type) as found:
        call(ours, {"executor": inline})
    assert type(found.value) is expected.type
    assert str(found.value).splitlines()[:6] == str(expected.value).splitlines()[:6]


STEPS = st.fixed_dictionaries(
    {},
    optional={
        "standardscaler__with_mean": st.lists(st.booleans(), min_size=1, max_size=2),
        "standardscaler": st.just(["passthrough"]),
        "pca__n_components": st.lists(st.sampled_from([1, 2, 0.9]), min_size=1, max_size=2),
        "pca__svd_solver": st.just(["randomized", "full"]),
        "pca__whiten": st.lists(st.booleans(), min_size=1, max_size=2, unique=True),
        "decisiontreeclassifier__max_depth": st.lists(st.integers(1, 4), min_size=1, max_size=3),
    },
)


@settings(max_examples=10)
@given(grid=STEPS, seed=st.sampled_from([0, 5]))
def test_any_grid_of_a_pipeline(grid: dict[str, Any], seed: int, inline: wrenml.Executor) -> None:
    tree = DecisionTreeClassifier(random_state=0)
    estimator = make_pipeline(StandardScaler(), PCA(random_state=seed), tree)
    options: dict[str, Any] = {"cv": 2, "refit": False, "return_train_score": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = theirs.GridSearchCV(estimator, grid, **options).fit(X[::5], Y[::5])
        except (ValueError, AttributeError) as error:
            with pytest.raises(type(error)):
                ours.GridSearchCV(estimator, grid, executor=inline, **options).fit(X[::5], Y[::5])
            return
        found = ours.GridSearchCV(estimator, grid, executor=inline, **options).fit(X[::5], Y[::5])
    assert_same(expected.cv_results_, found.cv_results_)
