"""scikit-learn's model selection over an executor: the same names, signatures and results."""

from __future__ import annotations

from wrenml.ml.model_selection.searching import GridSearchCV, RandomizedSearchCV

__all__ = ["GridSearchCV", "RandomizedSearchCV"]
