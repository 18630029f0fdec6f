"""Features hashed into a fixed number of columns: stateless, so that shards need nothing of each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import sklearn.feature_extraction as theirs
from scipy import sparse
from sklearn.utils import check_array

from wrenml.ml.model_selection.engine import planned, run
from wrenml.ml.preprocessing.parts import DEFAULT_SHARDS, plain, slices
from wrenml.ml.shards import is_dataset
from wrenml.ml.signatures import with_parameters
from wrenml.ml.text.documents import over_shards, stacked

__all__ = ["FeatureHasher"]


@with_parameters(columns=None, n_shards=DEFAULT_SHARDS, executor=None)
class FeatureHasher(theirs.FeatureHasher):  # type: ignore[misc]  # scikit-learn has no types
    """scikit-learn's `FeatureHasher`, whose samples are hashed by the workers of an executor; also for columns.

    Parameters
    ----------
    columns : sequence of int, optional
        Samples are rows of an array, and what these columns hold are categories: the value v of column j is hashed as
        the string ``"j=v"``, a whole number without a point. The first `n_features` columns of the result are what
        ``FeatureHasher(input_type="string")`` makes of these strings; the other columns follow, as they are. NaN, and
        what a sparse matrix does not hold, is no category. Default: samples are as `input_type` says.
    n_shards : int, default 4
        How many calls rows are shared among; the result is the same.
    executor : Executor, optional
        Where. Default: `wrenml.default_executor`.
    others
        As in scikit-learn.
    """

    def transform(self, raw_X: Any, *, url: Any = None, overwrite: bool = False) -> Any:
        """Hash samples.

        Parameters
        ----------
        raw_X : iterable over samples; array or sparse matrix of shape (n, n_columns); or ShardedDataset
            Samples as `input_type` says; with `columns`, rows or a data set.
        url : str or path, optional
            Where workers write the hashed data set. Needed for a data set.
        overwrite : bool, default False
            Replace the data set that is there.

        Returns
        -------
        csr matrix of shape (n, n_features) or, with `columns`, (n, n_features + others), or ShardedDataset
            Equal to scikit-learn's.

        Raises
        ------
        ValueError
            scikit-learn's; or a column is not there.
        """
        if is_dataset(raw_X) and (self.columns is None or raw_X.n_features is None):
            raise ValueError("of a data set, columns= of its rows are hashed: give their numbers; lines have none")
        if self.columns is None:
            samples = [sample if isinstance(sample, Mapping | str) else list(sample) for sample in raw_X]
            return stacked(over_shards(self, partial(_hashed, plain(self, theirs.FeatureHasher)), samples))
        hasher = _ColumnHasher(plain(self, theirs.FeatureHasher, input_type="string"), tuple(self.columns))
        if is_dataset(raw_X):
            if url is None:
                raise ValueError("a data set is written anew, by the workers: say where with url=")
            return raw_X.transform(hasher, url, executor=self.executor, overwrite=overwrite)
        return stacked(self._over_rows(hasher, raw_X))

    def _over_rows(self, hasher: _ColumnHasher, X: Any) -> list[Any]:
        X = check_array(X, accept_sparse="csr", dtype=None, ensure_all_finite="allow-nan")
        items = [(X[rows],) for rows in slices(X.shape[0], self.n_shards)]
        return run(planned(self.executor, "hash", self, None), hasher, items, groups=[[i] for i in range(len(items))])


def _hashed(hasher: Any, samples: Iterable[Any]) -> Any:
    return hasher.transform(samples)


class _ColumnHasher:
    """Hashes columns of a shard: in a worker.

    Parameters
    ----------
    hasher : FeatureHasher
        scikit-learn's, of strings.
    columns : tuple of int
        Those that hold categories.
    """

    def __init__(self, hasher: Any, columns: tuple[Any, ...]) -> None:
        self.__name__ = "hash"
        self._hasher = hasher
        self._columns = columns

    def __call__(self, X: Any, y: Any = None) -> Any:
        """Return the columns hashed, then the others; with labels, both."""
        self._check(X.shape[1])
        entries = [self._entries(X, column) for column in self._columns]
        rows, places, signs = (np.concatenate(parts) for parts in zip(*entries, strict=True))
        shape = (X.shape[0], self._hasher.n_features)
        hashed = sparse.csr_matrix((signs, (rows, places)), shape=shape, dtype=self._hasher.dtype)
        others = np.setdiff1d(np.arange(X.shape[1]), self._columns)
        made = sparse.hstack([hashed, _plain(X[:, others])], format="csr") if len(others) else hashed
        made.sort_indices()
        return made if y is None else (made, y)

    def _check(self, width: int) -> None:
        if not self._columns:
            raise ValueError("columns=() hashes nothing: give the numbers of some columns, or None")
        for column in self._columns:
            if not isinstance(column, int | np.integer) or not 0 <= column < width:
                raise ValueError(
                    f"columns={list(self._columns)!r}: there is no column {column!r}, X has {width}, numbered from 0"
                )

    def _entries(self, X: Any, column: int) -> tuple[Any, Any, Any]:
        """Return rows, places and signs of a column's values; each different value is hashed once."""
        if sparse.issparse(X):
            part = X[:, [column]].tocoo()
            rows, values = part.row, part.data
        else:
            rows, values = np.arange(X.shape[0]), X[:, column]
        there = values == values  # noqa: PLR0124  # NaN is not
        rows, values = rows[there], values[there]
        kinds, numbers = np.unique(values, return_inverse=True)
        if not len(kinds):
            return rows, rows, rows.astype(self._hasher.dtype)
        hashed = self._hasher.transform([f"{column}={_shown(kind)}"] for kind in kinds.tolist())
        return rows, hashed.indices[numbers], hashed.data[numbers]


def _shown(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _plain(X: Any) -> Any:
    if sparse.issparse(X):
        return X
    try:
        return sparse.csr_matrix(X.astype(np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"what is not hashed has to be numbers ({error}): give such columns in columns=") from error
