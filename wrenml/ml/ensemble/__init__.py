"""Ensembles grown by the workers of an executor: scikit-learn's, bit for bit, however many workers there are.

::

    fit ──▶ scikit-learn's fit ──joblib──▶ wrenml.ml.parallel ──▶ packs of trees, by measured time ──▶ estimators_
            checks, weights, seeds         X and y stored once      (workers)
"""

from __future__ import annotations

from wrenml.ml.ensemble.bagging import BaggingClassifier, BaggingRegressor
from wrenml.ml.ensemble.forests import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from wrenml.ml.ensemble.merging import merge_forests
from wrenml.ml.ensemble.patches import RandomPatchesClassifier, RandomPatchesRegressor

__all__ = [
    "BaggingClassifier",
    "BaggingRegressor",
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
    "RandomForestClassifier",
    "RandomForestRegressor",
    "RandomPatchesClassifier",
    "RandomPatchesRegressor",
    "merge_forests",
]
