"""Successive halving over an executor: the same engine, asked once for each round of candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn.model_selection
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # scikit-learn has the classes only then

from wrenml.executor import Executor
from wrenml.ml.model_selection import compat
from wrenml.ml.model_selection.searching import CellSearch

__all__ = ["HalvingGridSearchCV", "HalvingRandomSearchCV"]


class HalvingGridSearchCV(CellSearch, sklearn.model_selection.HalvingGridSearchCV):  # type: ignore[misc]  # scikit-learn has no types
    """`sklearn.model_selection.HalvingGridSearchCV`, whose candidates are evaluated over an executor.

    Parameters, attributes and results are scikit-learn's, but for the times.

    Parameters
    ----------
    executor : Executor, optional
        Default: `wrenml.default_executor`.
    n_jobs : int, optional
        Most calls under way at a time. Default, and if negative: as many as the executor has workers.
    cache : str, optional
        As for `GridSearchCV`.
    """

    _parameter_constraints = compat.constraints(
        sklearn.model_selection.HalvingGridSearchCV, executor="no_validation", cache=[str, None]
    )

    def __init__(  # noqa: PLR0913  # scikit-learn's
        self,
        estimator: Any,
        param_grid: Any,
        *,
        factor: float = 3,
        resource: str = "n_samples",
        max_resources: Any = "auto",
        min_resources: Any = "exhaust",
        aggressive_elimination: bool = False,
        cv: Any = 5,
        scoring: Any = None,
        refit: Any = True,
        error_score: Any = np.nan,
        return_train_score: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        executor: Executor | None = None,
        cache: str | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.executor = executor
        self.cache = cache


class HalvingRandomSearchCV(CellSearch, sklearn.model_selection.HalvingRandomSearchCV):  # type: ignore[misc]  # scikit-learn has no types
    """`sklearn.model_selection.HalvingRandomSearchCV`, whose candidates are evaluated over an executor.

    Parameters, attributes and results are scikit-learn's, but for the times.

    Parameters
    ----------
    executor : Executor, optional
        Default: `wrenml.default_executor`.
    n_jobs : int, optional
        Most calls under way at a time. Default, and if negative: as many as the executor has workers.
    cache : str, optional
        As for `GridSearchCV`.
    """

    _parameter_constraints = compat.constraints(
        sklearn.model_selection.HalvingRandomSearchCV, executor="no_validation", cache=[str, None]
    )

    def __init__(  # noqa: PLR0913  # scikit-learn's
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_candidates: Any = "exhaust",
        factor: float = 3,
        resource: str = "n_samples",
        max_resources: Any = "auto",
        min_resources: Any = "smallest",
        aggressive_elimination: bool = False,
        cv: Any = 5,
        scoring: Any = None,
        refit: Any = True,
        error_score: Any = np.nan,
        return_train_score: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        executor: Executor | None = None,
        cache: str | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_candidates=n_candidates,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.executor = executor
        self.cache = cache
