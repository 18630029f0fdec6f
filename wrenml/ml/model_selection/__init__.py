"""scikit-learn's model selection over an executor: the same names, signatures and results."""

from __future__ import annotations

from wrenml.ml.model_selection.curves import learning_curve, permutation_test_score, validation_curve
from wrenml.ml.model_selection.halving import HalvingGridSearchCV, HalvingRandomSearchCV
from wrenml.ml.model_selection.predicting import cross_val_predict
from wrenml.ml.model_selection.searching import GridSearchCV, RandomizedSearchCV
from wrenml.ml.model_selection.validation import cross_val_score, cross_validate

__all__ = [
    "GridSearchCV",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
    "RandomizedSearchCV",
    "cross_val_predict",
    "cross_val_score",
    "cross_validate",
    "learning_curve",
    "permutation_test_score",
    "validation_curve",
]
