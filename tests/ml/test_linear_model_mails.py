"""What mixing is worth, on mails that people wrote."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import Perceptron

import wrenml
from wrenml.ml.linear_model import ParallelPerceptron

MAILS = Path(__file__).parents[2] / "examples" / "data" / "mails.jsonl.xz"


@pytest.fixture(scope="module")
def mails() -> tuple[Any, Any]:
    found = [json.loads(line) for line in lzma.decompress(MAILS.read_bytes()).splitlines()]
    features = HashingVectorizer(n_features=2**12).fit_transform(each["text"] for each in found)
    return features, np.array([each["label"] for each in found])


@pytest.mark.parametrize("average", [False, True])
def test_the_mean_is_better_than_a_shard(mails: tuple[Any, Any], average: bool, inline: wrenml.Executor) -> None:  # noqa: FBT001  # a parameter of pytest's
    X, y = mails
    alone, together, mixed, serial = [], [], [], []
    for seed in range(4):
        learn, judge = np.array_split(np.random.default_rng(seed).permutation(len(y)), [560])
        model = ParallelPerceptron(n_shards=8, n_epochs=5, average=average, random_state=seed, executor=inline)
        model.set_params(strategy="one_shot").fit(X[learn], y[learn])
        alone.append(mean(each.score(X[judge], y[judge]) for each in model.estimators_))
        together.append(model.score(X[judge], y[judge]))
        mixed.append(model.set_params(strategy="ipm").fit(X[learn], y[learn]).score(X[judge], y[judge]))
        serial.append(Perceptron(random_state=seed).fit(X[learn], y[learn]).score(X[judge], y[judge]))
    assert all(one < several for one, several in zip(alone, together, strict=True))
    assert mean(together) < mean(mixed)
    assert mean(serial) - mean(mixed) < 0.02
