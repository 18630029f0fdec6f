"""Data sets in a bucket: workers on Lambda, emulated, read and write them as far as they were granted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier

import wrenml
from tests.ml.dataset_contract import X, Y, same
from tests.support.cfn import Stack
from tests.support.emulated import aws, emulator
from tests.support.policies import asked, is_allowed
from wrenml.deploy.choices import local_choices
from wrenml.deploy.template import parameters, render
from wrenml.errors import AccessDeniedError, DataError, KeyNotFoundError
from wrenml.ml.datasets import ShardedDataset
from wrenml.ml.linear_model import ParallelPartialFit
from wrenml.storage import S3Storage
from wrenml.testing.emulator import Emulator

__all__ = ["aws", "emulator"]

pytestmark = pytest.mark.slow

GRANTS = {"read": ("s3://lake/rows", "s3://lake/doubled"), "write": ("s3://lake/doubled",)}


@pytest.fixture(scope="module")
def executor(emulator: Emulator) -> Iterator[wrenml.Executor]:
    emulator.install(isolated=False, concurrency=2)
    emulator.s3.create("lake")
    with wrenml.aws_executor(progress=False) as executor:
        yield executor
        executor.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def data(executor: wrenml.Executor) -> ShardedDataset:
    assert executor.session.backend == "aws"
    return ShardedDataset.from_arrays(X, Y, url="s3://lake/rows", rows_per_shard=10)


def test_workers_ask_for_no_more_than_they_are_granted(
    aws: Emulator, data: ShardedDataset, executor: wrenml.Executor
) -> None:
    doubled = data.transform(lambda X, _: X * 2, "s3://lake/doubled", executor=executor)
    doubled.verify(executor=executor)
    calls = [call for call in aws.requests.of(service="s3", caller="worker") if "lake" in call.resource]
    assert {call.operation for call in calls} == {"GetObject", "PutObject"}
    choices = local_choices().changed(GRANTS)
    stack = Stack(render(choices), region="us-east-1", **parameters(choices))
    assert [call.resource for call in calls if not is_allowed(asked(call), stack.worker(), stack.buckets())] == []
    same(ShardedDataset.open("s3://lake/doubled").to_arrays(), X * 2, Y)


def test_a_shard_is_one_request(aws: Emulator, data: ShardedDataset, executor: wrenml.Executor) -> None:
    assert data.map(lambda X, _: X.shape[0], executor=executor).results() == [10] * 5
    assert aws.requests.counts(lambda call: call.operation)["Invoke"] <= 3  # small shards share invocations
    assert len([call for call in aws.requests.of("GetObject") if "lake/rows/" in call.resource]) == 5
    aws.requests.clear()
    same(data.to_arrays(), X, Y)
    assert aws.requests.counts() == {"client s3:GetObject": 5}


def test_a_model_learned_there(data: ShardedDataset, executor: wrenml.Executor, inline: wrenml.Executor) -> None:
    train, _ = data.split(0.4, random_state=0)
    model = ParallelPartialFit(SGDClassifier(), n_epochs=2, random_state=0)
    here = model.set_params(executor=inline).fit(train).estimator_.coef_
    np.testing.assert_array_equal(model.set_params(executor=executor).fit(train).estimator_.coef_, here)


def test_a_shard_that_is_lost_is_named(executor: wrenml.Executor) -> None:
    data = ShardedDataset.from_arrays(X, url=f"{executor.storage.url}/lost", rows_per_shard=10)
    S3Storage(data.url).delete([data.shards[3].record.files[0].name])
    with pytest.raises(KeyNotFoundError, match=r"shard 3 is missing: s3://.*/lost/00003-"):
        data.to_arrays()
    # Workers may not list, so S3 does not tell them what there is.
    with pytest.raises(AccessDeniedError, match=r"shard 3 cannot be read: .*wrenml deploy --read s3://.*/lost"):
        data.map(lambda X, _: len(X), executor=executor).results()
    with pytest.raises(DataError, match="1 of 5 shards are damaged:\nshard 3 cannot be read"):
        data.verify(executor=executor)
