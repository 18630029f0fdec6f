"""Rounds of learning: a map over the shards, then a mean of what they learned.

::

    shards ──put once──▶ storage                     per round and shard: one model up, one down
                            │
    weights ──▶ map(Training, shards) ──▶ Passed … ──▶ shares, mean ──▶ weights
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from wrenml.ml.linear_model.entering import loaded
from wrenml.ml.linear_model.mixing import shares_of
from wrenml.ml.linear_model.passes import Passed, Training, Weights
from wrenml.ml.linear_model.shards import Stored, noted
from wrenml.ml.model_selection.engine import Plan, run

__all__ = ["Round", "Rounds", "mean"]


@dataclass(frozen=True, slots=True)
class Round:
    """What came of a round.

    Parameters
    ----------
    passed : list of Passed
        One for each shard.
    shares : ndarray of shape (n_shards,), float64
        How much each counted.
    weights : Weights
        The mean.
    average : Weights, optional
        The mean of the shards' averages, where asked for.
    """

    passed: list[Passed]
    shares: Any
    weights: Weights
    average: Weights | None

    @property
    def mistakes(self) -> Any:
        """Ndarray of shape (n_epochs, n_shards), int64: updates."""
        return np.asarray([each.mistakes for each in self.passed], dtype=np.int64).T


@dataclass(frozen=True, slots=True)
class Rounds:
    """Learning from stored shards.

    Parameters
    ----------
    plan : Plan
        Where.
    shards : Stored
        The data.
    training : Training
        What the shards' workers do; its `start` and `epochs` are set for each round.
    mixing : str
        See `mixing.shares_of`.
    """

    plan: Plan
    shards: Stored
    training: Training
    mixing: str

    def run(self, start: Weights | None, epochs: range) -> Round:
        """Have each shard run some epochs from the same weights; return the mean of what they learned."""
        training = replace(self.training, start=start, epochs=epochs)
        items = [(ref, number) for number, ref in enumerate(self.shards.refs)]
        # One call for each shard: its worker needs that shard only.
        passed = run(self.plan, partial(_passed, training), items, groups=[[number] for number in range(len(items))])
        shares = shares_of(self.mixing, self.shards.sizes, [sum(each.mistakes) for each in passed])
        average = mean([each.average for each in passed], shares) if training.average else None
        return Round(passed, shares, mean([each.weights for each in passed], shares), average)


def _passed(training: Training, given: Any, number: int) -> Passed:
    with noted(number):
        return training(loaded(given), number)


def mean(models: Sequence[Any], shares: Any) -> Weights:
    """Return the weighted mean of models, as `numpy.average` computes it."""
    return Weights(
        np.average([each.coef for each in models], axis=0, weights=shares),
        np.average([each.intercept for each in models], axis=0, weights=shares),
    )
