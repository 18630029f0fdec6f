"""Linear classifiers learned by the gradient of all rows: L-BFGS here, each evaluation a round over the shards."""

from __future__ import annotations

import warnings
from typing import Any, Final, Self

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from wrenml.ml.linear_model.checkpoints import Checkpoint
from wrenml.ml.linear_model.entering import entered
from wrenml.ml.linear_model.gradients import Answer, Gradient, n_problems, parted
from wrenml.ml.linear_model.learning import Learning, known_model
from wrenml.ml.linear_model.linear import LinearClassifier
from wrenml.ml.linear_model.settings import check_choices
from wrenml.ml.model_selection.engine import planned

__all__ = ["FullBatch", "summed"]

# scikit-learn's for its own L-BFGS, so that both go the same way.
_LINE_SEARCH: Final = 50
_LEAST_DECREASE: Final = 64 * np.finfo(float).eps
_OUT_OF_ITERATIONS: Final = 1


class _Stopped(Exception):
    """The callback wants no more."""


def summed(answers: list[Answer]) -> Answer:
    """Return the sum of the shards' losses and gradients, in their order."""
    total, vector = answers[0].loss, answers[0].vector.copy()
    for answer in answers[1:]:
        total += answer.loss
        vector += answer.vector
    return Answer(total, vector)


class FullBatch(LinearClassifier):
    """What learning by full batches shares; see `LogisticRegression`."""

    _above_zero: tuple[str, ...] = ("C", "tol")
    _loss: str  # what subclasses make small

    def _penalised_intercept(self) -> float:
        """Return the factor by which squares of intercepts are penalised, beside those of coefficients."""
        return 0.0

    # Learning

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from rows, from shards, or from a data set in shards.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, n_features), iterable of (X, y), or ShardedDataset
            Rows; or shards, (X, y) or (X, y, sample_weight), taken one at a time; or a data set, whose shards the
            workers read themselves.
        y : array of shape (n,), optional
            Labels, for rows only.
        sample_weight : array of shape (n,), optional
            How much rows count, for rows only.

        Returns
        -------
        estimator
            Itself.

        Raises
        ------
        ValueError
            If data or a parameter is not valid; what is wrong with a shard names its number.
        """
        self._check_parameters()
        plan = planned(self.executor, "fit", self, None)
        data = entered(self, plan, X, y, sample_weight, None)
        problems = n_problems(data.survey.classes)
        start = known_model(self, data.survey)
        if start is None:
            start = np.zeros(problems * (data.survey.n_features + 1))
        weights = data.survey.class_weights(self.class_weight)
        task = Gradient(self._loss, data.survey.classes, weights, self.fit_intercept)
        checkpoint = Checkpoint.of(plan.executor, self.checkpoint, task, data.keys)
        learning = Learning(
            plan, data.shards, task, combine=summed, problems=problems, checkpoint=checkpoint, callback=self.callback
        )
        size = data.survey.size(weights)
        objective = _Objective(learning, problems, size, 1 / (self.C * size), self._penalised_intercept())
        best, iterations = self._minimised(objective, start)
        coef, intercept = parted(best, problems)
        self.classes_ = data.survey.classes
        self.coef_, self.intercept_ = coef.copy(), intercept.copy()
        self.n_iter_ = int(iterations)
        self.history_ = learning.history
        return self

    def _check_parameters(self) -> None:
        check_choices(self, ("n_shards", "max_iter"))
        for name in self._above_zero:
            value = getattr(self, name)
            if not isinstance(value, int | float | np.number) or not value > 0:
                raise ValueError(f"{name}={value!r}: give a number above 0")

    def _minimised(self, objective: _Objective, start: Any) -> tuple[Any, int]:
        options = {"maxiter": self.max_iter, "maxls": _LINE_SEARCH, "gtol": self.tol, "ftol": _LEAST_DECREASE}
        try:
            found = minimize(objective, start, method="L-BFGS-B", jac=True, options=options)
        except _Stopped:
            return objective.best, objective.evaluations
        if found.status:
            where = (
                f"in max_iter={self.max_iter} iterations"
                if found.status == _OUT_OF_ITERATIONS
                else f"(L-BFGS ended after {found.nit} iterations: {found.message.strip()})"
            )
            warnings.warn(
                f"{type(self).__name__} did not converge {where}; scaling the data makes it faster",
                ConvergenceWarning,
                stacklevel=3,
            )
        return found.x, found.nit


class _Objective:
    """What L-BFGS is to make small: the mean loss and the penalty, and their gradient.

    Parameters
    ----------
    learning : Learning
        Asks the shards.
    problems : int
        Rows of the coefficients.
    size : float
        Sum of the rows' weights.
    strength : float
        Of the penalty on half the squares.
    on_intercept : float
        How much more, or less, squares of intercepts are penalised.
    """

    def __init__(self, learning: Learning, problems: int, size: float, strength: float, on_intercept: float) -> None:
        self.best: Any = None
        self.evaluations = 0
        self._lowest = np.inf
        self._learning = learning
        self._problems = problems
        self._size = size
        self._strength = strength
        self._on_intercept = on_intercept

    def __call__(self, vector: Any) -> tuple[float, Any]:
        penalised = vector.reshape(self._problems, -1) * self._strength
        penalised[:, -1] *= self._on_intercept
        penalty = 0.5 * float(penalised.ravel() @ vector)

        answer = self._learning.round(vector, lambda answer: answer.loss / self._size + penalty)
        value = self._learning.history[-1].loss
        self.evaluations += 1
        if self.best is None or value < self._lowest:
            self._lowest, self.best = value, vector.copy()
        if self._learning.stopped:
            raise _Stopped
        return value, answer.vector / self._size + penalised.ravel()
