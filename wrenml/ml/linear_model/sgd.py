"""Stochastic gradient descent on shards, the models mixed after each epoch.

In each epoch every shard starts from the same model and learns one epoch by scikit-learn's own `partial_fit`; the next
model is the mean of the shards' (M. Zinkevich, M. Weimer, A. Smola and L. Li, *Parallelized Stochastic Gradient
Descent*, NIPS 2010, with a mean after each epoch instead of one at the end).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier
from sklearn.utils import check_random_state
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.metaestimators import available_if

from wrenml.executor import Executor
from wrenml.ml.linear_model.checkpoints import Checkpoint
from wrenml.ml.linear_model.entering import Entered, entered
from wrenml.ml.linear_model.gradients import Answer, data_loss, joined, n_problems, parted, row_weights
from wrenml.ml.linear_model.history import LearningState
from wrenml.ml.linear_model.learning import Learning, known_model
from wrenml.ml.linear_model.linear import LinearClassifier
from wrenml.ml.linear_model.losses import LOSSES
from wrenml.ml.linear_model.mixing import shares_of
from wrenml.ml.linear_model.settings import check_choices
from wrenml.ml.linear_model.shards import Shard
from wrenml.ml.model_selection.engine import planned

__all__ = ["Epoch", "ParallelSGDClassifier"]

_SEEDS: Final = 2**31 - 1
_INNER: Final = (
    "loss", "penalty", "alpha", "l1_ratio", "fit_intercept", "learning_rate", "eta0", "power_t", "shuffle",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Epoch:
    """The task of a round: an epoch on a shard.

    Parameters
    ----------
    base : SGDClassifier
        What learns.
    classes : ndarray
        All there are, sorted.
    class_weights : ndarray of shape (n_classes,), optional
        Of rows, for the loss. Default: all 1.
    seed : int
        Of the orders of rows, with the number of epoch and shard.
    n_shards : int
        How many shards there are.
    """

    base: Any
    classes: Any
    class_weights: Any
    seed: int
    n_shards: int

    def __call__(self, vector: Any, shard: Shard, number: int) -> Answer:
        """Return what the model has become after an epoch, and what its loss was before.

        Parameters
        ----------
        vector : ndarray
            The model.
        shard : Shard
            Rows.
        number : int
            Of the epoch times `n_shards`, plus the shard's.
        """
        problems = n_problems(self.classes)
        coef, intercept = parted(vector, problems)
        numbers, weights = row_weights(shard, self.classes, self.class_weights)
        scores = safe_sparse_dot(shard.X, coef.T, dense_output=True) + intercept
        loss = data_loss(self.base.loss, scores, numbers, len(self.classes), weights)
        model = clone(self.base).set_params(random_state=self._state(number))
        # Weights that are there when it first learns are where it begins. It learns rows of 32 bits with as many,
        # except for the intercept of two classes.
        kind = np.float32 if shard.X.dtype == np.float32 else np.float64
        model.coef_ = np.array(coef, dtype=kind, order="C")
        model.intercept_ = np.array(intercept, dtype=np.float64 if problems == 1 else kind)
        model.t_ = 1.0 + number // self.n_shards * len(shard)
        model.partial_fit(shard.X, shard.y, classes=self.classes, sample_weight=shard.weights)
        return Answer(loss, joined(model.coef_, model.intercept_).astype(np.float64))

    def _state(self, number: int) -> int:
        return int(np.random.default_rng([self.seed, number]).integers(_SEEDS))


@dataclass(frozen=True, slots=True)
class _Mixed:
    """The weighted mean of the shards' models, and the sum of their losses."""

    shares: Any

    def __call__(self, answers: list[Answer]) -> Answer:
        mean = np.average([each.vector for each in answers], axis=0, weights=self.shares)
        return Answer(sum(each.loss for each in answers), mean)


def _has_probabilities(estimator: Any) -> bool:
    if estimator.loss in ("log_loss", "modified_huber"):
        return True
    raise AttributeError(f"probability estimates are not available for loss={estimator.loss!r}")


