"""Searches: scikit-learn's, whose candidates are evaluated over an executor.

`CellSearch` stands before scikit-learn's class: parameters, tags and what delegates to the best estimator are
scikit-learn's, `fit` is ours. How candidates are proposed (`_run_search`) is left to the class.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import sklearn.model_selection

from wrenml.executor import Executor
from wrenml.ml.model_selection import compat
from wrenml.ml.model_selection.fitting import fit_search, so_far
from wrenml.ml.model_selection.watching import Evaluated, frame, watched

__all__ = ["CellSearch", "GridSearchCV", "RandomizedSearchCV"]


class CellSearch:
    """`fit` of a search, over an executor: to be inherited from before a search class of scikit-learn.

    Attributes
    ----------
    evaluated : list of Evaluated
        What was evaluated, as it came; what a failed or interrupted search had is there too.
    dollars : float
        What the calls have cost as counted; 0 for local ones.
    """

    evaluated: list[Evaluated]
    dollars: float

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Evaluate all candidates, and fit the best to all data.

        Parameters
        ----------
        X : data of shape (n_samples, n_features)
            Training vectors: an array, sparse matrix, frame or list. Or a `wrenml.ml.datasets.ShardedDataset`, which
            workers read from where it lies, and which must fit into their memory.
        y : data of shape (n_samples,) or (n_samples, n_outputs), optional
            Targets; a data set brings its own.
        **params
            For the estimator's `fit`, the scorer and the splitter, as in scikit-learn.

        Returns
        -------
        self
        """
        fit_search(self, X, y, params)
        return self

    def as_completed(self, X: Any, y: Any = None, **params: Any) -> Iterator[Evaluated]:
        """Fit, and stream what is evaluated meanwhile.

        Parameters
        ----------
        X, y, **params
            As for `fit`.

        Yields
        ------
        Evaluated
            Each cell as it is here, in no order. At the end the search is fitted; leaving the loop before stops it.
        """
        return watched(lambda watch: fit_search(self, X, y, params, watch), lambda: so_far(self))

    def to_frame(self) -> Any:
        """Return a `pandas.DataFrame` of what was evaluated, also by a search that failed or was interrupted.

        Returns
        -------
        pandas.DataFrame
            A row for each candidate and split: parameters, scores, times in seconds, the traceback of a fit that
            failed, whether it was found in the cache, and its share of the dollars by time.
        """
        return frame(self.evaluated, self.dollars)


class GridSearchCV(CellSearch, sklearn.model_selection.GridSearchCV):  # type: ignore[misc]  # scikit-learn has no types
    """`sklearn.model_selection.GridSearchCV`, whose candidates are evaluated over an executor.

    Parameters, attributes and results are scikit-learn's, but for the times. `pre_dispatch` has no effect.

    Parameters
    ----------
    executor : Executor, optional
        Default: `wrenml.default_executor`.
    n_jobs : int, optional
        Most calls under way at a time. Default, and if negative: as many as the executor has workers.
    cache : str, optional
        Keep what is evaluated under this name in the executor's storage, and reuse what was: a search that was killed
        goes on where it was, a larger grid fits only what is new. Default: nothing is kept.
    """

    _parameter_constraints = compat.constraints(
        sklearn.model_selection.GridSearchCV, executor="no_validation", cache=[str, None]
    )

    def __init__(  # noqa: PLR0913  # scikit-learn's
        self,
        estimator: Any,
        param_grid: Any,
        *,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
        executor: Executor | None = None,
        cache: str | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.executor = executor
        self.cache = cache


class RandomizedSearchCV(CellSearch, sklearn.model_selection.RandomizedSearchCV):  # type: ignore[misc]  # scikit-learn has no types
    """`sklearn.model_selection.RandomizedSearchCV`, whose candidates are evaluated over an executor.

    Parameters, attributes and results are scikit-learn's, but for the times. `pre_dispatch` has no effect.

    Parameters
    ----------
    executor : Executor, optional
        Default: `wrenml.default_executor`.
    n_jobs : int, optional
        Most calls under way at a time. Default, and if negative: as many as the executor has workers.
    cache : str, optional
        Keep what is evaluated under this name in the executor's storage, and reuse what was: a search that was killed
        goes on where it was, a larger grid fits only what is new. Default: nothing is kept.
    """

    _parameter_constraints = compat.constraints(
        sklearn.model_selection.RandomizedSearchCV, executor="no_validation", cache=[str, None]
    )

    def __init__(  # noqa: PLR0913  # scikit-learn's
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int = 10,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        executor: Executor | None = None,
        cache: str | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.executor = executor
        self.cache = cache
