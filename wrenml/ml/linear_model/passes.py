"""Epochs of perceptron learning over one shard: what a worker does.

The rows are learned with marks (`marking.py`), which tell by how much each was added to the coefficients. That gives
the number of mistakes, and Collins' average without a pass of its own: a row that was added at step t is in the
coefficients of all steps but the first t - 1.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy import sparse
from sklearn import config_context

from wrenml.ml.linear_model.marking import Marking, blocks, marking
from wrenml.ml.linear_model.shards import Shard

__all__ = ["Passed", "Training", "Weights"]

_SPARSE_INTERCEPT_RATE: Final = 0.01  # scikit-learn's user guide, "Stochastic Gradient Descent", implementation details


@dataclass(frozen=True, slots=True)
class Weights:
    """A model.

    Parameters
    ----------
    coef : ndarray of shape (n_problems, n_features), float64
        One row for two classes, else one for each class.
    intercept : ndarray of shape (n_problems,), float64
        As scikit-learn's.
    """

    coef: Any
    intercept: Any

    @classmethod
    def zeros(cls, n_classes: int, n_features: int) -> Weights:
        """The model that learning begins with."""
        problems = 1 if n_classes == 2 else n_classes  # noqa: PLR2004  # two classes are one problem
        return cls(np.zeros((problems, n_features)), np.zeros(problems))


@dataclass(frozen=True, slots=True)
class Passed:
    """What came of epochs over a shard.

    Parameters
    ----------
    weights : Weights
        After the last row.
    average : Weights, optional
        The mean of the weights after each row of each epoch, where asked for.
    mistakes : tuple of int
        Updates in each epoch, summed over the problems.
    """

    weights: Weights
    average: Weights | None
    mistakes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Training:
    """The task of a round: what all shards share.

    Parameters
    ----------
    base : Perceptron
        Without penalty; `class_weight` is a dict of all classes or None.
    classes : ndarray
        All of them, sorted.
    start : Weights, optional
        Where each shard begins. Default: zeros.
    epochs : range
        Numbers of the epochs to run.
    seed : int, optional
        Rows are met in an order drawn from this, the epoch and the shard. Default: in theirs.
    average : bool
        Whether Collins' average is wanted.
    """

    base: Any
    classes: Any
    start: Weights | None
    epochs: range
    seed: int | None
    average: bool

    def __call__(self, shard: Shard, number: int) -> Passed:
        """Learn from a shard, given its number.

        Raises
        ------
        ValueError
            If numbers grow too large; scikit-learn's, too.
        """
        weights = self.start or Weights.zeros(len(self.classes), shard.X.shape[1])
        averages, mistakes = [], []
        shown = marking(shard.X, ones=float(self.base.fit_intercept))
        # The data was checked before it was stored; of an overflow more is said below.
        checked = config_context(assume_finite=True, skip_parameter_validation=True)
        with checked, np.errstate(over="ignore", invalid="ignore"):
            for epoch in self.epochs:
                weights, average, wrong = self._epoch(shard, shown, weights, self._order(shard, epoch, number))
                averages.append(average)
                mistakes.append(wrong)
        mean = None
        if self.average:
            mean = Weights(
                np.mean([each.coef for each in averages], axis=0),
                np.mean([each.intercept for each in averages], axis=0),
            )
            if not np.isfinite(mean.coef).all():
                raise ValueError("floating-point overflow: scale the features, with StandardScaler for example")
        return Passed(weights, mean, tuple(mistakes))

    def _order(self, shard: Shard, epoch: int, number: int) -> Any:
        if self.seed is None:
            return None
        return np.random.default_rng([self.seed, epoch, number]).permutation(len(shard))

    def _epoch(self, shard: Shard, shown: Marking, weights: Weights, order: Any) -> tuple[Weights, Weights, int]:
        late = Weights(np.zeros_like(weights.coef), np.zeros_like(weights.intercept))
        mistakes = met = 0
        for rows in blocks(shard.X, order, len(weights.coef)):
            marked, features = shown.show(rows)
            weights, amounts = self._learn(shard, weights, rows, marked)
            mistakes += int(np.count_nonzero(amounts))
            if self.average:
                late = self._added(late, amounts * np.arange(met, met + marked.shape[0], dtype=np.float64), features)
            met += marked.shape[0]
        average = Weights(weights.coef - late.coef / met, weights.intercept - late.intercept / met)
        return weights, average, mistakes

    def _learn(self, shard: Shard, weights: Weights, rows: Any, marked: Any) -> tuple[Weights, Any]:
        """Learn from some rows, marked; return the weights, and by how much each row was added."""
        own_column = self.base.fit_intercept and not sparse.issparse(shard.X)
        # A clone would cost as much as learning a thousand rows.
        model = copy(self.base)
        model.shuffle, model.fit_intercept = False, self.base.fit_intercept and not own_column
        width = weights.coef.shape[1]
        start = np.zeros((len(weights.coef), marked.shape[1]))
        start[:, :width] = weights.coef
        if own_column:
            start[:, width] = weights.intercept
        # Weights that are there when it first learns are where it begins, whatever classes these rows have.
        model.coef_ = start
        model.intercept_ = np.zeros_like(weights.intercept) if own_column else weights.intercept.copy()
        some = None if shard.weights is None else shard.weights[rows]
        model.partial_fit(marked, shard.y[rows], classes=self.classes, sample_weight=some)
        found = model.coef_
        intercept = found[:, width].copy() if own_column else model.intercept_
        return Weights(found[:, :width].copy(), intercept), found[:, -marked.shape[0] :]

    def _added(self, late: Weights, amounts: Any, rows: Any) -> Weights:
        """Add rows to weights, each by an amount."""
        width = late.coef.shape[1]
        more = amounts @ rows
        if not self.base.fit_intercept:
            return Weights(late.coef + more[:, :width], late.intercept)
        rate = _SPARSE_INTERCEPT_RATE * amounts.sum(axis=1)
        intercept = rate if sparse.issparse(rows) else more[:, width]
        return Weights(late.coef + more[:, :width], late.intercept + intercept)
