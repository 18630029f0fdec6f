"""Vectorizers on shards: equal to scikit-learn's on the whole corpus."""

from __future__ import annotations

import io
import json
import lzma
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.feature_extraction.text as theirs
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_get_params_invariance, check_set_params

import wrenml
import wrenml.ml.text as ours

MAILS = Path(__file__).parents[2] / "examples" / "data" / "mails.jsonl.xz"
TEXTS = [json.loads(line)["text"] for line in lzma.decompress(MAILS.read_bytes()).splitlines()][:200]
NEW = ["free money, click here", "", "the meeting is on Monday; unheardofword"]

COUNTS: list[dict[str, Any]] = [
    {},
    {"min_df": 2, "max_df": 0.5},
    {"max_features": 50},
    {"max_features": 50, "min_df": 0.05, "stop_words": "english"},
    {"analyzer": "char_wb", "ngram_range": (2, 3), "binary": True, "dtype": np.float32},
    {"vocabulary": ["money", "free", "meeting"]},
    {"vocabulary": np.array(["money", "free"])},
    {"lowercase": False, "strip_accents": "unicode", "ngram_range": (1, 2)},
    {"analyzer": str.split},
]
WEIGHTS: list[dict[str, Any]] = [
    {},
    {"min_df": 3, "sublinear_tf": True, "smooth_idf": False},
    {"norm": None, "max_features": 80, "dtype": np.float32},
    {"use_idf": False, "norm": "l1", "binary": True},
    {"vocabulary": {"money": 0, "free": 1}},
]
HASHES: list[dict[str, Any]] = [
    {"n_features": 2**12},
    {"n_features": 2**10, "norm": None, "alternate_sign": False, "ngram_range": (1, 2), "dtype": np.float32},
]
HASHED_WEIGHTS: list[dict[str, Any]] = [
    {"n_features": 2**14},
    {"n_features": 2**12, "sublinear_tf": True, "ngram_range": (1, 2), "norm": "l1"},
    {"n_features": 2**10, "norm": None, "dtype": np.float32, "binary": True},
    {"n_features": 2**10, "use_idf": False},
]
CASES = [
    *[("CountVectorizer", each) for each in COUNTS],
    *[("TfidfVectorizer", each) for each in WEIGHTS],
    *[("HashingVectorizer", each) for each in HASHES],
]


def piped(parameters: dict[str, Any]) -> Any:
    """What `HashingTfidfVectorizer` is to equal."""
    weighing = {name: parameters[name] for name in set(parameters) & set(theirs.TfidfTransformer().get_params())}
    hashing = {name: parameters[name] for name in parameters if name not in weighing}
    hasher = theirs.HashingVectorizer(**hashing, norm=None, alternate_sign=False)
    return make_pipeline(hasher, theirs.TfidfTransformer(**weighing))


def same(found: Any, expected: Any) -> None:
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    found.sort_indices()
    expected.sort_indices()
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
@pytest.mark.parametrize("n_shards", [1, 7])
def test_all_is_equal(name: str, parameters: dict[str, Any], n_shards: int, inline: wrenml.Executor) -> None:
    expected = getattr(theirs, name)(**parameters)
    found = getattr(ours, name)(**parameters, n_shards=n_shards, executor=inline)
    same(found.fit_transform(iter(TEXTS)), expected.fit_transform(TEXTS))
    same(found.transform(NEW), expected.transform(NEW))
    if name != "HashingVectorizer":
        assert found.vocabulary_ == expected.vocabulary_
        assert found.get_feature_names_out().tolist() == expected.get_feature_names_out().tolist()
        same(clone(found).fit(TEXTS).transform(NEW), expected.transform(NEW))
    if name == "TfidfVectorizer" and parameters.get("use_idf", True):
        np.testing.assert_array_equal(found.idf_, expected.idf_)


