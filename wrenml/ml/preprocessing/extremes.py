"""Scaling by the extremes of columns."""

from __future__ import annotations

from functools import reduce
from typing import Any, Self

import numpy as np
import sklearn.preprocessing as theirs

from wrenml.executor import Executor
from wrenml.ml.preprocessing.parts import DEFAULT_SHARDS, learned, plain, unwrapped, written
from wrenml.ml.shards import is_dataset
from wrenml.ml.signatures import with_parameters

__all__ = ["MaxAbsScaler", "MinMaxScaler"]


@unwrapped
@with_parameters(n_shards=DEFAULT_SHARDS, executor=None)
class MinMaxScaler(theirs.MinMaxScaler):  # type: ignore[misc]  # scikit-learn has no types
    """scikit-learn's `MinMaxScaler`, whose bounds are found by the workers of an executor, shard by shard.

    All it learns is equal to scikit-learn's on all rows, bit for bit.

    Parameters
    ----------
    n_shards : int, default 4
        How many shards rows are cut into. It has no effect on given shards.
    executor : Executor, optional
        Where. Default: `wrenml.default_executor`.
    others
        As in scikit-learn.

    Attributes
    ----------
    data_min_, data_max_, data_range_, min_, scale_, n_samples_seen_, n_features_in_
        As in scikit-learn.
    """

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002  # scikit-learn's
        """Find the bounds of all columns.

        Parameters
        ----------
        X : array of shape (n, n_features), iterable of (X, y), or ShardedDataset
            Rows, shards, or a data set, whose shards the workers read themselves. NaN is left out.
        y : object
            Ignored.

        Returns
        -------
        MinMaxScaler
            Itself.

        Raises
        ------
        ValueError
            scikit-learn's, for data that is not valid; that of a shard names its number.
        """
        parts = learned(self, theirs.MinMaxScaler, ("data_min_", "data_max_", "n_samples_seen_"), X)
        bounds = np.vstack([_least(parts, "data_min_"), _most(parts, "data_max_")])
        _take(self, plain(self, theirs.MinMaxScaler).fit(bounds), parts)
        return self

    def transform(self, X: Any, *, url: Any = None, overwrite: bool = False) -> Any:
        """Scale rows here, or have workers write a scaled data set.

        Parameters
        ----------
        X : array of shape (n, n_features), or ShardedDataset
            Rows, or a data set.
        url : str or path, optional
            Where the new data set is written. Needed for a data set.
        overwrite : bool, default False
            Replace the data set that is there.

        Returns
        -------
        ndarray of shape (n, n_features), or ShardedDataset
            Scaled rows.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before it has learned.
        """
        if is_dataset(X):
            return written(self, theirs.MinMaxScaler, X, url, overwrite=overwrite)
        return super().transform(X)


@unwrapped
class MaxAbsScaler(theirs.MaxAbsScaler):  # type: ignore[misc]  # scikit-learn has no types
    """scikit-learn's `MaxAbsScaler`, for sparse data too, whose bounds are found by workers, shard by shard.

    All it learns is equal to scikit-learn's on all rows, bit for bit.

    Parameters
    ----------
    n_shards, executor
        As for `MinMaxScaler`.
    others
        As in scikit-learn.

    Attributes
    ----------
    max_abs_, scale_, n_samples_seen_, n_features_in_
        As in scikit-learn.
    """

    def __init__(
        self,
        *,
        copy: bool = True,
        clip: bool = False,
        n_shards: int = DEFAULT_SHARDS,
        executor: Executor | None = None,
    ) -> None:
        super().__init__(copy=copy)
        self.clip = clip  # scikit-learn knows it from 1.8 on
        self.n_shards = n_shards
        self.executor = executor

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002  # scikit-learn's
        """Find the largest absolute value of each column; parameters, result and errors as `MinMaxScaler.fit`'s."""
        parts = learned(self, theirs.MaxAbsScaler, ("max_abs_", "n_samples_seen_"), X)
        _take(self, plain(self, theirs.MaxAbsScaler).fit(_most(parts, "max_abs_")[np.newaxis]), parts)
        return self

    def transform(self, X: Any, *, url: Any = None, overwrite: bool = False) -> Any:
        """Scale rows here, or have workers write a scaled data set; as `MinMaxScaler.transform`."""
        if is_dataset(X):
            return written(self, theirs.MaxAbsScaler, X, url, overwrite=overwrite)
        return super().transform(X)


def _least(parts: list[dict[str, Any]], name: str) -> Any:
    return reduce(np.fmin, (part[name] for part in parts))


def _most(parts: list[dict[str, Any]], name: str) -> Any:
    return reduce(np.fmax, (part[name] for part in parts))


def _take(ours: Any, fitted: Any, parts: list[dict[str, Any]]) -> None:
    """Take what scikit-learn learned of the bounds, which it would have learned of all rows."""
    learnt = {name: value for name, value in vars(fitted).items() if name.endswith("_")}
    vars(ours).update(learnt | {"n_samples_seen_": sum(part["n_samples_seen_"] for part in parts)})
