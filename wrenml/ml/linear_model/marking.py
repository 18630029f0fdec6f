"""Rows with a column for each of them, that tells which rows were learned.

scikit-learn's `Perceptron` learns, row by row, and does not say from which rows it did. It is asked by a column for
each row that is 1 there and 0 elsewhere::

    features        1   which row
    x00 x01 …       1   1  0  0        In one pass a row's own column has weight 0 when the row is met, so it adds
    x10 x11 …       1   0  1  0        nothing to any score, and afterwards it has by how much the row was added to the
    x20 x21 …       1   0  0  1        coefficients: 0 if there was no mistake.

The column of ones is the intercept of dense data, so that it is learned as scikit-learn learns it there; sparse data
has scikit-learn's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol

import numpy as np
from scipy import sparse

__all__ = ["Marking", "blocks", "marking"]

_BLOCK_VALUES: Final = 1 << 21  # copied at a time: 24 MiB
_CHUNK_VALUES: Final = 1 << 17  # of that: little enough for the processor's cache


class Marking(Protocol):
    """Shows rows of a matrix with marks, a block at a time: what was shown before is overwritten."""

    def show(self, rows: Any) -> tuple[Any, Any]:
        """Show some rows.

        Parameters
        ----------
        rows : slice or ndarray of shape (k,)
            Which.

        Returns
        -------
        csr matrix of shape (k, n_features + k), or with one column more
            The features; for dense data a column of ones; the marks.
        ndarray or csr matrix of k rows
            The same, which need not have the marks.
        """


def marking(X: Any, *, ones: float) -> Marking:
    """Return how rows of a matrix are shown.

    Parameters
    ----------
    X : ndarray or csr matrix of shape (n, n_features)
        All rows.
    ones : float
        What stands in the column of ones: 0 if there is no intercept.
    """
    return _Sparse(X) if sparse.issparse(X) else _Dense(X, ones)


def blocks(X: Any, order: Any, n_problems: int) -> Iterator[Any]:
    """Cut an order of rows such that the copies of a block's rows stay small, whatever the shard's size.

    Parameters
    ----------
    X : ndarray or csr matrix of shape (n, n_features)
        All rows.
    order : ndarray of shape (n,), optional
        Numbers of the rows. Default: as they are.
    n_problems : int
        Of the model, which is copied for each block: a block is no smaller than it.
    """
    count, width = X.shape
    values = (X.nnz if sparse.issparse(X) else X.size) / count
    size = max(1, int(max(_BLOCK_VALUES, n_problems * width) / (values + n_problems + 2)))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count)) if order is None else order[start : start + size]


class _Dense:
    def __init__(self, X: Any, ones: float) -> None:
        self._X = X
        self._ones = ones
        self._data = self._columns = np.empty((0, X.shape[1] + 2))

    def show(self, rows: Any) -> tuple[Any, Any]:
        width, count = self._X.shape[1], _count(rows)
        if count > len(self._data):
            self._make(width, count)
        data = self._data[:count]
        for some, at in _chunks(rows, width):
            data[at, :width] = self._X[some]
        bounds = np.arange(0, data.size + 1, width + 2, dtype=np.int32)
        parts = (data.ravel(), self._columns[:count].ravel(), bounds)
        return sparse.csr_matrix(parts, shape=(count, width + 1 + count)), data[:, : width + 1]

    def _make(self, width: int, count: int) -> None:
        self._data = np.empty((count, width + 2))
        self._data[:, width], self._data[:, width + 1] = self._ones, 1
        # Zeros are kept: they cost less than looking for them.
        self._columns = np.empty((count, width + 2), dtype=np.int32)
        self._columns[:, : width + 1] = np.arange(width + 1)
        self._columns[:, width + 1] = width + 1 + np.arange(count)


class _Sparse:
    def __init__(self, X: Any) -> None:
        self._X = X
        self._lengths = np.diff(X.indptr)
        self._data, self._columns, self._given = np.empty(0), np.empty(0, np.int32), np.empty(0, bool)

    def show(self, rows: Any) -> tuple[Any, Any]:
        # scipy's hstack does the same in ten times the time.
        X, (count, width) = self._X, (_count(rows), self._X.shape[1])
        bounds = np.zeros(count + 1, dtype=np.int32)
        np.cumsum(self._lengths[rows] + 1, out=bounds[1:])
        total, own = bounds[-1], bounds[1:] - 1
        if total > len(self._data):
            self._data, self._columns, self._given = np.empty(total), np.empty(total, np.int32), np.empty(total, bool)
        data, columns, given = self._data[:total], self._columns[:total], self._given[:total]
        given[:] = True
        given[own] = False
        data[own], columns[own] = 1, width + np.arange(count)
        for some, at in _chunks(rows, max(1, total // count)):
            part = slice(bounds[at.start], bounds[at.stop])
            values, places = _entries(X, some)
            data[part][given[part]], columns[part][given[part]] = values, places
        marked = sparse.csr_matrix((data, columns, bounds), shape=(count, width + count))
        return marked, marked


def _count(rows: Any) -> int:
    return rows.stop - rows.start if isinstance(rows, slice) else len(rows)


def _chunks(rows: Any, width: int) -> Iterator[tuple[Any, slice]]:
    """Cut rows into chunks; yield each with its place among them. A slice need not be cut: nothing is gathered."""
    count = _count(rows)
    if isinstance(rows, slice):
        yield rows, slice(0, count)
        return
    size = max(1, _CHUNK_VALUES // width)
    for start in range(0, count, size):
        stop = min(start + size, count)
        yield rows[start:stop], slice(start, stop)


def _entries(X: Any, rows: Any) -> tuple[Any, Any]:
    """Return values and columns of rows of a csr matrix."""
    if isinstance(rows, slice):
        part = slice(X.indptr[rows.start], X.indptr[rows.stop])
        return X.data[part], X.indices[part]
    gathered = X[rows]
    return gathered.data, gathered.indices
