"""Spam told from other mail by perceptrons on shards: each alone, their mean, and mixed after each epoch."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import Perceptron
from sklearn.model_selection import train_test_split

from wrenml import default_executor
from wrenml.ml.linear_model import ParallelPerceptron

MAILS = Path(__file__).parent / "data" / "mails.jsonl.xz"

if __name__ == "__main__":
    mails = [json.loads(line) for line in lzma.decompress(MAILS.read_bytes()).splitlines()]
    features = HashingVectorizer(n_features=2**14).fit_transform(mail["text"] for mail in mails)
    labels = np.array([mail["label"] for mail in mails])
    X, X_test, y, y_test = train_test_split(features, labels, test_size=0.3, random_state=0)

    serial = Perceptron(random_state=0).fit(X, y).score(X_test, y_test)
    print(f"one perceptron over all {len(y)} mails: {serial:.3f} of {len(y_test)} others are told right")

    with default_executor() as executor:
        for n_shards in (2, 4, 8):
            model = ParallelPerceptron(n_shards=n_shards, random_state=0, executor=executor)
            once = model.set_params(strategy="one_shot").fit(X, y)
            alone = np.mean([part.score(X_test, y_test) for part in once.estimators_])
            mean = once.score(X_test, y_test)
            mixed = model.set_params(strategy="ipm").fit(X, y).score(X_test, y_test)
            print(f"{n_shards} shards: each alone {alone:.3f}, their mean {mean:.3f}, mixed in each epoch {mixed:.3f}")
            assert alone < mean
