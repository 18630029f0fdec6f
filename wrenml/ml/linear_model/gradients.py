"""The loss of a linear model on a shard, and its gradient: what a worker does in a round of full batches.

Both are sums over rows, so that those of the shards add up to those of all rows, however these are cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot

from wrenml.ml.linear_model.losses import LOSSES, multinomial
from wrenml.ml.linear_model.shards import Shard

__all__ = ["MULTINOMIAL", "Answer", "Gradient", "data_loss", "joined", "n_problems", "parted", "row_weights"]

MULTINOMIAL: Final = "multinomial"

_BLOCK_VALUES: Final = 1 << 22  # scores, or features to be converted, that are held at a time: 32 MiB


@dataclass(frozen=True, slots=True)
class Answer:
    """What a shard answers to a model.

    Parameters
    ----------
    loss : float
        The model's, summed over the rows by their weights.
    vector : ndarray of shape (n_problems * (n_features + 1),), float64
        A gradient or a model, put together by `joined`.
    """

    loss: float
    vector: Any


def n_problems(classes: Any) -> int:
    """How many rows coefficients have: one for two classes, else one for each class."""
    return 1 if len(classes) == 2 else len(classes)  # noqa: PLR2004  # two classes are one problem


def joined(coef: Any, intercept: Any) -> Any:
    """Return coefficients and intercepts as one vector, problem by problem."""
    return np.column_stack([coef, intercept]).ravel()


def parted(vector: Any, problems: int) -> tuple[Any, Any]:
    """Return the coefficients, of shape (problems, n_features), and the intercepts, of shape (problems,), in a vector.

    They are views.
    """
    model = np.reshape(vector, (problems, -1))
    return model[:, :-1], model[:, -1]


def row_weights(shard: Shard, classes: Any, class_weights: Any) -> tuple[Any, Any]:
    """Return the numbers of the rows' classes, and the rows' weights or None.

    Parameters
    ----------
    shard : Shard
        Some rows.
    classes : ndarray
        All there are, sorted.
    class_weights : ndarray of shape (n_classes,), optional
        Theirs.
    """
    numbers = np.searchsorted(classes, shard.y)
    if class_weights is None:
        return numbers, shard.weights
    weights = class_weights[numbers]
    return numbers, weights if shard.weights is None else shard.weights * weights


@dataclass(frozen=True, slots=True)
class Gradient:
    """The task of a round.

    Parameters
    ----------
    loss : str
        One of `losses.LOSSES`, or "multinomial".
    classes : ndarray
        All there are, sorted.
    class_weights : ndarray of shape (n_classes,), optional
        Default: all 1.
    fit_intercept : bool
        False leaves the gradient by the intercepts zero.
    """

    loss: str
    classes: Any
    class_weights: Any
    fit_intercept: bool

    def __call__(self, vector: Any, shard: Shard, number: int) -> Answer:  # noqa: ARG002  # other tasks need it
        """Return the loss and its gradient, not divided by the number of rows."""
        problems = n_problems(self.classes)
        coef, intercept = parted(vector, problems)
        numbers, weights = row_weights(shard, self.classes, self.class_weights)
        total, slope_coef, slope_intercept = 0.0, np.zeros_like(coef), np.zeros_like(intercept)
        for rows in _blocks(shard.X, problems):
            X = shard.X[rows]
            if X.dtype != np.float64:
                X = X.astype(np.float64)
            # A step that was too long is taken back; if none is short enough, that is told.
            with np.errstate(over="ignore", invalid="ignore"):
                scores = safe_sparse_dot(X, coef.T, dense_output=True) + intercept
                losses, slopes = _pointwise(self.loss, scores, numbers[rows], len(self.classes))
                if weights is not None:
                    losses, slopes = losses * weights[rows], slopes * weights[rows, np.newaxis]
                total += float(losses.sum())
                slope_coef += safe_sparse_dot(X.T, slopes, dense_output=True).T
                slope_intercept += slopes.sum(axis=0)
        if not self.fit_intercept:
            slope_intercept[:] = 0
        return Answer(total, joined(slope_coef, slope_intercept))


def data_loss(loss: str, scores: Any, numbers: Any, n_classes: int, weights: Any) -> float:
    """Return the loss of scores, of shape (n, n_problems), summed over the rows by their weights.

    Each problem tells a class from all others; the loss of a row is the sum of its problems'.
    """
    losses = LOSSES[loss].loss(scores * _signs(scores, numbers, n_classes)).sum(axis=1)
    return float(losses.sum() if weights is None else losses @ weights)


def _pointwise(loss: str, scores: Any, numbers: Any, n_classes: int) -> tuple[Any, Any]:
    if loss == MULTINOMIAL and scores.shape[1] > 1:
        return multinomial(scores, numbers)
    by_margin = LOSSES["log_loss" if loss == MULTINOMIAL else loss]
    signs = _signs(scores, numbers, n_classes)
    margins = scores * signs
    return by_margin.loss(margins).sum(axis=1), by_margin.slope(margins) * signs


def _signs(scores: Any, numbers: Any, n_classes: int) -> Any:
    right = numbers[:, np.newaxis] == (np.arange(n_classes) if scores.shape[1] > 1 else 1)
    return np.where(right, 1.0, -1.0)


def _blocks(X: Any, problems: int) -> Iterator[slice]:
    """Cut rows such that what is made of a block stays small, whatever the shard's size."""
    count, width = X.shape
    values = problems
    if X.dtype != np.float64:
        values += width if not sparse.issparse(X) else int(2 * X.nnz / max(count, 1))
    size = max(1, _BLOCK_VALUES // max(values, 1))
    return (slice(start, start + size) for start in range(0, count, size))
