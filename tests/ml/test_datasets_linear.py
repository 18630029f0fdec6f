"""Perceptrons and `partial_fit` over a data set in shards: workers read it, and nothing of it travels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.naive_bayes import MultinomialNB

import wrenml
from wrenml.errors import DataError
from wrenml.ml.datasets import ShardedDataset
from wrenml.ml.linear_model import ParallelPartialFit, ParallelPerceptron

X, Y = (part[:800] for part in load_digits(return_X_y=True))
ROWS = 200


def shards() -> Iterator[tuple[Any, Any]]:
    return ((X[start : start + ROWS], Y[start : start + ROWS]) for start in range(0, len(X), ROWS))


@pytest.fixture
def data(tmp_path: Path) -> ShardedDataset:
    return ShardedDataset.from_shards(shards(), url=tmp_path / "digits")


@pytest.mark.parametrize("parameters", [{}, {"strategy": "one_shot"}, {"class_weight": "balanced", "mixing": "errors"}])
def test_a_perceptron_learns_the_same(
    data: ShardedDataset, inline: wrenml.Executor, two_workers: wrenml.Executor, parameters: dict[str, Any]
) -> None:
    model = ParallelPerceptron(n_epochs=3, random_state=0, executor=inline, **parameters)
    expected = model.fit_shards(shards())
    coef, mistakes = expected.coef_, expected.n_mistakes_
    found = model.set_params(executor=two_workers).fit(data)
    np.testing.assert_array_equal(found.coef_, coef)
    np.testing.assert_array_equal(found.n_mistakes_, mistakes)
    assert found.n_features_in_ == 64


@pytest.mark.parametrize("strategy", ["average", "chain"])
def test_partial_fit_learns_the_same(
    data: ShardedDataset, two_workers: wrenml.Executor, inline: wrenml.Executor, strategy: str
) -> None:
    model = ParallelPartialFit(SGDClassifier(), strategy=strategy, n_epochs=2, shuffle=False, random_state=0)
    expected = model.set_params(executor=inline).fit(X, Y).estimator_.coef_  # four slices, as the shards are
    np.testing.assert_array_equal(model.set_params(executor=two_workers).fit(data).estimator_.coef_, expected)


def test_any_partial_fit(data: ShardedDataset, tmp_path: Path, inline: wrenml.Executor) -> None:
    counted = ParallelPartialFit(MultinomialNB(), strategy="chain", executor=inline).fit(data)
    assert counted.score(X, Y) > 0.8
    rows = ShardedDataset.from_arrays(X, url=tmp_path / "rows", rows_per_shard=ROWS)
    clusters = ParallelPartialFit(MiniBatchKMeans(10, n_init=1), strategy="chain", executor=inline).fit(rows)
    assert clusters.predict(X).shape == (800,)
    numbers = ShardedDataset.from_arrays(X, X @ np.arange(64.0), url=tmp_path / "numbers", rows_per_shard=ROWS)
    line = ParallelPartialFit(SGDRegressor(eta0=1e-5), n_epochs=2, random_state=0, executor=inline).fit(numbers)
    assert line.estimator_.coef_.shape == (64,)
    with pytest.raises(ValueError, match="the data set has no labels"):
        ParallelPartialFit(SGDRegressor(), executor=inline).fit(rows)


def test_a_shard_of_one_class(tmp_path: Path, inline: wrenml.Executor) -> None:
    order = np.argsort(Y, kind="stable")
    data = ShardedDataset.from_arrays(X[order], Y[order], url=tmp_path, rows_per_shard=60)
    for model in (ParallelPerceptron(n_epochs=1, random_state=0), ParallelPartialFit(SGDClassifier(), random_state=0)):
        assert model.set_params(executor=inline).fit(data).classes_.tolist() == list(range(10))


def test_a_part_is_learned(data: ShardedDataset, inline: wrenml.Executor) -> None:
    train, test = data.split(0.25, random_state=0)
    model = ParallelPerceptron(random_state=0, executor=inline).fit(train)
    assert model.score(*test.to_arrays()) > 0.85


@pytest.mark.parametrize("model", [ParallelPerceptron(), ParallelPartialFit(SGDClassifier())])
def test_a_bad_shard_is_named(tmp_path: Path, inline: wrenml.Executor, model: Any) -> None:
    model.set_params(executor=inline)
    rows = X.copy()
    rows[500, 3] = np.nan
    data = ShardedDataset.from_arrays(rows, Y, url=tmp_path / "nan", rows_per_shard=ROWS)
    with pytest.raises(ValueError, match=r"shard 2: Input (X )?contains NaN"):
        model.fit(data)
    data = ShardedDataset.from_arrays(X, Y, url=tmp_path / "changed", rows_per_shard=ROWS)
    path = Path(data.url.removeprefix("file://")) / data.shards[3].record.files[0].name
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(DataError, match=r"shard 3, .*changed after it was written"):
        model.fit(data)


def test_nothing_of_it_travels(tmp_path: Path, two_workers: wrenml.Executor) -> None:
    rows = np.random.default_rng(0).random((20_000, 25))  # 4 MB
    data = ShardedDataset.from_arrays(rows, (rows[:, 0] > 0.5).astype(int), url=tmp_path, rows_per_shard=5000)
    storage = two_workers.session.storage
    before = set(storage.list("blobs/"))
    ParallelPerceptron(n_epochs=2, random_state=0, executor=two_workers).fit(data)
    assert sum(len(storage.get(key)) for key in set(storage.list("blobs/")) - before) < 200_000
