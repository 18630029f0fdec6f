"""Rows of whatever scikit-learn takes as data: arrays, sparse matrices, frames, lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import get_tags, indexable

__all__ = ["Indices", "Split", "as_indices", "count", "rows", "rows_of_params", "split"]

Indices = np.ndarray[Any, Any]


def as_indices(selected: Any) -> Indices:
    """Return a splitter's indices, or a mask, as an array."""
    return np.asarray(selected)


def rows(data: Any, selected: Indices) -> Any:
    """Return some rows of data, in the order of their numbers; always a copy.

    Parameters
    ----------
    data : array, sparse matrix, frame, series, sequence or None
        As made indexable by `sklearn.utils.indexable`.
    selected : ndarray of int or of bool
        Numbers of rows, or a mask.
    """
    if data is None:
        return None
    if isinstance(data, np.ndarray) or issparse(data):
        return data[selected]
    numbers = np.flatnonzero(selected) if selected.dtype == bool else selected
    if hasattr(data, "iloc"):
        # Not iloc: what it returns may warn when it is changed.
        return data.take(numbers, axis=0)
    if type(data).__module__.startswith("pyarrow"):
        return data.take(numbers)
    if hasattr(data, "shape"):
        return data[numbers]
    return [data[i] for i in numbers]


def split(estimator: Any, X: Any, y: Any, selected: Indices, trained_on: Indices | None = None) -> tuple[Any, Any]:
    """Return some rows of X and y; for an estimator of distances or kernels, the columns of its training rows only.

    Parameters
    ----------
    estimator : estimator
        Its tag ``input_tags.pairwise`` counts.
    X, y : data
        `y` may be None.
    selected : ndarray
        Rows to return.
    trained_on : ndarray, optional
        Rows that the estimator is fitted to. Default: `selected`.

    Raises
    ------
    ValueError
        If a matrix of distances is not square, or no matrix.
    """
    return _cut(estimator, X, selected, trained_on), rows(y, selected)


def _cut(estimator: Any, X: Any, selected: Indices, trained_on: Indices | None) -> Any:
    if not get_tags(estimator).input_tags.pairwise:
        return rows(X, selected)
    if not hasattr(X, "shape"):
        raise ValueError("Precomputed kernels or affinity matrices have to be passed as arrays or sparse matrices.")
    if X.shape[0] != X.shape[1]:
        raise ValueError("X should be a square kernel matrix")
    return X[np.ix_(selected, selected if trained_on is None else trained_on)]


class Split:
    """The training and test rows of one split; each is cut when it is asked for first, since it may never be.

    Parameters
    ----------
    estimator : callable
        Returns the estimator that is fitted to them, as for `split`.
    X, y : data
        All rows; `y` may be None.
    train, test : ndarray
        Which of them.
    """

    def __init__(self, estimator: Callable[[], Any], X: Any, y: Any, train: Indices, test: Indices) -> None:
        self._estimator = estimator
        self._X = X
        self._y = y
        self.train = train
        self.test = test

    @cached_property
    def X_train(self) -> Any:  # noqa: N802  # as everywhere
        """Rows to fit to."""
        return _cut(self._estimator(), self._X, self.train, None)

    @cached_property
    def X_test(self) -> Any:  # noqa: N802  # as everywhere
        """Rows to score."""
        return _cut(self._estimator(), self._X, self.test, self.train)

    @cached_property
    def y_train(self) -> Any:
        """Targets of the training rows."""
        return rows(self._y, self.train)

    @cached_property
    def y_test(self) -> Any:
        """Targets of the test rows."""
        return rows(self._y, self.test)

    @property
    def test_count(self) -> int:
        """How many test rows there are; -1 where that means nothing."""
        if count(self._X) < 0:
            return -1
        return int(self.test.sum()) if self.test.dtype == bool else len(self.test)


def count(data: Any) -> int:
    """Return how many rows data has; -1 where that means nothing."""
    shape = getattr(data, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else -1
    return len(data) if hasattr(data, "__len__") else -1


def rows_of_params(X: Any, params: Mapping[str, Any] | None, selected: Indices | None = None) -> dict[str, Any]:
    """Return the parameters of a method, those with one entry for each row of X cut to the rows selected.

    Parameters
    ----------
    X : data
        What the parameters go with.
    params : mapping of str to object, optional
        Such as ``sample_weight``. Default: none.
    selected : ndarray, optional
        Default: all rows; such parameters are made indexable.
    """
    found: dict[str, Any] = {}
    for name, value in (params or {}).items():
        listed = issparse(value) or hasattr(value, "__len__") or hasattr(value, "shape")
        if not listed or count(value) != count(X):
            found[name] = value
        else:
            whole = indexable(value)[0]
            found[name] = whole if selected is None else rows(whole, selected)
    return found
