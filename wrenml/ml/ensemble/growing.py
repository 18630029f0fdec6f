"""Forests grown on shards, each by a worker, and merged.

::

    shards ──put once, or read there──▶ scikit-learn's fit on each ──▶ trees ──▶ one forest
                                        (workers)                      classes of all shards
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from wrenml.ml.ensemble.drawing import SEEDS
from wrenml.ml.ensemble.merging import merge_forests, merged
from wrenml.ml.ensemble.shards import loaded, parts_of
from wrenml.ml.model_selection import compat
from wrenml.ml.model_selection.engine import planned, run
from wrenml.ml.shards import common_width

__all__ = ["grown"]


@dataclass(frozen=True, slots=True)
class _Growing:
    """The task of a worker: a forest on one shard.

    Parameters
    ----------
    kind : type
        scikit-learn's class.
    params : dict of str to object
        Its parameters.
    """

    kind: type
    params: dict[str, Any]

    def __call__(self, number: int, part: Any, trees: int, seed: int) -> Any:
        """Grow so many trees on a shard; only they travel back."""
        forest = self.kind(**self.params).set_params(n_estimators=trees, random_state=seed)
        with loaded(number, part) as (X, y, weights):
            return merge_forests([forest.fit(X, y, weights)])


def grown(forest: Any, shards: Iterable[Any]) -> dict[str, Any]:
    """Return the fitted attributes of a forest grown on shards.

    Parameters
    ----------
    forest : Forest
        Tells `executor`, `n_jobs`, and what to grow.
    shards : iterable
        As for `shards.parts_of`.

    Raises
    ------
    ValueError
        See `Forest.fit_shards`.
    """
    with compat.fitting(forest):
        if forest.oob_score:
            raise ValueError("fit_shards() computes no out-of-bag score: oob_score=True needs fit(X, y)")
        plan = planned(forest.executor, "fit_shards", forest, forest.n_jobs)
        parts = parts_of(shards, plan.executor)
        if len(parts) > forest.n_estimators:
            raise ValueError(
                f"n_estimators={forest.n_estimators} for {len(parts)} shards: give at least one tree for each"
            )
        counts = [len(trees) for trees in np.array_split(np.arange(forest.n_estimators), len(parts))]
        seeds = check_random_state(forest.random_state).randint(SEEDS, size=len(parts)).tolist()
        items = list(zip(range(len(parts)), parts, counts, seeds, strict=True))
        forests = run(plan, _task(forest), items)
    return _merged(forests)


def _task(forest: Any) -> _Growing:
    kind: Any = next(each for each in type(forest).__mro__ if each.__module__.startswith("sklearn."))
    params = {name: getattr(forest, name) for name in kind().get_params(deep=False)}
    return _Growing(kind, {**params, "n_jobs": None, "warm_start": False})


def _merged(forests: list[Any]) -> dict[str, Any]:
    common_width([forest.n_features_in_ for forest in forests])
    return merged(forests)
