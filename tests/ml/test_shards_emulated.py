"""The Cirrus pipeline on the emulated Lambda: a data set in a bucket, scaled, hashed and learned where it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import wrenml
from tests.support.emulated import aws, emulator
from wrenml.ml.datasets import ShardedDataset
from wrenml.ml.linear_model import LogisticRegression
from wrenml.ml.preprocessing import FeatureHasher, MinMaxScaler
from wrenml.testing.emulator import Emulator

__all__ = ["aws", "emulator"]

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.normal(size=(90, 3)), RNG.integers(0, 9, size=(90, 2))])
Y = (X[:, 0] + X[:, 3] > 4).astype(int)


@pytest.fixture(scope="module")
def executor(emulator: Emulator) -> Iterator[wrenml.Executor]:
    emulator.install(isolated=False, concurrency=2)
    emulator.s3.create("lake")
    with wrenml.aws_executor(progress=False) as executor:
        yield executor
        executor.shutdown(cancel_futures=True)


def test_rows_never_come_here(aws: Emulator, executor: wrenml.Executor, inline: wrenml.Executor) -> None:
    raw = ShardedDataset.from_arrays(X, Y, url="s3://lake/raw", rows_per_shard=30)
    aws.requests.counts()
    scaler = MinMaxScaler(executor=executor).fit(raw)
    hasher = FeatureHasher(16, columns=[3, 4], executor=executor)
    ready = hasher.transform(scaler.transform(raw, url="s3://lake/scaled"), url="s3://lake/ready")
    found = LogisticRegression(executor=executor).fit(ready)
    read = [call for call in aws.requests.of(service="s3", caller="client") if call.operation == "GetObject"]
    assert not [call for call in read if "lake" in call.resource]
    rows = FeatureHasher(16, columns=[3, 4], executor=inline).transform(MinMaxScaler(executor=inline).fit_transform(X))
    expected = LogisticRegression(n_shards=3, executor=inline).fit(rows, Y)
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    np.testing.assert_array_equal(found.intercept_, expected.intercept_)
