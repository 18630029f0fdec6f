"""Losses of linear models, and how they change with the scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from scipy.special import expit

__all__ = ["LOSSES", "MarginLoss", "multinomial"]


class MarginLoss(NamedTuple):
    """A loss of two-class problems that depends on the margin alone: the score times -1 or 1, which of them is right.

    Parameters
    ----------
    loss : callable
        Of margins, an ndarray of any shape.
    slope : callable
        Its derivative by the margin.
    """

    loss: Callable[[Any], Any]
    slope: Callable[[Any], Any]


def multinomial(scores: Any, truth: Any) -> tuple[Any, Any]:
    """Cross-entropy of softmax.

    Parameters
    ----------
    scores : ndarray of shape (n, n_classes)
        Of the classes.
    truth : ndarray of shape (n,), int
        Which class is the right one.

    Returns
    -------
    ndarray of shape (n,), ndarray of shape (n, n_classes)
        The loss of each row, and its derivatives by the scores.
    """
    rows = np.arange(len(scores))
    highest = scores.max(axis=1)
    slopes = np.exp(scores - highest[:, np.newaxis])
    sums = slopes.sum(axis=1)
    total = highest + np.log(sums)
    slopes /= sums[:, np.newaxis]
    slopes[rows, truth] -= 1
    return total - scores[rows, truth], slopes


def _huber(margins: Any) -> Any:
    return np.where(margins < -1, -4 * margins, np.square(np.maximum(1 - margins, 0)))


def _huber_slope(margins: Any) -> Any:
    return np.where(margins < -1, -4.0, -2 * np.maximum(1 - margins, 0))


LOSSES: Final = {
    "log_loss": MarginLoss(lambda margins: np.logaddexp(0, -margins), lambda margins: -expit(-margins)),
    "hinge": MarginLoss(lambda margins: np.maximum(1 - margins, 0), lambda margins: -(margins < 1).astype(float)),
    "squared_hinge": MarginLoss(
        lambda margins: np.square(np.maximum(1 - margins, 0)), lambda margins: -2 * np.maximum(1 - margins, 0)
    ),
    "perceptron": MarginLoss(lambda margins: np.maximum(-margins, 0), lambda margins: -(margins <= 0).astype(float)),
    "modified_huber": MarginLoss(_huber, _huber_slope),
}
"""By scikit-learn's names."""
