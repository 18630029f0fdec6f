"""Classes that inherit scikit-learn's parameters, and have more."""

from __future__ import annotations

from inspect import signature
from typing import Any

import pytest
import sklearn.ensemble
import sklearn.feature_extraction.text
import sklearn.preprocessing
from sklearn.base import clone

import wrenml
from wrenml.ml import ensemble, preprocessing, text

SHARDS = {"n_shards", "executor"}
CLASSES = [
    (text.CountVectorizer, sklearn.feature_extraction.text.CountVectorizer, SHARDS),
    (text.TfidfVectorizer, sklearn.feature_extraction.text.TfidfVectorizer, SHARDS),
    (text.HashingVectorizer, sklearn.feature_extraction.text.HashingVectorizer, SHARDS),
    (preprocessing.MinMaxScaler, sklearn.preprocessing.MinMaxScaler, SHARDS),
    (preprocessing.StandardScaler, sklearn.preprocessing.StandardScaler, SHARDS),
    (ensemble.RandomForestClassifier, sklearn.ensemble.RandomForestClassifier, {"executor"}),
    (ensemble.BaggingRegressor, sklearn.ensemble.BaggingRegressor, {"executor"}),
]


@pytest.mark.parametrize(("ours", "theirs", "more"), CLASSES)
def test_parameters_and_defaults_are_scikit_learns_and_a_few_more(
    ours: Any, theirs: Any, more: set[str], inline: wrenml.Executor
) -> None:
    expected = theirs().get_params(deep=False)
    found = ours().get_params(deep=False)
    assert {name: value for name, value in found.items() if name not in more} == expected
    assert set(found) == set(expected) | more == set(signature(ours).parameters)
    assert clone(ours(executor=inline)).executor is inline


def test_a_fixed_parameter_is_none_of_the_class() -> None:
    vectorizer = text.HashingTfidfVectorizer(norm=None)
    assert (vectorizer.norm, vectorizer.alternate_sign) == (None, False)
    with pytest.raises(TypeError, match=r"^HashingTfidfVectorizer.__init__\(\) got an unexpected .*'alternate_sign'"):
        text.HashingTfidfVectorizer(alternate_sign=True)


def test_what_is_refused_names_the_class() -> None:
    with pytest.raises(TypeError, match=r"^TfidfVectorizer.__init__\(\) got an unexpected keyword argument 'maxdf'"):
        text.TfidfVectorizer(maxdf=1)
    with pytest.raises(TypeError, match=r"^TfidfVectorizer.__init__\(\) too many positional arguments"):
        text.TfidfVectorizer(["a document"])
