"""Bagging: scikit-learn's, whose estimators are fitted by workers."""

from __future__ import annotations

from typing import Any, Self

import sklearn.ensemble as theirs
from joblib import parallel_config

from wrenml.ml.ensemble.workers import DividedBackend
from wrenml.ml.signatures import with_parameters

__all__ = ["Bagging", "BaggingClassifier", "BaggingRegressor"]


class Bagging:
    """`fit` of an ensemble by bagging, on workers: to be inherited from before such a class of scikit-learn."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **fit_params: Any) -> Self:
        """Fit the estimators.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, n_features)
            Features; stored once.
        y : array of shape (n,) or (n, n_outputs)
            Labels or numbers.
        sample_weight : array of shape (n,), optional
            As in scikit-learn.
        **fit_params
            For the estimators' `fit`, with metadata routing.

        Returns
        -------
        Bagging
            Itself.

        Raises
        ------
        ValueError
            scikit-learn's.
        ConfigError
            If `executor` is none.
        """
        backend = DividedBackend(self.n_jobs, executor=self.executor)  # type: ignore[attr-defined]
        with parallel_config(backend, n_jobs=-1):
            return super().fit(X, y, sample_weight=sample_weight, **fit_params)  # type: ignore[misc,no-any-return]


@with_parameters(executor=None)
class BaggingClassifier(Bagging, theirs.BaggingClassifier):  # type: ignore[misc]  # scikit-learn has no types
    """scikit-learn's `BaggingClassifier`, whose estimators are fitted by the workers of an executor.

    All parameters, attributes and numbers are scikit-learn's.

    Parameters
    ----------
    n_jobs : int, optional
        How many packs of estimators are fitted at a time. Default: as many as there are workers. For predicting, which
        is done here, it is scikit-learn's.
    executor : Executor, optional
        Where. Default: `wrenml.default_executor`.
    others
        As in scikit-learn.
    """


@with_parameters(executor=None)
class BaggingRegressor(Bagging, theirs.BaggingRegressor):  # type: ignore[misc]
    """scikit-learn's `BaggingRegressor`, whose estimators are fitted by the workers of an executor.

    Parameters
    ----------
    n_jobs, executor, others
        As for `BaggingClassifier`.
    """
