"""Ensembles on the mocked Lambda: the same trees, data that travels once, few invocations, workers that die."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.ensemble as theirs
from sklearn.tree import DecisionTreeRegressor

import wrenml
import wrenml.ml.ensemble as ours
from tests.support.mocked import stored
from wrenml.testing.mocked import MockedAWS

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6000, 40)).astype(np.float32)  # 1 MB, as trees want it
Y = (X[:, 0] + RNG.normal(size=len(X)) > 0).astype(int)


@pytest.mark.parametrize("name", ["RandomForestClassifier", "ExtraTreesRegressor", "BaggingClassifier"])
def test_the_numbers_are_the_same_everywhere(
    name: str, executor: wrenml.Executor, two_workers: wrenml.Executor
) -> None:
    params: dict[str, Any] = {"n_estimators": 6, "random_state": 0}
    expected = getattr(theirs, name)(**params).fit(X[:500], Y[:500]).predict(X)
    for each in (executor, two_workers):
        found = getattr(ours, name)(**params, executor=each).fit(X[:500], Y[:500])
        np.testing.assert_array_equal(found.predict(X), expected)


def test_data_travels_once_and_trees_in_packs(aws: MockedAWS, executor: wrenml.Executor) -> None:
    forest = ours.RandomForestClassifier(60, max_depth=3, random_state=0, executor=executor)
    empty = stored(aws)
    first = forest.fit(X, Y).predict_proba(X)
    once = stored(aws)
    assert X.nbytes <= once - empty < 1.5 * X.nbytes
    aws.reset_requests()
    np.testing.assert_array_equal(forest.fit(X.copy(), Y.copy()).predict_proba(X), first)
    assert stored(aws) - once < 0.5 * X.nbytes  # trees
    # Some go ahead to be measured, the others share invocations.
    assert aws.requests["lambda.Invoke"] < 30


def test_a_worker_that_dies_costs_one_retry(aws: MockedAWS, executor: wrenml.Executor) -> None:
    shards = [(X[start::3], Y[start::3]) for start in range(3)]
    forest = ours.RandomForestClassifier(6, max_depth=3, random_state=0, executor=executor)
    expected = forest.fit_shards(shards).predict_proba(X)
    aws.reset_requests()
    aws.fail_next(1, by="crash")
    np.testing.assert_array_equal(forest.fit_shards(shards).predict_proba(X), expected)
    assert aws.requests["lambda.Invoke"] == len(shards) + 1


def test_patches_travel_where_they_are_fewer_bytes(aws: MockedAWS, executor: wrenml.Executor) -> None:
    data = np.random.default_rng(1).normal(size=(4000, 100))  # 3.2 MB
    target = data[:, 0]
    tree = DecisionTreeRegressor(max_depth=2)
    model = ours.RandomPatchesRegressor(tree, 10, max_samples=0.1, random_state=0, executor=executor)
    before = stored(aws)
    few = model.set_params(max_features=0.5).fit(data, target).predict(data)
    assert 0.4 * data.nbytes < stored(aws) - before < 0.8 * data.nbytes
    here = theirs.BaggingRegressor(tree, 10, max_samples=0.1, max_features=0.5, bootstrap=False, random_state=0).fit(
        data, target
    )
    np.testing.assert_array_equal(few, here.predict(data))
    before = stored(aws)
    model.set_params(max_samples=0.5, n_estimators=8).fit(data, target)
    assert data.nbytes < stored(aws) - before < 1.3 * data.nbytes
    before = stored(aws)
    model.set_params(random_state=1).fit(data, target)
    assert stored(aws) - before < 0.2 * data.nbytes
