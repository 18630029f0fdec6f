"""Estimators that learn random patches, on workers.

::

    rows in memory ──whole, or cut into patches──▶ fit a patch  ──▶ estimators
                     whichever is fewer bytes      (workers)
    shards ──put once, or read there───────────▶ cut, fit patches ──▶ estimators
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from wrenml.ml.ensemble.drawing import Drawing, seeded
from wrenml.ml.ensemble.shards import loaded
from wrenml.ml.labels import united
from wrenml.ml.model_selection.engine import Plan, run
from wrenml.ml.shards import check_columns, check_width, columns_of

Found = tuple[tuple[int, int], Any]
"""The shape of the rows that patches were drawn from, and a fitted estimator."""

__all__ = ["Found", "as_targets", "classes_in", "learned", "learned_on_shards"]


@dataclass(frozen=True, slots=True)
class _Learning:
    """The task of a worker: an estimator on a patch.

    Parameters
    ----------
    estimator : estimator
        Is cloned.
    drawing : Drawing
        Of patches.
    rows : tuple, optional
        X and y. Default: each call brings its patch.
    """

    estimator: Any
    drawing: Drawing
    rows: tuple[Any, Any] | None

    def __call__(self, seed: int, patch: tuple[Any, Any] | None) -> Any:
        """Fit an estimator."""
        X, y = patch or self.drawing.cut(seed, *self.rows)  # type: ignore[misc]  # there is one of them
        return seeded(self.estimator, seed).fit(X, y)


def learned(plan: Plan, estimator: Any, drawing: Drawing, rows: tuple[Any, Any], seeds: Sequence[int]) -> list[Any]:
    """Return estimators, each fitted to a patch of some rows.

    Parameters
    ----------
    plan : Plan
        Where.
    estimator : estimator
        What to fit.
    drawing : Drawing
        Of patches.
    rows : (X, y)
        Array or csr matrix, and array.
    seeds : sequence of int
        One for each estimator.
    """
    X, y = rows
    share = drawing.rows(X.shape[0]) * drawing.columns(X.shape[1]) / (X.shape[0] * X.shape[1])
    # What travels, travels once: all of it, from which each cuts its patch, or the patches.
    cut = plan.executor.session.backend != "inline" and share * len(seeds) < 1
    items = [(seed, drawing.cut(seed, X, y) if cut else None) for seed in seeds]
    return run(plan, _Learning(estimator, drawing, None if cut else rows), items)


@dataclass(frozen=True, slots=True)
class _LearningShards:
    """The task of a worker: estimators on patches of one shard.

    Parameters
    ----------
    estimator : estimator
        Is cloned.
    drawing : Drawing
        Of patches.
    classes : ndarray, optional
        All of them. Default: labels are numbers to learn.
    """

    estimator: Any
    drawing: Drawing
    classes: Any

    def __call__(self, number: int, part: Any, seeds: Sequence[int]) -> tuple[int, list[Any], list[Found]]:
        """Fit estimators to patches of a shard; return its number of outputs and a frame's columns, too."""
        with loaded(number, part) as (data, labels, weights):
            if weights is not None:
                raise ValueError("patches have no weights: give (X, y)")
            X = check_array(data, accept_sparse="csr", dtype=None, ensure_all_finite=False)
            check_consistent_length(X, labels)
            y = as_targets(labels) if self.classes is None else np.searchsorted(self.classes, column_or_1d(labels))
            models = [seeded(self.estimator, seed).fit(*self.drawing.cut(seed, X, y)) for seed in seeds]
            outputs = 1 if y.ndim == 1 else y.shape[1]
            return outputs, columns_of(data), [(X.shape, model) for model in models]


def as_targets(y: Any) -> Any:
    """Return numbers to learn as an array, one column of them without the other dimension."""
    y = np.asarray(y)
    return column_or_1d(y, warn=True) if y.ndim == 1 or y.shape[1] == 1 else y


def learned_on_shards(
    plan: Plan, estimator: Any, drawing: Drawing, parts: Sequence[Any], seeds: Sequence[int], *, classes: Any
) -> list[Found]:
    """Return estimators, each fitted to a patch of one shard, in turn, and the shape of that shard.

    Parameters
    ----------
    plan, estimator, drawing, seeds
        As for `learned`.
    parts : sequence
        See `shards.parts_of`; no more than there are seeds.
    classes : ndarray, optional
        All of them. Default: labels are numbers to learn.

    Raises
    ------
    ValueError
        If a shard is not valid or has other features or outputs than the first, which is said with its number.
    """
    # A shard is read by as few calls as keep all workers busy.
    calls = math.ceil(plan.workers / len(parts))
    places = [
        (number, some)
        for number in range(len(parts))
        for some in np.array_split(np.arange(number, len(seeds), len(parts)), calls)
        if len(some)
    ]
    items = [(number, parts[number], [seeds[place] for place in some.tolist()]) for number, some in places]
    answers = run(plan, _LearningShards(estimator, drawing, classes), items)
    found: dict[int, Found] = {}
    first_outputs, first_columns, [((_, first_width), _), *_] = answers[0]
    for (number, some), (outputs, columns, made) in zip(places, answers, strict=True):
        check_width(number, made[0][0][1], first_width)
        if outputs != first_outputs:
            raise ValueError(f"shard {number}: y has {outputs} columns, but that of shard 0 has {first_outputs}")
        check_columns(number, columns, first_columns)
        found.update(zip(some.tolist(), made, strict=True))
    return [found[place] for place in range(len(seeds))]


def classes_in(plan: Plan, parts: Sequence[Any]) -> Any:
    """Return the labels that there are in shards, sorted; workers read them."""
    found = run(plan, _labels, list(enumerate(parts)))
    return united(found)


def _labels(number: int, part: Any) -> Any:
    with loaded(number, part) as (_, y, _):
        return np.unique(column_or_1d(y))
