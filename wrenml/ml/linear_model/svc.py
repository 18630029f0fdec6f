"""Linear support vector machines on shards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wrenml.executor import Executor
from wrenml.ml.linear_model.full_batch import FullBatch
from wrenml.ml.linear_model.history import LearningState

__all__ = ["LinearSVC"]


class LinearSVC(FullBatch):
    """A linear support vector machine whose loss and gradient are summed over shards, by the workers of an executor.

    It minimises what scikit-learn's `LinearSVC` with its default, the squared hinge, minimises, intercepts penalised
    as there; each class is told from all others. Rounds are those of `LogisticRegression`. The hinge itself has no
    gradient where it matters: `ParallelSGDClassifier` learns it.

    Parameters
    ----------
    C : float, default 1.0
        Inverse of the strength of the L2 penalty.
    tol : float, default 1e-4
        It is over when no component of the gradient is larger.
    fit_intercept : bool, default True
        Whether there are intercepts.
    intercept_scaling : float, default 1.0
        The larger, the less intercepts are penalised.
    class_weight, max_iter, warm_start, n_shards, checkpoint, callback, executor
        As for `LogisticRegression`, but for ``max_iter=1000``.

    Attributes
    ----------
    coef_, intercept_, classes_, n_features_in_, n_iter_, history_
        As of `LogisticRegression`.
    """

    _above_zero = ("C", "tol", "intercept_scaling")
    _loss = "squared_hinge"

    def __init__(  # noqa: PLR0913  # the parameters of an estimator
        self,
        *,
        C: float = 1.0,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        class_weight: Any = None,
        max_iter: int = 1000,
        warm_start: bool = False,
        n_shards: int = 4,
        checkpoint: str | None = None,
        callback: Callable[[LearningState], object] | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.C = C
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.n_shards = n_shards
        self.checkpoint = checkpoint
        self.callback = callback
        self.executor = executor

    def _penalised_intercept(self) -> float:
        return float(self.intercept_scaling) ** -2
