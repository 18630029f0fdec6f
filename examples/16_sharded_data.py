"""Mails in shards: written once, turned into features and learned by workers that read them where they lie."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier

from wrenml import default_executor
from wrenml.ml.datasets import ShardedDataset
from wrenml.ml.linear_model import ParallelPerceptron
from wrenml.ml.model_selection import GridSearchCV

MAILS = Path(__file__).parent / "data" / "mails.jsonl.xz"


def hashed(lines: list[str], _: object) -> object:
    """Features of a shard's lines; its labels stay as they are."""
    return HashingVectorizer(n_features=2**14).transform(lines)


if __name__ == "__main__":
    mails = [json.loads(line) for line in lzma.decompress(MAILS.read_bytes()).splitlines()]
    lines = (" ".join(mail["text"].split()) for mail in mails)
    labels = [mail["label"] for mail in mails]

    with default_executor() as executor:
        place = executor.storage.url  # any directory or s3:// URL that workers can read
        texts = ShardedDataset.from_lines(lines, f"{place}/mails", labels=labels, lines_per_shard=100, overwrite=True)
        features = texts.transform(hashed, f"{place}/features", executor=executor, overwrite=True)
        features.verify(executor=executor)
        print(f"{texts.n_samples} mails in {len(texts)} shards: {texts.nbytes:,} bytes of text")
        print(f"their {features.n_features:,} features: {features.nbytes:,} bytes, labels {features.classes.tolist()}")

        train, test = features.split(0.3, random_state=0)
        model = ParallelPerceptron(random_state=0, executor=executor).fit(train)
        print(f"a perceptron of {train.n_samples} mails tells {model.score(*test.to_arrays()):.3f} of the others right")

        search = GridSearchCV(SGDClassifier(random_state=0), {"alpha": [1e-4, 1e-3, 1e-2]}, executor=executor)
        found = search.fit(train).cv_results_["mean_test_score"]
        assert (found == search.fit(*train.to_arrays()).cv_results_["mean_test_score"]).all()
        print(f"the best of three alphas is {search.best_params_['alpha']}: {search.best_score_:.3f} of held-out mails")
