"""Learning on shards on the mocked Lambda: the same numbers, data that travels once, workers that die."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.feature_extraction.text
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier

import wrenml
from tests.support.mocked import stored
from wrenml.ml.linear_model import ParallelPartialFit, ParallelPerceptron
from wrenml.ml.text import TfidfVectorizer
from wrenml.testing.mocked import MockedAWS

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6000, 40))  # 1.9 MB
Y = (X[:, 0] + RNG.normal(size=len(X)) > 0).astype(int)
SHARDS = 3


def learned(executor: wrenml.Executor, **more: Any) -> ParallelPerceptron:
    return ParallelPerceptron(n_shards=SHARDS, random_state=0, executor=executor, **more).fit(X, Y)


def test_only_the_model_travels_after_the_data(aws: MockedAWS, executor: wrenml.Executor) -> None:
    empty = stored(aws)
    first = learned(executor, n_epochs=1)
    once = stored(aws)
    assert X.nbytes <= once - empty < 1.2 * X.nbytes
    aws.reset_requests()
    learned(executor, n_epochs=4)
    assert first.coef_.shape == (1, 40)
    assert stored(aws) - once < 4 * SHARDS * 10_000
    assert aws.requests["lambda.Invoke"] <= 4 * SHARDS


def test_the_numbers_are_the_same(executor: wrenml.Executor, inline: wrenml.Executor) -> None:
    for mixing in ("uniform", "errors"):
        here, there = (learned(each, n_epochs=3, mixing=mixing) for each in (inline, executor))
        np.testing.assert_array_equal(there.coef_, here.coef_)
        np.testing.assert_array_equal(there.n_mistakes_, here.n_mistakes_)
    model = ParallelPartialFit(SGDClassifier(), n_epochs=2, random_state=0)
    for strategy in ("average", "chain"):
        model.set_params(strategy=strategy)
        models = [clone(model).set_params(executor=each).fit(X, Y) for each in (inline, executor)]
        np.testing.assert_array_equal(models[0].estimator_.coef_, models[1].estimator_.coef_)


def test_a_worker_lost_in_mid_epoch_costs_one_retry(
    aws: MockedAWS, executor: wrenml.Executor, inline: wrenml.Executor
) -> None:
    expected = learned(inline, n_epochs=2)
    aws.reset_requests()
    aws.fail_next(1, by="crash")
    found = learned(executor, n_epochs=2)
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    assert aws.requests["lambda.Invoke"] == 2 * SHARDS + 1


def test_documents_are_vectorized_there_once(aws: MockedAWS, executor: wrenml.Executor) -> None:
    vectorizer = sklearn.feature_extraction.text.HashingVectorizer(n_features=2**8)
    documents = [f"row {number} says {word}" for number, word in enumerate(["spam", "ham", "eggs", "and spam"] * 15)]
    labels = np.array([int("spam" in document) for document in documents])
    model = ParallelPerceptron(n_shards=SHARDS, n_epochs=3, average=False, random_state=0, executor=executor)
    aws.reset_requests()
    found = clone(model).set_params(vectorizer=vectorizer).fit(documents, labels)
    assert aws.requests["lambda.Invoke"] <= SHARDS * (1 + found.n_iter_)
    expected = model.fit(vectorizer.transform(documents), labels)
    np.testing.assert_array_equal(found.coef_, expected.coef_)


def test_text_is_read_there(aws: MockedAWS, executor: wrenml.Executor) -> None:
    documents = [f"row {number} says {word}" for number, word in enumerate(["spam", "ham", "eggs"] * 20)]
    aws.reset_requests()
    found = TfidfVectorizer(n_shards=SHARDS, executor=executor).fit_transform(documents)
    expected = sklearn.feature_extraction.text.TfidfVectorizer().fit_transform(documents)
    np.testing.assert_array_equal(found.toarray(), expected.toarray())
    assert aws.requests["lambda.Invoke"] <= SHARDS
