"""Forests that were grown apart, as one."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import sklearn.ensemble as theirs
from sklearn.base import clone, is_classifier
from sklearn.utils.validation import check_is_fitted

from wrenml.ml.labels import kind_of

__all__ = ["merge_forests", "merged"]

_FORESTS: Final = (
    theirs.RandomForestClassifier,
    theirs.RandomForestRegressor,
    theirs.ExtraTreesClassifier,
    theirs.ExtraTreesRegressor,
)


def merge_forests(forests: Iterable[Any]) -> Any:
    """Return a forest of the trees of several, for example of forests that were grown on parts of the data.

    It predicts the mean of its trees: the mean of what the forests predict, each weighted by its number of trees.

    Parameters
    ----------
    forests : iterable of forest
        Fitted random forests or extra trees, of scikit-learn or of `wrenml.ml.ensemble`, all classifiers or all
        regressors, with the same features and number of outputs. They may know different classes, and are not changed.

    Returns
    -------
    forest
        Of the class and with the parameters of the first; `n_estimators` is the number of all trees. Its `classes_` are
        those that any of the forests knows. What depends on the data, like out-of-bag scores, it does not have.

    Raises
    ------
    TypeError
        If one is no such forest, which is said with its number.
    ValueError
        If there are none, or one is not fitted or does not go with the first, which is said with its number.
    """
    models = list(forests)
    attributes = merged(models)
    # Its parameters, without anything that was fitted.
    forest = clone(models[0]).set_params(n_estimators=len(attributes["estimators_"]))
    vars(forest).update(attributes)
    return forest


def merged(forests: Sequence[Any]) -> dict[str, Any]:
    """Return the fitted attributes of a merged forest; see `merge_forests`."""
    _check(forests)
    first = forests[0]
    names = ("estimator_", "n_features_in_", "feature_names_in_", "n_outputs_")
    attributes = {name: getattr(first, name) for name in names if hasattr(first, name)}
    if not is_classifier(first):
        return {**attributes, "estimators_": [tree for forest in forests for tree in forest.estimators_]}
    known = [_classes(forest) for forest in forests]
    union = [np.unique(np.concatenate(each)) for each in zip(*known, strict=True)]
    trees = []
    for forest, classes in zip(forests, known, strict=True):
        places = [np.searchsorted(every, some) for every, some in zip(union, classes, strict=True)]
        trees += [_widened(tree, places, union) for tree in forest.estimators_]
    counts = [len(classes) for classes in union]
    one = first.n_outputs_ == 1
    return {
        **attributes,
        "classes_": union[0] if one else union,
        "n_classes_": counts[0] if one else counts,
        "estimators_": trees,
    }


def _classes(forest: Any) -> list[Any]:
    """The classes that a forest knows, for each output."""
    return [forest.classes_] if forest.n_outputs_ == 1 else list(forest.classes_)


def _widened(tree: Any, places: Sequence[Any], union: Sequence[Any]) -> Any:
    """Return a tree that knows more classes.

    Parameters
    ----------
    tree : tree
        Of a forest: it knows classes by their numbers.
    places : sequence of ndarray of int
        Where its classes stand among all, for each output.
    union : sequence of ndarray
        All classes, for each output.
    """
    if all(len(some) == len(every) for some, every in zip(places, union, strict=True)):
        return tree
    # A tree gives its nodes to be pickled, and takes them back with values of another width.
    make, (n_features, _, n_outputs), state = tree.tree_.__reduce__()
    counts = np.array([len(classes) for classes in union], dtype=np.intp)
    values = np.zeros((len(state["values"]), n_outputs, max(map(len, union))))
    for output, columns in enumerate(places):
        values[:, output, columns] = state["values"][:, output, : len(columns)]
    wide = copy.copy(tree)
    wide.tree_ = make(n_features, counts, n_outputs)
    wide.tree_.__setstate__({**state, "values": values})
    numbers = [np.arange(count, dtype=np.float64) for count in counts]
    one = n_outputs == 1
    wide.classes_, wide.n_classes_ = (numbers[0], counts[0]) if one else (numbers, counts)
    return wide


# What goes together


def _check(forests: Sequence[Any]) -> None:
    if not forests:
        raise ValueError("there are no forests: give at least one")
    for number, forest in enumerate(forests):
        if not isinstance(forest, _FORESTS):
            raise TypeError(f"forest {number} is {type(forest).__name__}: give random forests or extra trees")
        try:
            check_is_fitted(forest)
        except ValueError as error:
            raise ValueError(f"forest {number} is not fitted: {error}") from error
    for number, forest in enumerate(forests):
        difference = _difference(forest, forests[0])
        if difference:
            raise ValueError(f"forest {number} {difference}")


def _difference(forest: Any, first: Any) -> str:
    kind, wanted = type(forest.estimators_[0]).__name__, type(first.estimators_[0]).__name__
    if kind != wanted:
        return f"has trees of the kind {kind}, forest 0 {wanted}: give forests of one kind"
    for name, what in (("n_features_in_", "features"), ("n_outputs_", "outputs")):
        if getattr(forest, name) != getattr(first, name):
            return f"has {getattr(forest, name)} {what}, forest 0 {getattr(first, name)}: they learned different data"
    if not np.array_equal(getattr(forest, "feature_names_in_", ()), getattr(first, "feature_names_in_", ())):
        return "knows its features by other names than forest 0: they learned different columns, or in another order"
    if is_classifier(first):
        for some, others in zip(_classes(forest), _classes(first), strict=True):
            if kind_of(some) != kind_of(others):
                return f"knows the classes {some!r}, forest 0 {others!r}: give labels of one type"
    return ""
