"""Ensembles of scikit-learn that need nothing of ours but the joblib backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.ensemble as theirs
from joblib import parallel_config
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import wrenml
import wrenml.ml.ensemble as ours
from wrenml.events import CallsSettled, Event

X, Y = load_digits(return_X_y=True)
X, Y, REST = X[:400], Y[:400], X[400:600]
BITS = (Y[:, None] >> np.arange(4)) & 1

NAMED = [
    ("bayes", GaussianNB()),
    ("tree", DecisionTreeClassifier(random_state=0)),
    ("few", DecisionTreeClassifier(max_depth=3, random_state=0)),
]
NUMBERS = [("ridge", Ridge()), ("tree", DecisionTreeRegressor(random_state=0))]

pytestmark = pytest.mark.slow

ESTIMATORS: dict[str, tuple[Any, Any]] = {
    "voting": (theirs.VotingClassifier(NAMED), Y),
    "soft voting": (theirs.VotingClassifier(NAMED, voting="soft", weights=[1, 2, 3]), Y),
    "voting on numbers": (theirs.VotingRegressor(NUMBERS), Y),
    "stacking": (theirs.StackingClassifier(NAMED, LogisticRegression(max_iter=2000), cv=3), Y),
    "stacking on numbers": (theirs.StackingRegressor(NUMBERS, LinearRegression(), passthrough=True), Y),
    "one against the rest": (OneVsRestClassifier(SGDClassifier(random_state=0)), Y),
    "one against one": (OneVsOneClassifier(LinearSVC(random_state=0, max_iter=20_000)), Y % 4),
    "several labels": (MultiOutputClassifier(DecisionTreeClassifier(random_state=0)), BITS),
    "several numbers": (MultiOutputRegressor(Ridge()), BITS),
    "chain": (ClassifierChain(GaussianNB(), cv=3), BITS),
    "calibrated": (CalibratedClassifierCV(GaussianNB(), cv=3), Y),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_it_predicts_what_it_predicts_without_workers(name: str, two_workers: wrenml.Executor) -> None:
    estimator, target = ESTIMATORS[name]
    ran = 0

    def count(event: Event) -> None:
        nonlocal ran
        if isinstance(event, CallsSettled):
            ran += event.succeeded

    two_workers.observe(count)
    expected = clone(estimator).fit(X, target)
    with parallel_config("wrenml", executor=two_workers):
        found = clone(estimator).fit(X, target)
    assert ran > 0
    for method in ("predict", "predict_proba", "decision_function", "transform"):
        if hasattr(expected, method):
            np.testing.assert_array_equal(getattr(found, method)(REST), getattr(expected, method)(REST))


def test_forests_of_ours_in_ensembles_of_theirs(two_workers: wrenml.Executor) -> None:
    members = [
        ("forest", ours.RandomForestClassifier(5, random_state=0, executor=two_workers)),
        ("patches", ours.RandomPatchesClassifier(n_estimators=5, random_state=0, executor=two_workers)),
    ]
    plain = [
        ("forest", theirs.RandomForestClassifier(5, random_state=0)),
        (
            "patches",
            theirs.BaggingClassifier(
                n_estimators=5, max_samples=0.5, max_features=0.5, bootstrap=False, random_state=0
            ),
        ),
    ]
    found = theirs.VotingClassifier(members, voting="soft").fit(X, Y)
    expected = theirs.VotingClassifier(plain, voting="soft").fit(X, Y)
    np.testing.assert_array_equal(found.predict_proba(REST), expected.predict_proba(REST))
    # In a worker they are fitted there.
    with parallel_config("wrenml", executor=two_workers):
        again = theirs.VotingClassifier(members, voting="soft").fit(X, Y)
    np.testing.assert_array_equal(again.predict_proba(REST), expected.predict_proba(REST))
