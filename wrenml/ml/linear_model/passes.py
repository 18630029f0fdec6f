"""Epochs of perceptron learning over one shard: what a worker does.

scikit-learn's `Perceptron` learns, row by row, and does not say from which rows it did. It is asked by a column for
each row that is 1 there and 0 elsewhere::

    features        1   which row
    x00 x01 …       1   1  0  0        In one pass a row's own column has weight 0 when the row is met, so it adds
    x10 x11 …       1   0  1  0        nothing to any score, and afterwards it has by how much the row was added to the
    x20 x21 …       1   0  0  1        coefficients: 0 if there was no mistake.

That gives the number of mistakes, and Collins' average without a pass of its own: a row that was added at step t is in
the coefficients of all steps but the first t - 1. The column of ones is the intercept of dense data, so that it is
learned as scikit-learn learns it there; sparse data has scikit-learn's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy import sparse
from sklearn.base import clone

from wrenml.ml.linear_model.shards import Shard

__all__ = ["Passed", "Training", "Weights"]

_BLOCK_VALUES: Final = 1 << 22  # copied at a time: 32 MiB
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
        """Learn from a shard, given its number."""
        weights = self.start or Weights.zeros(len(self.classes), shard.X.shape[1])
        averages, mistakes = [], []
        for epoch in self.epochs:
            weights, average, wrong = self._epoch(shard, weights, self._order(shard, epoch, number))
            averages.append(average)
            mistakes.append(wrong)
        mean = None
        if self.average:
            mean = Weights(
                np.mean([each.coef for each in averages], axis=0),
                np.mean([each.intercept for each in averages], axis=0),
            )
        return Passed(weights, mean, tuple(mistakes))

    def _order(self, shard: Shard, epoch: int, number: int) -> Any:
        if self.seed is None:
            return np.arange(len(shard))
        return np.random.default_rng([self.seed, epoch, number]).permutation(len(shard))

    def _epoch(self, shard: Shard, weights: Weights, order: Any) -> tuple[Weights, Weights, int]:
        late = Weights(np.zeros_like(weights.coef), np.zeros_like(weights.intercept))
        mistakes = met = 0
        for rows in _blocks(shard.X, order):
            weights, amounts, marked = self._learn(shard, weights, rows)
            mistakes += int(np.count_nonzero(amounts))
            if self.average:
                steps_before = np.arange(met, met + len(rows), dtype=np.float64)
                late = self._added(late, amounts * steps_before, marked, dense=not sparse.issparse(shard.X))
            met += len(rows)
        average = Weights(weights.coef - late.coef / met, weights.intercept - late.intercept / met)
        return weights, average, mistakes

    def _learn(self, shard: Shard, weights: Weights, rows: Any) -> tuple[Weights, Any, Any]:
        """Learn from some rows; return the weights, by how much each row was added, and the rows as they were shown."""
        dense = not sparse.issparse(shard.X)
        marked = _marked_dense(shard.X, rows) if dense else _marked_sparse(shard.X, rows)
        own_column = dense and self.base.fit_intercept
        model = clone(self.base).set_params(shuffle=False, fit_intercept=self.base.fit_intercept and not dense)
        width = weights.coef.shape[1]
        start = np.zeros((len(weights.coef), marked.shape[1]))
        start[:, :width] = weights.coef
        if own_column:
            start[:, width] = weights.intercept
        elif dense:
            marked.data[width :: width + 2] = 0.0
        # Weights that are there when it first learns are where it begins, whatever classes these rows have.
        model.coef_ = start
        model.intercept_ = np.zeros_like(weights.intercept) if own_column else weights.intercept.copy()
        some = None if shard.weights is None else shard.weights[rows]
        model.partial_fit(marked, shard.y[rows], classes=self.classes, sample_weight=some)
        found = model.coef_
        intercept = found[:, width].copy() if own_column else model.intercept_
        return Weights(found[:, :width].copy(), intercept), found[:, -len(rows) :].copy(), marked

    def _added(self, late: Weights, amounts: Any, marked: Any, *, dense: bool) -> Weights:
        """Add rows to weights, each by an amount."""
        width = late.coef.shape[1]
        more = np.asarray((marked.T @ amounts.T).T)
        if not self.base.fit_intercept:
            return Weights(late.coef + more[:, :width], late.intercept)
        intercept = more[:, width] if dense else _SPARSE_INTERCEPT_RATE * amounts.sum(axis=1)
        return Weights(late.coef + more[:, :width], late.intercept + intercept)


def _blocks(X: Any, order: Any) -> Iterator[Any]:
    """Cut an order of rows such that the copies of a block's rows stay small, whatever the shard's size."""
    values = X.nnz if sparse.issparse(X) else X.size
    size = max(1, int(_BLOCK_VALUES / (values / X.shape[0] + 2)))
    return (order[start : start + size] for start in range(0, len(order), size))


def _marked_dense(X: Any, rows: Any) -> Any:
    """Rows, a column of ones, and a column for each row; zeros are kept, as they cost less than looking for them."""
    count, width = len(rows), X.shape[1]
    data = np.ones((count, width + 2))
    data[:, :width] = X[rows]
    indices = np.empty((count, width + 2), dtype=np.int32)
    indices[:, : width + 1] = np.arange(width + 1)
    indices[:, width + 1] = width + 1 + np.arange(count)
    bounds = np.arange(0, (count + 1) * (width + 2), width + 2, dtype=np.int32)
    return sparse.csr_matrix((data.ravel(), indices.ravel(), bounds), shape=(count, width + 1 + count))


def _marked_sparse(X: Any, rows: Any) -> Any:
    """Rows and a column for each row."""
    return sparse.hstack([X[rows].astype(np.float64), sparse.identity(len(rows))], format="csr")
