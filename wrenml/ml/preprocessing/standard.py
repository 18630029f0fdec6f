"""Scaling by mean and standard deviation."""

from __future__ import annotations

from functools import reduce
from typing import Any, Self

import numpy as np
import sklearn.preprocessing as theirs

from wrenml.ml.preprocessing.parts import DEFAULT_SHARDS, learned, unwrapped, written
from wrenml.ml.shards import is_dataset
from wrenml.ml.signatures import with_parameters

__all__ = ["StandardScaler"]

Moments = tuple[Any, Any, Any]
"""How many values columns have, their means and variances; each an ndarray of shape (n_features,), or None."""


@unwrapped
@with_parameters(n_shards=DEFAULT_SHARDS, executor=None)
class StandardScaler(theirs.StandardScaler):  # type: ignore[misc]  # scikit-learn has no types
    """scikit-learn's `StandardScaler`, whose moments are found by the workers of an executor, shard by shard.

    Moments of shards are joined in order by the formulas of T. F. Chan, G. H. Golub and R. J. LeVeque, *Updating
    Formulae and a Pairwise Algorithm for Computing Sample Variances*, 1979: they are scikit-learn's of all rows up to
    rounding.

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
    mean_, var_, scale_, n_samples_seen_, n_features_in_
        As in scikit-learn.
    """

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:  # noqa: ARG002  # scikit-learn's
        """Find means and variances of all columns.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, n_features), iterable of (X, y), or ShardedDataset
            Rows, shards, or a data set, whose shards the workers read themselves. NaN is left out. Sparse data needs
            ``with_mean=False``.
        y : object
            Ignored.
        sample_weight : array of shape (n,), optional
            How much rows count, for rows only.

        Returns
        -------
        StandardScaler
            Itself.

        Raises
        ------
        ValueError
            scikit-learn's, for data that is not valid; that of a shard names its number.
        """
        parts = learned(self, theirs.StandardScaler, ("n_samples_seen_", "mean_", "var_"), X, sample_weight)
        width = self.n_features_in_
        moments = [
            (np.broadcast_to(part["n_samples_seen_"], width), part["mean_"], part["var_"]) for part in parts
        ]  # fmt: skip
        counts, self.mean_, self.var_ = reduce(_joined, moments)
        self.n_samples_seen_ = counts[0] if counts.min() == counts.max() else counts
        self.scale_ = None if self.var_ is None else _scale(counts, self.mean_, self.var_)
        return self

    def transform(self, X: Any, copy: bool | None = None, *, url: Any = None, overwrite: bool = False) -> Any:  # noqa: FBT001  # scikit-learn's
        """Scale rows here, or have workers write a scaled data set.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, n_features), or ShardedDataset
            Rows, or a data set.
        copy : bool, optional
            As in scikit-learn.
        url : str or path, optional
            Where the new data set is written. Needed for a data set.
        overwrite : bool, default False
            Replace the data set that is there.

        Returns
        -------
        ndarray or csr matrix of shape (n, n_features), or ShardedDataset
            Scaled rows.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before it has learned.
        """
        if is_dataset(X):
            return written(self, theirs.StandardScaler, X, url, overwrite=overwrite)
        return super().transform(X, copy)


def _joined(one: Moments, other: Moments) -> Moments:
    (n1, mean1, var1), (n2, mean2, var2) = one, other
    count = n1 + n2
    if mean1 is None:
        return count, None, None
    some, both = n2 > 0, (n1 > 0) & (n2 > 0)
    share = np.divide(n2, count, out=np.zeros(len(count)), where=some)
    apart = np.where(both, mean2 - mean1, 0.0)
    mean = np.where(both, mean1 + apart * share, np.where(some, mean2, mean1))
    if var1 is None:
        return count, mean, None
    within = var1 + (var2 - var1) * share + np.square(apart) * share * (1 - share)
    return count, mean, np.where(both, within, np.where(some, var2, var1))


def _scale(counts: Any, mean: Any, var: Any) -> Any:
    """Return the standard deviations, 1 where a column is constant as far as rounding can tell.

    The bound is that of Chan, Golub and LeVeque, *Algorithms for Computing the Sample Variance*, 1983, as in
    scikit-learn.
    """
    rounding = np.finfo(np.float64).eps
    bound = counts * rounding * var + np.square(counts * mean * rounding)
    return np.where(var <= bound, 1.0, np.sqrt(var))
