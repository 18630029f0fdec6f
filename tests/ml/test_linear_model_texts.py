"""Documents in place of features: vectorized by the workers, once."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.feature_extraction.text as theirs
from sklearn.base import clone
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import SGDClassifier, SGDRegressor

import wrenml
import wrenml.ml.text as ours
from wrenml.ml.datasets import ShardedDataset
from wrenml.ml.linear_model import ParallelPartialFit, ParallelPerceptron

MAILS = Path(__file__).parents[2] / "examples" / "data" / "mails.jsonl.xz"
FOUND = [json.loads(line) for line in lzma.decompress(MAILS.read_bytes()).splitlines()][:200]
TEXTS = [mail["text"] for mail in FOUND]
Y = np.array([mail["label"] for mail in FOUND])
HASHING = theirs.HashingVectorizer(n_features=2**10)
FEATURES = HASHING.transform(TEXTS)
WEIGHTS = np.arange(len(Y)) % 3.0


def same(found: Any, expected: Any) -> None:
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    np.testing.assert_array_equal(found.intercept_, expected.intercept_)


@pytest.mark.parametrize("vectorizer", [HASHING, ours.HashingVectorizer(n_features=2**10)], ids=["theirs", "ours"])
@pytest.mark.parametrize("where", ["inline", "two_workers"])
def test_it_is_learning_from_features(vectorizer: Any, where: str, request: pytest.FixtureRequest) -> None:
    executor = request.getfixturevalue(where)
    model = ParallelPerceptron(n_epochs=3, n_shards=3, random_state=0, executor=executor)
    expected = clone(model).fit(FEATURES, Y, sample_weight=WEIGHTS)
    found = model.set_params(vectorizer=vectorizer).fit(TEXTS, Y, sample_weight=WEIGHTS)
    same(found, expected)
    np.testing.assert_array_equal(found.predict(TEXTS), expected.predict(FEATURES))
    assert found.score(TEXTS, Y) == expected.score(FEATURES, Y)
    assert found.n_features_in_ == 2**10


class TestPerceptron:
    def test_batches_and_shards(self, inline: wrenml.Executor) -> None:
        model = ParallelPerceptron(n_epochs=2, random_state=0, executor=inline)
        texts = clone(model).set_params(vectorizer=HASHING)
        for some in (slice(100), slice(100, None)):
            model.partial_fit(FEATURES[some], Y[some], classes=["ham", "spam"])
            texts.partial_fit(iter(TEXTS[some]), Y[some], classes=["ham", "spam"])
        same(texts, model)
        model.fit_shards((FEATURES[part::3], Y[part::3]) for part in range(3))
        texts.fit_shards((TEXTS[part::3], Y[part::3]) for part in range(3))
        same(texts, model)

    def test_early_stopping(self, inline: wrenml.Executor) -> None:
        model = ParallelPerceptron(n_epochs=30, early_stopping=True, random_state=0, executor=inline)
        expected = clone(model).fit(FEATURES, Y)
        found = model.set_params(vectorizer=HASHING).fit(TEXTS, Y)
        assert found.validation_scores_ == expected.validation_scores_

    def test_samples_that_are_no_text(self, inline: wrenml.Executor) -> None:
        samples, labels = [{"a": 1.0}, {"b": 2.0}, {"a": 1.0, "c": 3.0}, {"b": 1.0}], [0, 1, 0, 1]
        model = ParallelPerceptron(vectorizer=FeatureHasher(2**8), n_shards=2, executor=inline).fit(samples, labels)
        assert model.score(samples, labels) == 1


@pytest.mark.parametrize("strategy", ["average", "chain"])
def test_partial_fit_over_shards(strategy: str, inline: wrenml.Executor) -> None:
    model = ParallelPartialFit(SGDClassifier("log_loss"), strategy=strategy, random_state=0, executor=inline)
    expected = clone(model).fit(FEATURES, Y, sample_weight=WEIGHTS)
    found = model.set_params(vectorizer=HASHING).fit(TEXTS, Y, sample_weight=WEIGHTS)
    same(found.estimator_, expected.estimator_)
    for what in ("predict", "predict_proba", "decision_function"):
        np.testing.assert_array_equal(getattr(found, what)(TEXTS), getattr(expected, what)(FEATURES))
    assert found.score(TEXTS, Y) == expected.score(FEATURES, Y)


def test_numbers_from_texts(inline: wrenml.Executor) -> None:
    model = ParallelPartialFit(SGDRegressor(), vectorizer=HASHING, random_state=0, executor=inline)
    lengths = np.array([float(len(text)) for text in TEXTS])
    assert model.fit(TEXTS, lengths / lengths.max()).predict(TEXTS).shape == lengths.shape
    with pytest.raises(ValueError, match="Input y contains NaN"):
        model.fit(TEXTS, np.full(len(TEXTS), np.nan))


@pytest.mark.parametrize("kind", [ParallelPerceptron, ParallelPartialFit])
class TestRefusals:
    def made(self, kind: Any, executor: wrenml.Executor, vectorizer: Any = HASHING) -> Any:
        first = None if kind is ParallelPerceptron else SGDClassifier()
        return kind(first, vectorizer=vectorizer, executor=executor)

    @pytest.mark.parametrize(
        "vectorizer", [theirs.TfidfVectorizer(), ours.CountVectorizer(), ours.HashingTfidfVectorizer()], ids=str
    )
    def test_a_vectorizer_that_has_to_see_all(self, kind: Any, vectorizer: Any, inline: wrenml.Executor) -> None:
        with pytest.raises(TypeError, match="has to see all documents before"):
            self.made(kind, inline, vectorizer).fit(TEXTS, Y)

    def test_what_is_no_vectorizer(self, kind: Any, inline: wrenml.Executor) -> None:
        with pytest.raises(TypeError, match="vectorizer=str: give a transformer of documents"):
            self.made(kind, inline, "hashing").fit(TEXTS, Y)

    @pytest.mark.parametrize(
        ("texts", "labels", "message"),
        [
            ([], [], "there are no documents"),
            ("text", [0], "string object received"),
            (["one", np.nan], [0, 1], r"np\.nan is an invalid document"),
            (["one", "two"], [0, 1, 1], "inconsistent numbers of samples"),
        ],
    )
    def test_documents(self, kind: Any, texts: Any, labels: Any, message: str, inline: wrenml.Executor) -> None:
        with pytest.raises(ValueError, match=message):
            self.made(kind, inline).fit(texts, labels)

    def test_a_document_that_a_worker_cannot_read(self, kind: Any, two_workers: wrenml.Executor) -> None:
        model = self.made(kind, two_workers).set_params(shuffle=False, n_shards=2)
        with pytest.raises(UnicodeDecodeError) as raised:
            model.fit(["one", "two", "three", b"\xff"], [0, 1, 0, 1])
        assert raised.value.__notes__[-1].endswith("for shard 1.")

    def test_a_data_set(self, kind: Any, tmp_path: Path, inline: wrenml.Executor) -> None:
        dataset = ShardedDataset.from_lines(["one", "two"], tmp_path, labels=[0, 1])
        with pytest.raises(ValueError, match=r"dataset\.transform"):
            self.made(kind, inline).fit(dataset)


def test_a_shard_of_documents_is_named(inline: wrenml.Executor) -> None:
    model = ParallelPerceptron(vectorizer=HASHING, executor=inline)
    with pytest.raises(ValueError, match=r"shard 1: .*there are no documents"):
        model.fit_shards([(TEXTS, Y), ([], [])])
