"""Text classified in parts: each worker hashes its own mails and learns from them, and the models are averaged."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import Perceptron

from wrenml import default_executor
from wrenml.ml.linear_model import average_linear_models

MAILS = Path(__file__).parent / "data" / "mails.jsonl.xz"
LABELS = ["ham", "spam"]
CUTS = 5

Mails = list[dict[str, str]]


def hashed(mails: Mails) -> tuple[object, list[str]]:
    """Features and labels of mails; no vocabulary, so that nobody waits for anybody."""
    features = HashingVectorizer(n_features=2**14).transform(mail["text"] for mail in mails)
    return features, [mail["label"] for mail in mails]


def learn(mails: Mails) -> Perceptron:
    """Read a part once and learn from it."""
    return Perceptron(random_state=0).partial_fit(*hashed(mails), classes=LABELS)


if __name__ == "__main__":
    mails = [json.loads(line) for line in lzma.decompress(MAILS.read_bytes()).splitlines()]
    cuts = [np.random.default_rng(seed).permutation(mails) for seed in range(CUTS)]
    tests = [hashed(mails[:240]) for mails in cuts]

    print("the talk, Sentiment140: 2 parts 0.733 and 0.760, their average 0.774")
    with default_executor() as executor:
        for parts in (2, 4, 8):
            shares = [mails[240 + part :: parts] for mails in cuts for part in range(parts)]
            futures = executor.map(learn, shares, chunksize=CUTS)
            models = np.reshape(futures.results(), (CUTS, parts))
            alone = [[model.score(*test) for model in few] for few, test in zip(models, tests, strict=True)]
            means = [average_linear_models(few).score(*test) for few, test in zip(models, tests, strict=True)]
            print(f"{CUTS} cuts of our mails: {parts} parts {np.mean(alone):.3f}, their average {np.mean(means):.3f}")
            assert np.mean(means) > np.mean(alone)
