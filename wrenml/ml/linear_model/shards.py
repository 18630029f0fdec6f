"""Data cut into shards, stored once."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.multiclass import check_classification_targets

from wrenml.executor import Executor
from wrenml.ml.shards import check_columns, check_width, columns_of, given_parts, in_shard

__all__ = [
    "FLOATS",
    "Shard",
    "Stored",
    "checked",
    "checked_weights",
    "cut",
    "features",
    "narrowed",
    "noted",
    "read",
    "weighted",
]

FLOATS = (np.float64, np.float32)


@dataclass(frozen=True, slots=True)
class Shard:
    """Some rows.

    Parameters
    ----------
    X : ndarray or csr matrix of shape (n, n_features)
        Features.
    y : ndarray of shape (n,), optional
        Labels, as given.
    weights : ndarray of shape (n,), float64, optional
        Of the rows, none zero. Default: all 1.
    """

    X: Any
    y: Any
    weights: Any = None

    def __len__(self) -> int:
        return int(self.X.shape[0])

    @property
    def size(self) -> float:
        """Rows, or the sum of their weights."""
        return float(len(self) if self.weights is None else self.weights.sum())


@dataclass(frozen=True, slots=True)
class Stored:
    """Shards in the executor's storage.

    Parameters
    ----------
    refs : list of Ref
        What stands for each.
    sizes : list of float
        Of each: rows, or the sum of their weights.
    """

    refs: list[Any]
    sizes: list[float]

    @classmethod
    def of(cls, shards: Iterable[Shard], executor: Executor) -> Stored:
        """Store shards, one at a time; what is stored already is not sent again."""
        stored = cls([], [])
        for shard in shards:
            stored.refs.append(executor.put(shard))
            stored.sizes.append(shard.size)
        return stored

    def __len__(self) -> int:
        return len(self.refs)


def checked_weights(sample_weight: Any, X: Any) -> Any:
    """Return the weights of rows as an array, or None.

    Raises
    ------
    ValueError
        If they are not finite numbers, one for each row.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, numbers.Real):
        return np.full(X.shape[0], float(sample_weight))
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    check_consistent_length(X, weights)
    return weights


@contextmanager
def noted(number: int) -> Iterator[None]:
    """Add the number of the shard to whatever is raised while one is learned."""
    try:
        yield
    except Exception as error:
        error.add_note(f"It was raised while shard {number} was learned.")
        raise


def weighted(shard: Shard) -> Shard:
    """Leave out rows of weight zero: a row that does not count must not move others to another shard.

    Raises
    ------
    ValueError
        If none is left.
    """
    if shard.weights is None or shard.weights.all():
        return shard
    kept = np.flatnonzero(shard.weights)
    if not len(kept):
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return Shard(shard.X[kept], None if shard.y is None else shard.y[kept], shard.weights[kept])


def cut(rows: Shard, n_shards: int, seed: int | None) -> Iterable[Shard]:
    """Cut rows into shards of almost equal size.

    Parameters
    ----------
    rows : Shard
        All of them.
    n_shards : int
        How many; no more than there are rows.
    seed : int, optional
        Of the order in which rows are dealt out. Default: theirs, so that a shard is a slice.
    """
    count = len(rows)
    order = np.arange(count) if seed is None else np.random.default_rng([seed]).permutation(count)
    for part in np.array_split(order, min(n_shards, count)):
        some: Any = slice(part[0], part[-1] + 1) if seed is None else part
        yield Shard(
            rows.X[some],
            None if rows.y is None else rows.y[some],
            None if rows.weights is None else rows.weights[some],
        )


def features(X: Any) -> Any:
    """Check features, as scikit-learn's estimators do."""
    return check_array(narrowed(X), accept_sparse="csr", dtype=FLOATS, order="C", accept_large_sparse=False)


def narrowed(X: Any) -> Any:
    """Return a sparse matrix with indices of 32 bits, if they fit: scikit-learn's SGD takes no others.

    scipy keeps the 64 bits of numpy's integers where a `csr_array` is made of coordinates.
    """
    if not sparse.issparse(X) or X.ndim != 2:  # noqa: PLR2004  # rows and columns
        return X
    X = X.tocsr()
    if X.indices.dtype == np.int32 or max(*X.shape, X.nnz) > np.iinfo(np.int32).max:
        return X
    return type(X)((X.data, X.indices.astype(np.int32), X.indptr.astype(np.int32)), shape=X.shape)


def read(given: Iterable[Any], rows: Callable[[Any], Any] = features) -> Iterable[Shard]:
    """Check shards that a user gives, one at a time.

    Parameters
    ----------
    given : iterable of (X, y) or (X, y, sample_weight)
        Of one width.
    rows : callable, optional
        Returns a shard's X, checked. Default: it has to be features.

    Raises
    ------
    ValueError
        If one is empty, has other features, a frame's in another order, or another kind of labels than the first, or
        its data is not valid; it names the shard.
    """
    first = None
    for number, parts in enumerate(given):
        shard = checked(number, parts, rows)
        seen = shard.X.shape[1], isinstance(shard.y[0], str), columns_of(parts[0])
        first = first or seen
        check_width(number, seen[0], first[0])
        check_columns(number, seen[2], first[2])
        if seen[1] != first[1]:
            raise ValueError(f"shard {number}: of its labels and those of shard 0, some are strings and some are not")
        yield shard


def checked(number: int, parts: Any, rows: Callable[[Any], Any] = features) -> Shard:
    """Check a shard: X and y, and the weights of its rows, if there are any; X as in `read`.

    Raises
    ------
    ValueError
        If it is empty or not valid; it names the shard by its number.
    """
    given = given_parts(number, parts)
    with in_shard(number):
        X, y, *rest = given
        X = rows(X)
        y = _labels(y)
        check_consistent_length(X, y)
        check_classification_targets(y)
        shard = weighted(Shard(X, y, checked_weights(rest[0] if rest else None, X)))
    return shard if not sparse.issparse(shard.X) else Shard(shard.X.tocsr(), shard.y, shard.weights)


def _labels(y: Any) -> Any:
    if y is None:
        raise ValueError("its rows have no labels")
    return check_array(np.asarray(y).reshape(-1), ensure_2d=False, dtype=None, input_name="y")
