"""A search on Lambda, mocked: the same numbers, few invocations, data stored once."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.model_selection
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import wrenml.ml.model_selection as ours
from tests.support.mocked import stored
from wrenml import default_executor
from wrenml.testing.mocked import MockedAWS

pytest_plugins = ["wrenml.testing.plugin"]
pytestmark = pytest.mark.slow

X, Y = load_iris(return_X_y=True)


@pytest.fixture
def aws(wrenml_aws_module: MockedAWS) -> MockedAWS:
    wrenml_aws_module.reset_requests()
    return wrenml_aws_module


def test_a_grid_of_short_fits_is_a_few_invocations(aws: MockedAWS) -> None:
    tree, grid = (
        DecisionTreeClassifier(random_state=0),
        {"max_depth": [1, 2, 3, 4, 5], "criterion": ["gini", "entropy"]},
    )
    expected = sklearn.model_selection.GridSearchCV(tree, grid, cv=5).fit(X, Y)
    found = ours.GridSearchCV(tree, grid, cv=5, executor=default_executor()).fit(X, Y)
    for name in ("split0_test_score", "mean_test_score", "std_test_score", "rank_test_score"):
        np.testing.assert_array_equal(found.cv_results_[name], expected.cv_results_[name])
    assert aws.requests["lambda.Invoke"] <= 4 + 2
    assert found.dollars > 0
    assert found.to_frame()["dollars"].sum() == pytest.approx(found.dollars)


def test_a_second_fit_stores_next_to_nothing(aws: MockedAWS) -> None:
    data = np.random.default_rng(0).random((5000, 50))  # 2 MB
    target = (data[:, 0] > 0.5).astype(int)
    model = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
    search = ours.GridSearchCV(model, {"decisiontreeclassifier__max_depth": [1, 2, 3]}, cv=2, refit=False)
    search.set_params(executor=default_executor())
    empty = stored(aws, "blobs/")
    first = search.fit(data, target).cv_results_["mean_test_score"]
    once = stored(aws, "blobs/")
    second = search.fit(data.copy(), target.copy()).cv_results_["mean_test_score"]
    assert data.nbytes <= once - empty < 1.2 * data.nbytes
    assert stored(aws, "blobs/") - once < 100_000
    np.testing.assert_array_equal(first, second)


def test_cross_validation_and_its_cache(aws: MockedAWS) -> None:
    tree = DecisionTreeClassifier(random_state=0)
    found = ours.cross_val_predict(tree, X, Y, cv=3, executor=default_executor())
    np.testing.assert_array_equal(found, sklearn.model_selection.cross_val_predict(tree, X, Y, cv=3))
    before = aws.requests["lambda.Invoke"]
    grid = {"max_depth": [1]}
    search = ours.GridSearchCV(tree, grid, cv=2, executor=default_executor(), cache="mocked").fit(X, Y)
    assert not any(each.reused for each in search.evaluated)
    assert all(each.reused for each in search.fit(X, Y).evaluated)
    assert aws.requests["lambda.Invoke"] == before + 2
