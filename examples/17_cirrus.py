"""Cirrus' workload: clicks in libsvm's format, cut into shards, scaled, hashed and learned where the shards are.

The rows are generated: they have the columns of Criteo's, 13 numbers and 26 categories, but are not Criteo's.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import numpy as np
import sklearn.linear_model

from wrenml import default_executor
from wrenml.ml.datasets import ShardedDataset
from wrenml.ml.linear_model import LogisticRegression, history_to_frame
from wrenml.ml.preprocessing import FeatureHasher, MinMaxScaler

NUMBERS, CATEGORIES, ROWS = 13, 26, 6000


def lines() -> Iterator[str]:
    """Clicks, some numbers of which are missing, as lines."""
    random = np.random.default_rng(0)
    numbers = random.poisson(random.uniform(1, 40, NUMBERS), (ROWS, NUMBERS))
    categories = random.zipf(1.6, (ROWS, CATEGORIES)) % 1000
    effects = random.normal(size=(CATEGORIES, 1000))
    scores = 0.1 * (numbers - numbers.mean(axis=0)) @ random.normal(size=NUMBERS)
    scores += effects[np.arange(CATEGORIES), categories].sum(axis=1) / 2
    scores += random.logistic(size=ROWS) - 2
    for score, row in zip(scores, np.hstack([numbers, categories]), strict=True):
        yield f"{int(score > 0)} " + " ".join(f"{column + 1}:{value}" for column, value in enumerate(row) if value)


if __name__ == "__main__":
    with default_executor() as executor, tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "clicks.libsvm"), "w") as file:
            file.writelines(f"{line}\n" for line in lines())
        place = f"{executor.storage.url}/cirrus"
        raw = ShardedDataset.from_libsvm(
            file.name, f"{place}/raw", rows_per_shard=1500, n_features=NUMBERS + CATEGORIES, overwrite=True
        )  # fmt: skip
        dense = raw.transform(lambda rows, y: (rows.toarray(), y), f"{place}/dense", executor=executor, overwrite=True)
        scaled = MinMaxScaler(executor=executor).fit(dense).transform(dense, url=f"{place}/scaled", overwrite=True)
        hasher = FeatureHasher(2**14, columns=range(NUMBERS, NUMBERS + CATEGORIES), executor=executor)
        train, test = hasher.transform(scaled, url=f"{place}/hashed", overwrite=True).split(0.2, random_state=0)
        print(f"{train.n_samples} generated clicks in {len(train)} shards, {train.n_features} features")

        model = LogisticRegression(executor=executor).fit(train)
        table = history_to_frame(model)
        print("\nloss by time:")
        for row in table.iloc[[0, 1, 2, 4, 8, 16, -1]].itertuples():
            print(f"  {row.total:6.2f} s  {row.loss:.4f}")
        print("\ntime by phase, mean of a worker's step:")
        for phase, text in {"fetch": "shard", "load": "model", "compute": "gradient", "send": "gradient"}.items():
            print(f"  {phase:<8} {text:<9} {1000 * table[phase].mean() / len(train):6.2f} ms")

        theirs = sklearn.linear_model.LogisticRegression().fit(*train.to_arrays())
        X, y = test.to_arrays()
        assert np.allclose(model.predict_proba(X), theirs.predict_proba(X), atol=1e-3)
        print(f"\n{100 * model.score(X, y):.1f} % of {len(y)} others are told right, as by scikit-learn on all rows")