class ParallelSGDClassifier(LinearClassifier):
    """Linear classifiers by stochastic gradient descent on shards, the models mixed after each epoch.

    The result depends on the data, the parameters and `n_shards`, not on the number of workers or where they are. With
    one shard and ``shuffle=False`` it is what `partial_fit` of scikit-learn's `SGDClassifier`, called once an epoch,
    makes, bit for bit.

    Parameters
    ----------
    loss : {"hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron"}, default "hinge"
        As for `SGDClassifier`, as are the next ones.
    penalty : {"l2", "l1", "elasticnet", None}, default "l2"
        Of the coefficients.
    alpha : float, default 1e-4
        Its strength.
    l1_ratio : float, default 0.15
        Share of L1 in "elasticnet".
    fit_intercept : bool, default True
        Whether there are intercepts.
    n_epochs : int, default 10
        At most.
    tol : float or None, default 1e-3
        Learning stops when the loss, per row, has not become less than the lowest before by more than this in
        `n_iter_no_change` epochs. None: never before `n_epochs`.
    n_iter_no_change : int, default 5
        Epochs.
    mixing : {"uniform", "samples"}, default "uniform"
        How much a shard counts in the mean: all the same, or by rows (their weights, if given).
    shuffle : bool, default True
        Deal rows out to shards at random, and meet them in another order in each epoch. False cuts slices and keeps the
        order. It does not move rows between given shards.
    random_state : int, RandomState instance, optional
        Seed of all random orders. Default: another one each time.
    learning_rate, eta0, power_t
        As for `SGDClassifier`: "optimal", 0.01 and 0.5. Each shard counts its own steps.
    class_weight : dict or "balanced", optional
        As for `SGDClassifier`; "balanced" counts the rows of all shards.
    warm_start : bool, default False
        Begin with the model of the last fit, if it has the same classes and features, and count epochs on from there.
    n_shards, checkpoint, callback, executor
        As for `LogisticRegression`; the model that the callback's state shows is that with which the epoch began.

    Attributes
    ----------
    coef_, intercept_, classes_, n_features_in_
        As of `LogisticRegression`.
    n_iter_ : int
        Epochs of this fit.
    history_ : list of LearningRound
        Loss and time of each epoch; the loss, without penalty, is that of the model with which the epoch began.
    shard_weights_ : ndarray of shape (n_shards,)
        How much each shard counted.
    """

    _epochs: int

    def __init__(  # noqa: PLR0913  # the parameters of an estimator
        self,
        loss: str = "hinge",
        *,
        penalty: str | None = "l2",
        alpha: float = 1e-4,
        l1_ratio: float = 0.15,
        fit_intercept: bool = True,
        n_epochs: int = 10,
        tol: float | None = 1e-3,
        n_iter_no_change: int = 5,
        mixing: str = "uniform",
        shuffle: bool = True,
        random_state: Any = None,
        learning_rate: str = "optimal",
        eta0: float = 0.01,
        power_t: float = 0.5,
        class_weight: Any = None,
        warm_start: bool = False,
        n_shards: int = 4,
        checkpoint: str | None = None,
        callback: Callable[[LearningState], object] | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.n_epochs = n_epochs
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.mixing = mixing
        self.shuffle = shuffle
        self.random_state = random_state
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.n_shards = n_shards
        self.checkpoint = checkpoint
        self.callback = callback
        self.executor = executor

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from rows, from shards, or from a data set in shards.

        Parameters
        ----------
        X, y, sample_weight : data
            As for `LogisticRegression.fit`.

        Returns
        -------
        ParallelSGDClassifier
            Itself.

        Raises
        ------
        ValueError
            If data or a parameter is not valid; what is wrong with a shard names its number.
        """
        self._check_parameters()
        seed = int(check_random_state(self.random_state).randint(_SEEDS))
        plan = planned(self.executor, "fit", self, None)
        data = entered(self, plan, X, y, sample_weight, seed if self.shuffle else None)
        classes, weights = data.survey.classes, data.survey.class_weights(self.class_weight)
        shares = self.shard_weights_ = shares_of(self.mixing, data.sizes, [0] * len(data.sizes))
        # It takes them for the problems of its classes, which with more than two is not the same as for rows.
        given = None if weights is None else dict(zip(classes.tolist(), weights.tolist(), strict=True))
        task = Epoch(self._inner().set_params(class_weight=given), classes, weights, seed, len(data.shards))
        checkpoint = Checkpoint.of(plan.executor, self.checkpoint, task, data.keys, shares)
        learning = Learning(
            plan,
            data.shards,
            task,
            combine=_Mixed(shares),
            problems=n_problems(classes),
            checkpoint=checkpoint,
            callback=self.callback,
        )
        self._learn(learning, data, data.survey.size(weights))
        return self

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class for rows X, as `SGDClassifier` does: ndarray of shape (n, n_classes)."""
        self.decision_function(X)
        return self._as_theirs().predict_proba(X)

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of `predict_proba`."""
        return np.log(self.predict_proba(X))

    def _inner(self) -> Any:
        return SGDClassifier(**{name: getattr(self, name) for name in _INNER})

    def _as_theirs(self) -> Any:
        model = self._inner()
        model.coef_, model.intercept_, model.classes_ = self.coef_, self.intercept_, self.classes_
        model.n_features_in_ = self.n_features_in_
        return model

    def _check_parameters(self) -> None:
        counts = ("n_shards", "n_epochs", "n_iter_no_change")
        check_choices(self, counts, loss=tuple(LOSSES), mixing=("uniform", "samples"))
        # In workers it goes on from a model, and then checks nothing.
        self._inner().partial_fit([[0.0], [1.0]], [0, 1], classes=[0, 1])

    def _learn(self, learning: Learning, data: Entered, size: float) -> None:
        vector = known_model(self, data.survey)
        first = 0 if vector is None else self._epochs
        if vector is None:
            vector = np.zeros(n_problems(data.survey.classes) * (data.survey.n_features + 1))
        lowest, waited = np.inf, 0
        for epoch in range(first, first + self.n_epochs):
            vector = learning.round(vector, lambda answer: answer.loss / size, epoch).vector
            loss = learning.history[-1].loss
            waited = 0 if self.tol is None or loss < lowest - self.tol else waited + 1
            lowest = min(lowest, loss)
            if learning.stopped or waited >= self.n_iter_no_change:
                break
        self.classes_ = data.survey.classes
        coef, intercept = parted(vector, n_problems(self.classes_))
        self.coef_, self.intercept_ = coef.copy(), intercept.copy()
        self.history_ = learning.history
        self.n_iter_ = len(self.history_)
        self._epochs = first + self.n_iter_
