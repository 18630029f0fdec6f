"""Data sets in shards as the data of searches and cross-validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import Perceptron
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

import wrenml
from wrenml.errors import KeyNotFoundError
from wrenml.events import CallsSettled, Event
from wrenml.ml.datasets import ShardedDataset
from wrenml.ml.model_selection import GridSearchCV, cross_val_predict, cross_val_score

X, Y = load_iris(return_X_y=True)
NAMES = load_iris().target_names[Y]
TREE = DecisionTreeClassifier(random_state=0)


@pytest.fixture
def data(tmp_path: Path) -> ShardedDataset:
    return ShardedDataset.from_arrays(X, NAMES, url=tmp_path / "iris", rows_per_shard=40)


@pytest.mark.parametrize("where", ["inline", "two_workers"])
def test_a_search_finds_the_same(data: ShardedDataset, where: str, request: pytest.FixtureRequest) -> None:
    search = GridSearchCV(TREE, {"max_depth": [1, 2, 3]}, executor=request.getfixturevalue(where))
    expected = search.fit(X, NAMES).cv_results_["split0_test_score"], search.best_params_, search.predict(X)
    found = search.fit(data).cv_results_["split0_test_score"], search.best_params_, search.predict(X)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_rows_do_not_travel(tmp_path: Path, two_workers: wrenml.Executor) -> None:
    rows = np.random.default_rng(0).random((20_000, 25))  # 4 MB
    data = ShardedDataset.from_arrays(rows, (rows[:, 0] > 0.5).astype(int), url=tmp_path)
    before = set(two_workers.session.storage.list("blobs/"))
    GridSearchCV(TREE, {"max_depth": [1, 2]}, cv=2, executor=two_workers, refit=False).fit(data)
    storage = two_workers.session.storage
    assert sum(len(storage.get(key)) for key in set(storage.list("blobs/")) - before) < 200_000


def test_a_part_and_lines(data: ShardedDataset, tmp_path: Path, inline: wrenml.Executor) -> None:
    train, _ = data.split(0.3, random_state=0)
    np.testing.assert_array_equal(
        cross_val_score(TREE, train, cv=3, executor=inline),
        cross_val_score(TREE, *train.to_arrays(), cv=3, executor=inline),
    )
    lines = [f"{word} number {number}" for number in range(20) for word in ("spam", "ham")]
    text = ShardedDataset.from_lines(lines, tmp_path / "text", labels=[0, 1] * 20, lines_per_shard=7)
    model = make_pipeline(CountVectorizer(), Perceptron())
    assert cross_val_score(model, text, cv=2, executor=inline).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_predictions(data: ShardedDataset, inline: wrenml.Executor, method: str) -> None:
    np.testing.assert_array_equal(
        cross_val_predict(TREE, data, method=method, executor=inline),
        cross_val_predict(TREE, X, NAMES, method=method, executor=inline),
    )


def test_what_is_kept_is_found_again(data: ShardedDataset, inline: wrenml.Executor) -> None:
    calls: list[int] = []

    def count(event: Event) -> None:
        if isinstance(event, CallsSettled):
            calls.append(event.succeeded)

    search = GridSearchCV(TREE, {"max_depth": [1, 2]}, executor=inline, cache="data-set", refit=False)
    search.fit(data)
    inline.observe(count)
    search.fit(data)
    assert not calls


def test_labels_are_the_data_sets(data: ShardedDataset, inline: wrenml.Executor) -> None:
    with pytest.raises(ValueError, match="brings its own labels: leave y out"):
        GridSearchCV(TREE, {}, executor=inline).fit(data, Y)


def test_a_shard_that_is_lost(data: ShardedDataset, inline: wrenml.Executor) -> None:
    for file in Path(data.url.removeprefix("file://")).glob("00001-*"):
        file.unlink()
    with pytest.raises(KeyNotFoundError, match="shard 1 is missing"):
        GridSearchCV(TREE, {}, executor=inline).fit(data)
