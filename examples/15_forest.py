"""Digits told apart by forests: trees grown by the workers are scikit-learn's; forests grown on shards become one."""

from __future__ import annotations

import numpy as np
import sklearn.ensemble
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from wrenml import default_executor
from wrenml.ml.ensemble import RandomForestClassifier, RandomPatchesClassifier, merge_forests

if __name__ == "__main__":
    X, X_test, y, y_test = train_test_split(*load_digits(return_X_y=True), test_size=0.3, random_state=0)
    here = sklearn.ensemble.RandomForestClassifier(40, oob_score=True, random_state=0).fit(X, y)

    with default_executor() as executor:
        forest = RandomForestClassifier(40, oob_score=True, random_state=0, executor=executor).fit(X, y)
        assert np.array_equal(forest.predict_proba(X_test), here.predict_proba(X_test))
        assert forest.oob_score_ == here.oob_score_
        print(f"{len(forest)} trees on all {len(y)} digits: {forest.score(X_test, y_test):.3f} of {len(y_test)} others")

        shards = [(X[start::4], y[start::4]) for start in range(4)]
        parts = [RandomForestClassifier(10, random_state=0, executor=executor).fit(*shard) for shard in shards]
        merged = merge_forests(parts)
        alone = [part.score(X_test, y_test) for part in parts]
        together = merged.score(X_test, y_test)
        assert together > max(alone)
        print("10 trees on each of 4 shards:", *(f"{score:.3f}" for score in alone), f"— merged: {together:.3f}")

        at_once = RandomForestClassifier(40, random_state=0, executor=executor).fit_shards(shards)
        print(f"all four in one call, other seeds: {at_once.score(X_test, y_test):.3f}")

        patches = RandomPatchesClassifier(n_estimators=40, random_state=0, executor=executor).fit(X, y)
        cells = np.mean([rows.size for rows in patches.estimators_samples_]) * patches.estimators_features_[0].size
        print(f"40 trees on patches of {100 * cells / X.size:.0f} % of it: {patches.score(X_test, y_test):.3f}")
