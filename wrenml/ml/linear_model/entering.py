"""What a fit is given: rows, shards, or a data set in shards; and what has to be known of all of it.

::

    (X, y) ──checked, cut──┐
    [(X, y), …] ──checked──┼──▶ what stands for each shard in a call, and the Survey of all
    dataset.shards ────────┘      handles stay as they are: workers load, check and survey
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from wrenml.ml.linear_model.settings import check_number
from wrenml.ml.linear_model.shards import FLOATS, Shard, Stored, checked, checked_weights, cut, narrowed, read, weighted
from wrenml.ml.model_selection.engine import Plan, run
from wrenml.ml.shards import common_width, forget_names, is_dataset, taken

__all__ = ["Entered", "Survey", "entered", "loaded", "shards_of"]


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of rows.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Labels that occur, sorted.
    weights : ndarray of shape (n_classes,), float64
        Of the rows of each, summed.
    n_features : int
        Their width.
    """

    classes: Any
    weights: Any
    n_features: int

    @classmethod
    def of(cls, shard: Shard) -> Survey:
        """Survey a shard."""
        classes, numbers = np.unique(shard.y, return_inverse=True)
        weights = np.bincount(numbers, shard.weights, len(classes)).astype(np.float64)
        return cls(classes, weights, shard.X.shape[1])

    @classmethod
    def joint(cls, surveys: Sequence[Survey]) -> Survey:
        """Return what is known of several shards together.

        Raises
        ------
        ValueError
            If there are none, or one has other features than the first.
        """
        width = common_width([each.n_features for each in surveys])
        classes, numbers = np.unique(np.concatenate([each.classes for each in surveys]), return_inverse=True)
        weights = np.bincount(numbers, np.concatenate([each.weights for each in surveys]), len(classes))
        return cls(classes, weights, width)

    def class_weights(self, class_weight: Any) -> Any:
        """Return the weights of the classes, or None for all the same.

        Parameters
        ----------
        class_weight : dict, "balanced" or None
            As for scikit-learn's classifiers.

        Raises
        ------
        ValueError
            scikit-learn's, for other values.
        """
        if class_weight is None:
            return None
        if isinstance(class_weight, str) and class_weight == "balanced":
            return self.weights.sum() / (len(self.classes) * self.weights)
        return compute_class_weight(class_weight, classes=self.classes, y=self.classes)

    def size(self, class_weights: Any) -> float:
        """Return the sum of the weights of all rows, by which losses are divided.

        Raises
        ------
        ValueError
            If it is not above 0.
        """
        size = float((self.weights if class_weights is None else self.weights * class_weights).sum())
        if not size > 0:
            raise ValueError(f"the weights of all rows sum to {size}: give class_weight and sample_weight above 0")
        return size


@dataclass(frozen=True, slots=True)
class Entered:
    """Data as rounds need it.

    Parameters
    ----------
    shards : list
        What stands for each in a call's arguments.
    sizes : list of float
        Of each: rows, or the sum of their weights.
    survey : Survey
        Of all.
    keys : list
        What tells the content of each from any other.
    """

    shards: list[Any]
    sizes: list[float]
    survey: Survey
    keys: list[Any]


def shards_of(X: Any, y: Any, sample_weight: Any = None) -> Iterable[Any] | None:
    """Return the shards that were given in place of X and y; None if it is X that was given.

    Raises
    ------
    ValueError
        If labels or weights are given beside shards.
    """
    if y is not None:
        if is_dataset(X):
            raise ValueError("a data set brings its own labels: leave y out")
        return None
    shards = _given(X)
    if shards is not None and sample_weight is not None:
        raise ValueError("sample_weight= is for rows: shards are (X, y, sample_weight) where rows have weights")
    return shards


def _given(X: Any) -> Iterable[Any] | None:
    if is_dataset(X):
        shards: Iterable[Any] = X.shards
        return shards
    if isinstance(X, Iterator):
        return X
    if isinstance(X, list | tuple) and all(isinstance(each, tuple) and len(each) in (2, 3) for each in X):
        # A row may be a tuple of two numbers, too.
        return X if not X or hasattr(X[0][0], "__len__") or hasattr(X[0][0], "shape") else None
    return None


def entered(estimator: Any, plan: Plan, X: Any, y: Any, sample_weight: Any, seed: int | None) -> Entered:
    """Check data, store what is not stored yet, and survey it; set `n_features_in_`.

    Parameters
    ----------
    estimator : estimator
        Tells `n_shards`.
    plan : Plan
        Where.
    X, y, sample_weight : data
        Rows with labels and, perhaps, weights; or shards in place of X.
    seed : int, optional
        Of the order in which rows are dealt out to shards. Default: slices.

    Raises
    ------
    ValueError
        If it is not valid; what is wrong with a shard names its number.
    """
    shards = shards_of(X, y, sample_weight)
    if shards is None:
        found = _rows(estimator, plan, X, y, sample_weight, seed)
    elif is_dataset(X):
        found = _handles(plan, list(shards))
    else:
        found = _stored(plan, shards)
    check_number(found.survey.classes)
    if shards is not None:
        forget_names(estimator)
    estimator.n_features_in_ = found.survey.n_features
    return found


def _rows(estimator: Any, plan: Plan, X: Any, y: Any, sample_weight: Any, seed: int | None) -> Entered:
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None.")
    X, y = validate_data(
        estimator, narrowed(X), y, accept_sparse="csr", dtype=FLOATS, order="C", accept_large_sparse=False
    )  # fmt: skip
    check_classification_targets(y)
    rows = weighted(Shard(X, y, checked_weights(sample_weight, X)))
    stored = Stored.of(cut(rows, estimator.n_shards, seed), plan.executor)
    return Entered(stored.refs, stored.sizes, Survey.of(rows), [ref.digest for ref in stored.refs])


def _stored(plan: Plan, given: Iterable[Any]) -> Entered:
    surveys: list[Survey] = []

    def surveyed(shard: Shard) -> Shard:
        surveys.append(Survey.of(shard))
        return shard

    stored = Stored.of(map(surveyed, read(given)), plan.executor)
    return Entered(stored.refs, stored.sizes, Survey.joint(surveys), [ref.digest for ref in stored.refs])


def _handles(plan: Plan, handles: list[Any]) -> Entered:
    items = [(handle, number) for number, handle in enumerate(handles)]
    surveys: list[Survey] = run(plan, _surveyed, items)
    sizes = [float(each.weights.sum()) for each in surveys]
    return Entered(handles, sizes, Survey.joint(surveys), handles)


def _surveyed(handle: Any, number: int) -> Survey:
    X, y, *rest = handle.load()
    if y is None:
        raise ValueError(f"shard {number}: its rows have no labels, which classifiers need")
    return Survey.of(checked(number, (X, y, *rest)))


def loaded(given: Any) -> Shard:
    """Return a shard in a worker, from what stood for it; that of a handle was checked when it was surveyed."""
    found = taken(given)
    if isinstance(found, Shard):
        return found
    X, y, *rest = found
    return Shard(X, np.asarray(y).reshape(-1), rest[0] if rest else None)
