"""How linear classifiers predict."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from wrenml.ml.linear_model.shards import Shard
from wrenml.ml.linear_model.texts import features_of

__all__ = ["LinearClassifier"]


class LinearClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts by `coef_`, `intercept_` and `classes_`, as scikit-learn's linear classifiers do."""

    coef_: Any
    intercept_: Any
    classes_: Any

    def decision_function(self, X: Any) -> Any:
        """Return the scores of rows.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n,) or (n, n_classes)
            For two classes one score, that of the second.

        Raises
        ------
        ValueError
            scikit-learn's, if X is not valid or has other features.
        sklearn.exceptions.NotFittedError
            Before it has learned.
        """
        check_is_fitted(self)
        X = features_of(getattr(self, "vectorizer", None), X)
        return self._scores(validate_data(self, X, accept_sparse="csr", reset=False))

    def predict(self, X: Any) -> Any:
        """Return the label with the highest score for each row.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n,)
            Of the type of `classes_`.
        """
        return self._labels(self.decision_function(X))

    def accuracy(self, rows: Shard) -> float:
        """Return the share of rows, by their weights, that are predicted as they are labelled."""
        return float(np.average(self._labels(self._scores(rows.X)) == rows.y, weights=rows.weights))

    def _scores(self, X: Any) -> Any:
        scores = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return scores.ravel() if scores.shape[1] == 1 else scores

    def _labels(self, scores: Any) -> Any:
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coef_")
