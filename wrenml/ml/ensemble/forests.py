"""Forests: scikit-learn's, whose trees are grown by workers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import sklearn.ensemble as theirs
from joblib import parallel_config
from sklearn.base import clone

from wrenml.ml.ensemble.growing import grown
from wrenml.ml.parallel import WrenmlBackend
from wrenml.ml.signatures import with_parameters

__all__ = ["ExtraTreesClassifier", "ExtraTreesRegressor", "Forest", "RandomForestClassifier", "RandomForestRegressor"]


class Forest:
    """`fit` of a forest, on workers: to be inherited from before a forest of scikit-learn."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Grow the trees.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, n_features)
            Features; stored once, as 32 bit floats.
        y : array of shape (n,) or (n, n_outputs)
            Labels or numbers.
        sample_weight : array of shape (n,), optional
            As in scikit-learn.

        Returns
        -------
        Forest
            Itself.

        Raises
        ------
        ValueError
            scikit-learn's.
        ConfigError
            If `executor` is none.
        """
        with parallel_config(WrenmlBackend(executor=self.executor), n_jobs=-1):  # type: ignore[attr-defined]
            return super().fit(X, y, sample_weight)  # type: ignore[misc,no-any-return]

    def fit_shards(self, shards: Iterable[Any]) -> Self:
        """Grow a forest on each shard, and merge them: each tree has seen one shard only.

        It is `merge_forests` of scikit-learn's forests on the shards. Together they may be larger than memory: a worker
        has one at a time.

        Parameters
        ----------
        shards : ShardedDataset, or iterable of (X, y) or (X, y, sample_weight)
            Shards of a data set are read by the workers, others are taken and stored one at a time. A shard may lack
            classes. Rows should be dealt out at random: a forest knows no more than its shard.

        Returns
        -------
        Forest
            Itself. `n_estimators` trees are shared equally among the shards; `warm_start` has no effect, and parameters
            that depend on the data, like ``class_weight="balanced"``, take it from the shard.

        Raises
        ------
        ValueError
            If there are no shards, or more than trees; if one is not valid, which is said with its number; with
            `oob_score`.
        """
        attributes = grown(self, shards)
        unfitted = vars(clone(self))
        for name in set(vars(self)) - set(unfitted):
            delattr(self, name)
        vars(self).update(attributes)
        return self


@with_parameters(executor=None)
class RandomForestClassifier(Forest, theirs.RandomForestClassifier):  # type: ignore[misc]  # scikit-learn has no types
    """scikit-learn's `RandomForestClassifier`, whose trees are grown by the workers of an executor.

    All parameters, attributes and numbers are scikit-learn's.

    Parameters
    ----------
    n_jobs : int, optional
        How many packs of trees are grown at a time. Default: as many as there are workers. For predicting, which is
        done here, it is scikit-learn's.
    executor : Executor, optional
        Where. Default: `wrenml.default_executor`.
    others
        As in scikit-learn.
    """


@with_parameters(executor=None)
class RandomForestRegressor(Forest, theirs.RandomForestRegressor):  # type: ignore[misc]
    """scikit-learn's `RandomForestRegressor`, whose trees are grown by the workers of an executor.

    Parameters
    ----------
    n_jobs, executor, others
        As for `RandomForestClassifier`.
    """


@with_parameters(executor=None)
class ExtraTreesClassifier(Forest, theirs.ExtraTreesClassifier):  # type: ignore[misc]
    """scikit-learn's `ExtraTreesClassifier`, whose trees are grown by the workers of an executor.

    Parameters
    ----------
    n_jobs, executor, others
        As for `RandomForestClassifier`.
    """


@with_parameters(executor=None)
class ExtraTreesRegressor(Forest, theirs.ExtraTreesRegressor):  # type: ignore[misc]
    """scikit-learn's `ExtraTreesRegressor`, whose trees are grown by the workers of an executor.

    Parameters
    ----------
    n_jobs, executor, others
        As for `RandomForestClassifier`.
    """
