"""Losses of linear models: for each row its loss, and how it changes with the scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from scipy.special import expit

__all__ = ["LOSSES", "Loss", "multinomial"]

Loss = Callable[[Any, Any], tuple[Any, Any]]
"""Scores and what they should be in; the loss of each row and its derivative by the scores out."""


def multinomial(scores: Any, truth: Any) -> tuple[Any, Any]:
    """Cross-entropy of softmax.

    Parameters
    ----------
    scores : ndarray of shape (n, n_classes)
        Of the classes.
    truth : ndarray of shape (n,), int
        Which class is the right one.
    """
    rows = np.arange(len(scores))
    highest = scores.max(axis=1)
    slopes = np.exp(scores - highest[:, np.newaxis])
    sums = slopes.sum(axis=1)
    total = highest + np.log(sums)
    slopes /= sums[:, np.newaxis]
    slopes[rows, truth] -= 1
    return total - scores[rows, truth], slopes


def _by_margin(loss: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Loss:
    def of_problems(scores: Any, truth: Any) -> tuple[Any, Any]:
        margins = scores * truth
        return loss(margins).sum(axis=1), slope(margins) * truth

    return of_problems


def _huber(margins: Any) -> Any:
    return np.where(margins < -1, -4 * margins, np.square(np.maximum(1 - margins, 0)))


def _huber_slope(margins: Any) -> Any:
    return np.where(margins < -1, -4.0, -2 * np.maximum(1 - margins, 0))


LOSSES: Final[dict[str, Loss]] = {
    "log_loss": _by_margin(lambda margins: np.logaddexp(0, -margins), lambda margins: -expit(-margins)),
    "hinge": _by_margin(lambda margins: np.maximum(1 - margins, 0), lambda margins: -(margins < 1).astype(float)),
    "squared_hinge": _by_margin(
        lambda margins: np.square(np.maximum(1 - margins, 0)), lambda margins: -2 * np.maximum(1 - margins, 0)
    ),
    "perceptron": _by_margin(lambda margins: np.maximum(-margins, 0), lambda margins: -(margins <= 0).astype(float)),
    "modified_huber": _by_margin(_huber, _huber_slope),
}
"""Of two-class problems, by scikit-learn's names; scores and truth, -1 or 1, are of shape (n, n_problems), and the loss
of a row is the sum of its problems'."""
