"""Rounds over shards on the mocked Lambda: what travels, workers that die, fits that go on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import wrenml
from tests.support.mocked import stored
from wrenml.ml.linear_model import LogisticRegression, ParallelSGDClassifier
from wrenml.ml.linear_model.shards import Shard, Stored, cut
from wrenml.testing.mocked import MockedAWS

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
WIDE = RNG.normal(size=(600, 3000))  # 14 MB, and a model of 24 KB
Y = (WIDE[:, 0] + RNG.normal(size=len(WIDE)) > 0).astype(int)
SHARDS = 3
ROUNDS = 4
MODEL = 8 * (WIDE.shape[1] + 1)

LOGISTIC = LogisticRegression(n_shards=SHARDS, callback=lambda state: state.round.round == ROUNDS - 1)
SGD = ParallelSGDClassifier(n_shards=SHARDS, n_epochs=ROUNDS, tol=None, shuffle=False, random_state=0)
models = pytest.mark.parametrize("model", [LOGISTIC, SGD], ids=["logistic", "sgd"])


def same(found: Any, expected: Any) -> None:
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    np.testing.assert_array_equal(found.intercept_, expected.intercept_)


@models
def test_a_model_goes_up_and_one_comes_down_for_each_shard(
    model: Any, aws: MockedAWS, executor: wrenml.Executor, inline: wrenml.Executor
) -> None:
    clone(model).set_params(executor=executor).fit(WIDE + 1, Y)  # the workers are warm, and models are new
    Stored.of(cut(Shard(WIDE, Y), SHARDS, None), executor)
    before = stored(aws)
    aws.reset_requests()
    found = clone(model).set_params(executor=executor).fit(WIDE, Y)
    requests, workers = aws.requests, aws.requests_of("worker")
    same(found, clone(model).set_params(executor=inline).fit(WIDE, Y))
    assert requests["lambda.Invoke"] == ROUNDS * SHARDS
    assert workers["s3.PutObject"] == ROUNDS * SHARDS
    # The model, and once in each environment what shards and the job are made of; these are kept there.
    assert workers["s3.GetObject"] <= ROUNDS * SHARDS + 2 * 3 * SHARDS
    # A model up in each round but the first, whose is known, stored once for all shards; one down from each.
    sent = (ROUNDS - 1 + ROUNDS * SHARDS) * MODEL
    assert sent <= stored(aws) - before < 1.1 * sent


@models
def test_a_worker_lost_in_mid_epoch_costs_one_retry(
    model: Any, aws: MockedAWS, executor: wrenml.Executor, inline: wrenml.Executor
) -> None:
    aws.reset_requests()
    aws.fail_next(1, by="crash")
    found = clone(model).set_params(executor=executor).fit(WIDE[:, :50], Y)
    assert aws.requests["lambda.Invoke"] == ROUNDS * SHARDS + 1
    same(found, clone(model).set_params(executor=inline).fit(WIDE[:, :50], Y))


def test_a_fit_goes_on_from_its_checkpoint(executor: wrenml.Executor, inline: wrenml.Executor) -> None:
    rows = WIDE[:, :20]
    model = ParallelSGDClassifier(n_epochs=2, tol=None, random_state=0, checkpoint="epochs", executor=executor)
    model.fit(rows, Y)
    model.set_params(n_epochs=3).fit(rows, Y)
    assert [each.kept for each in model.history_] == [True, True, False]
    same(model, clone(model).set_params(executor=inline, checkpoint=None).fit(rows, Y))