@pytest.mark.parametrize("parameters", HASHED_WEIGHTS, ids=str)
class TestHashedAndWeighed:
    def test_all_is_equal(self, parameters: dict[str, Any], inline: wrenml.Executor) -> None:
        expected = piped(parameters)
        for n_shards in (1, 7):
            found = ours.HashingTfidfVectorizer(**parameters, n_shards=n_shards, executor=inline)
            same(found.fit_transform(iter(TEXTS)), expected.fit_transform(TEXTS))
            same(found.transform(NEW), expected.transform(NEW))
            same(clone(found).fit(TEXTS).transform(NEW), expected.transform(NEW))
            if parameters.get("use_idf", True):
                np.testing.assert_array_equal(clone(found).fit(TEXTS).idf_, expected[-1].idf_)

    def test_a_stream_is_its_documents(self, parameters: dict[str, Any], inline: wrenml.Executor) -> None:
        found = ours.HashingTfidfVectorizer(**parameters, n_shards=2, executor=inline).fit(NEW)
        found.fit(TEXTS[:50]).partial_fit(TEXTS[50:70]).partial_fit(TEXTS[70:])
        assert found.n_documents_ == len(TEXTS)
        same(found.transform(NEW), piped(parameters).fit(TEXTS).transform(NEW))


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_columns_that_no_document_has(inline: wrenml.Executor) -> None:
    parameters: dict[str, Any] = {"n_features": 2**16, "smooth_idf": False}
    expected = piped(parameters).fit(NEW)
    found = ours.HashingTfidfVectorizer(**parameters, executor=inline).fit(NEW)
    assert np.isinf(found.idf_).any()
    np.testing.assert_array_equal(found.idf_, expected[-1].idf_)


def test_weights_that_are_given(inline: wrenml.Executor) -> None:
    found = ours.TfidfVectorizer(vocabulary=["money", "free"], executor=inline)
    expected = theirs.TfidfVectorizer(vocabulary=["money", "free"])
    found.idf_ = expected.idf_ = np.array([2.0, 3.0])
    same(found.transform(TEXTS), expected.transform(TEXTS))
    with pytest.raises(ValueError, match=r"3 weights.* 2 columns"):
        found.idf_ = np.ones(3)
    with pytest.raises(ValueError, match="use_idf=False"):
        found.set_params(use_idf=False).idf_ = np.ones(2)


def test_a_batch_of_a_stream_may_be_empty(inline: wrenml.Executor) -> None:
    found = ours.HashingTfidfVectorizer(n_features=64, executor=inline)
    found.partial_fit(TEXTS[:5]).partial_fit([]).partial_fit(TEXTS[5:])
    assert found.n_documents_ == len(TEXTS)
    np.testing.assert_array_equal(found.idf_, piped({"n_features": 64}).fit(TEXTS)[-1].idf_)
    with pytest.raises(ValueError, match="0 sample"):
        found.transform([])


def test_a_batch_under_other_columns_is_refused(inline: wrenml.Executor) -> None:
    found = ours.HashingTfidfVectorizer(n_features=64, executor=inline).partial_fit(TEXTS[:5])
    with pytest.raises(ValueError, match="n_features=32, but 64 columns"):
        found.set_params(n_features=32).partial_fit(TEXTS[5:])
    assert found.n_documents_ == 5
    assert found.fit(TEXTS).idf_.shape == (32,)


def test_workers_and_pickling_change_nothing(two_workers: wrenml.Executor, inline: wrenml.Executor) -> None:
    found = ours.TfidfVectorizer(min_df=2, executor=two_workers)
    expected = theirs.TfidfVectorizer(min_df=2)
    same(found.fit_transform(TEXTS), expected.fit_transform(TEXTS))
    again = pickle.loads(pickle.dumps(found.set_params(executor=inline)))
    same(again.transform(NEW), expected.transform(NEW))
    again.executor.shutdown()


def test_a_shard_may_have_no_terms(inline: wrenml.Executor) -> None:
    documents = ["the", "a of", "money money", "", "free money"]
    expected = theirs.CountVectorizer(stop_words="english").fit_transform(documents)
    found = ours.CountVectorizer(stop_words="english", n_shards=5, executor=inline).fit_transform(documents)
    same(found, expected)


def kind_of(document: str) -> list[str]:
    return [type(document).__name__]


