"""Logistic regression on shards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax

from wrenml.executor import Executor
from wrenml.ml.linear_model.full_batch import FullBatch
from wrenml.ml.linear_model.gradients import MULTINOMIAL
from wrenml.ml.linear_model.history import LearningState

__all__ = ["LogisticRegression"]


class LogisticRegression(FullBatch):
    """Logistic regression whose loss and gradient are summed over shards, by the workers of an executor.

    It minimises what scikit-learn's `LogisticRegression` with ``solver="lbfgs"`` minimises, in the same way: each
    evaluation of the loss is one round, in which the model goes to each shard once and a gradient comes back. The
    result is the same up to rounding, for any number of shards. Data of 32 bits is computed with 64.

    Parameters
    ----------
    C : float, default 1.0
        Inverse of the strength of the L2 penalty; `math.inf` for none.
    tol : float, default 1e-4
        It is over when no component of the gradient is larger.
    fit_intercept : bool, default True
        Whether there are intercepts; they are not penalised.
    class_weight : dict or "balanced", optional
        As for scikit-learn's; "balanced" counts the rows of all shards.
    max_iter : int, default 100
        Iterations of L-BFGS, at most; most are one round, some are two or three.
    warm_start : bool, default False
        Begin with the model of the last fit, if it has the same classes and features.
    n_shards : int, default 4
        How many shards rows are cut into; fewer if there are fewer rows. It has no effect on given shards.
    checkpoint : str, optional
        Keep what came of each round in the executor's storage, under this name: a fit that was killed goes on where it
        was when it is run again, in whatever process, with the same numbers at the end. Default: keep nothing.
    callback : callable, optional
        Called after each round with a `LearningState`. If it returns something true, learning stops, with the model of
        the lowest loss so far.
    executor : Executor, optional
        Where. Default: `wrenml.default_executor`.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights; one row for two classes.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Added to the scores.
    classes_ : ndarray of shape (n_classes,)
        All classes, sorted.
    n_features_in_ : int
        Features.
    n_iter_ : int
        Iterations.
    history_ : list of LearningRound
        Loss and time of each round; `history_to_frame` makes a table of it.
    """

    _loss = MULTINOMIAL

    def __init__(  # noqa: PLR0913  # the parameters of an estimator
        self,
        *,
        C: float = 1.0,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        class_weight: Any = None,
        max_iter: int = 100,
        warm_start: bool = False,
        n_shards: int = 4,
        checkpoint: str | None = None,
        callback: Callable[[LearningState], object] | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.C = C
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.n_shards = n_shards
        self.checkpoint = checkpoint
        self.callback = callback
        self.executor = executor

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class for rows X: ndarray of shape (n, n_classes)."""
        scores = self.decision_function(X)
        if scores.ndim > 1:
            return softmax(scores, axis=1)
        return np.column_stack([expit(-scores), expit(scores)])

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of `predict_proba`."""
        scores = self.decision_function(X)
        if scores.ndim > 1:
            return log_softmax(scores, axis=1)
        return np.column_stack([log_expit(-scores), log_expit(scores)])
