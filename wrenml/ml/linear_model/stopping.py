"""When to stop: nothing is wrong any more, or rows that were set aside are predicted no better."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit

from wrenml.ml.linear_model.shards import Shard

__all__ = ["Patience", "set_aside"]


def set_aside(rows: Shard, fraction: float, seed: int) -> tuple[Shard, Shard]:
    """Split rows into those to learn from and those to judge by, with the classes in the same proportions.

    Raises
    ------
    ValueError
        scikit-learn's, if there are too few rows of a class.
    """
    split = StratifiedShuffleSplit(1, test_size=fraction, random_state=seed)
    learn, judge = (np.sort(part) for part in next(split.split(np.zeros((len(rows), 1)), rows.y)))
    return _rows(rows, learn), _rows(rows, judge)


def _rows(rows: Shard, some: Any) -> Shard:
    return Shard(rows.X[some], rows.y[some], None if rows.weights is None else rows.weights[some])


class Patience:
    """Waits for a score to improve.

    Parameters
    ----------
    score : callable
        Called after each epoch.
    tol : float
        By how much it has to be better than the best before.
    rounds : int
        How many epochs without that end the learning.
    """

    def __init__(self, score: Callable[[], float], tol: float, rounds: int) -> None:
        self.scores: list[float] = []
        self._score = score
        self._tol = tol
        self._rounds = rounds
        self._best = -math.inf
        self._waited = 0

    def is_over(self) -> bool:
        """Take the score of another epoch; return whether to stop."""
        self.scores.append(self._score())
        self._waited = 0 if self.scores[-1] > self._best + self._tol else self._waited + 1
        self._best = max(self._best, self.scores[-1])
        return self._waited >= self._rounds