def test_an_array_travels_as_plain_text(inline: wrenml.Executor) -> None:
    found = ours.CountVectorizer(analyzer=kind_of, executor=inline).fit(np.array(TEXTS))
    assert found.vocabulary_ == {"str": 0}


def test_files_and_bytes(tmp_path: Path, inline: wrenml.Executor) -> None:
    paths = []
    for number, text in enumerate(TEXTS[:6]):
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(text.encode("utf-16"))
    settings: dict[str, Any] = {"encoding": "utf-16"}
    expected = theirs.CountVectorizer(**settings, input="filename").fit_transform(paths)
    for kind, documents in (
        ("filename", paths),
        ("file", [io.BytesIO(path.read_bytes()) for path in paths]),
        ("content", [path.read_bytes() for path in paths]),
    ):
        same(ours.CountVectorizer(**settings, input=kind, executor=inline).fit_transform(documents), expected)


@pytest.mark.parametrize("name", ours.__all__)
class TestRefusals:
    def test_parameters(self, name: str, inline: wrenml.Executor) -> None:
        kind, plain = getattr(ours, name), getattr(theirs, name, theirs.HashingVectorizer)
        for wrong in ({"ngram_range": (2, 1)}, {"analyzer": "words"}, {"encoding": 3}):
            with pytest.raises(ValueError, match=r"ngram_range|n-gram|analyzer|encoding") as expected:
                plain(**wrong).fit_transform(TEXTS)
            with pytest.raises(ValueError, match=r"ngram_range|n-gram|analyzer|encoding") as found:
                kind(**wrong, executor=inline).fit_transform(TEXTS)
            assert str(found.value).replace("Count", "Tfidf") == str(expected.value).replace("Count", "Tfidf")
        with pytest.raises(ValueError, match="n_shards=0"):
            kind(n_shards=0, executor=inline).fit_transform(TEXTS)

    def test_documents(self, name: str, inline: wrenml.Executor) -> None:
        kind = getattr(ours, name)
        with pytest.raises(ValueError, match="string object received"):
            kind(executor=inline).fit_transform("text")
        with pytest.raises(ValueError, match=r"np\.nan is an invalid document"):
            kind(executor=inline).fit_transform(["text", np.nan])
        with pytest.raises(UnicodeDecodeError):
            kind(executor=inline).fit_transform(["text", b"\xff"])

    def test_it_is_an_estimator(self, name: str) -> None:
        check_get_params_invariance(name, getattr(ours, name)())
        check_set_params(name, getattr(ours, name)())


def test_weights_are_not_there_before_fit(inline: wrenml.Executor) -> None:
    for kind in (ours.TfidfVectorizer, ours.HashingTfidfVectorizer):
        with pytest.raises(NotFittedError):
            kind(executor=inline).transform(["one"])
        with pytest.raises(NotFittedError):
            _ = kind(executor=inline).idf_
        with pytest.raises(ValueError, match="'norm' parameter"):
            kind(norm="l3", executor=inline).fit(["one", "two"])


@pytest.mark.parametrize("name", ["CountVectorizer", "TfidfVectorizer"])
def test_terms_that_are_not_there(name: str, inline: wrenml.Executor) -> None:
    kind = getattr(ours, name)
    with pytest.raises(ValueError, match="empty vocabulary; perhaps"):
        kind(stop_words="english", executor=inline).fit(["the", "of"])
    with pytest.raises(ValueError, match="empty vocabulary; perhaps"):
        kind(executor=inline).fit([])
    with pytest.raises(ValueError, match="empty vocabulary passed to fit"):
        kind(vocabulary={}, executor=inline).fit(["one"])
    with pytest.raises(ValueError, match="After pruning, no terms remain"):
        kind(min_df=3, executor=inline).fit(["one", "two", "three"])
    with pytest.raises(ValueError, match="max_df corresponds to < documents"):
        kind(min_df=3, max_df=2, executor=inline).fit(["one", "two", "three"])
    with pytest.raises(NotFittedError):
        kind(executor=inline).transform(["one"])
