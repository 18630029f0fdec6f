"""Cross-validation over an executor: each split is a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sklearn.model_selection
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv

from wrenml.executor import Executor
from wrenml.ml.model_selection import compat
from wrenml.ml.model_selection.cells import Cell, Study
from wrenml.ml.model_selection.content import as_one
from wrenml.ml.model_selection.engine import planned
from wrenml.ml.model_selection.given import given
from wrenml.ml.model_selection.results import by_name, insert_error_scores, report_failed_fits
from wrenml.ml.model_selection.routing import check_groups, route
from wrenml.ml.model_selection.studies import run_study

__all__ = ["cross_val_score", "cross_validate"]


def cross_validate(  # noqa: PLR0913  # scikit-learn's
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    groups: Any = None,
    scoring: Any = None,
    cv: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    params: dict[str, Any] | None = None,
    pre_dispatch: Any = "2*n_jobs",
    return_train_score: bool = False,
    return_estimator: bool = False,
    return_indices: bool = False,
    error_score: Any = np.nan,
    executor: Executor | None = None,
) -> dict[str, Any]:
    """`sklearn.model_selection.cross_validate` over an executor.

    Parameters and result are scikit-learn's, but for the times. `pre_dispatch` has no effect.

    Parameters
    ----------
    n_jobs : int, optional
        Most calls under way at a time. Default, and if negative: as many as the executor has workers.
    executor : Executor, optional
        Default: `wrenml.default_executor`.

    Returns
    -------
    dict of str to ndarray of shape (n_splits,)
        ``fit_time``, ``score_time``, ``test_score``…

    Raises
    ------
    ValueError
        If all fits fail, or an argument cannot be meant.
    """
    compat.check_arguments(sklearn.model_selection.cross_validate, locals())
    check_groups(groups)
    X, y, sent = given(X, y)
    cv = check_cv(cv, y, classifier=is_classifier(estimator))
    scorer = check_scoring(compat.without_callbacks(estimator), scoring=scoring, raise_exc=error_score == "raise")
    routed = route("cross_validate", params, groups, splitter=cv, estimator=estimator, scorer=scorer)
    metrics = compat.metrics_of(scorer, scoring)
    splits = list(cv.split(X, y, **routed.splitter.split))
    study = Study(
        estimator=compat.shipped(estimator),
        X=sent[0],
        y=sent[1],
        splits=as_one(splits),
        candidates=[None],
        scorer=scorer,
        metrics=None if metrics is None else tuple(metrics),
        fit_params=routed.estimator.fit,
        score_params=routed.scorer.score,
        train_scores=return_train_score,
        keep_estimator=return_estimator,
        error_score=error_score,
        verbose=verbose,
        numbered=False,
    )
    plan = planned(executor, "cross_validate", estimator, n_jobs)
    cells = run_study(plan, study, [(0, i) for i in range(len(splits))])
    report_failed_fits(cells, error_score)
    if callable(scoring):
        cells = insert_error_scores(cells, error_score)
    found = _scores(cells)
    if return_estimator:
        found["estimator"] = [cell.estimator for cell in cells]
    if return_indices:
        train, test = zip(*splits, strict=True)
        found["indices"] = {"train": train, "test": test}
    # In scikit-learn's order.
    return {name: found[name] for name in sorted(found, key=_place)}


def _scores(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return times and scores by name."""
    found: dict[str, Any] = {name: np.asarray([getattr(c, name) for c in cells]) for name in ("fit_time", "score_time")}
    trained = by_name([cell.train_scores for cell in cells]) if cells[0].train_scores is not None else {}
    for name, scores in by_name([cell.test_scores for cell in cells]).items():
        found[f"test_{name}"] = scores
        if name in trained:
            found[f"train_{name}"] = trained[name]
    return found


def _place(name: str) -> int:
    return ("fit_time", "score_time", "estimator", "indices", name).index(name)


def cross_val_score(  # noqa: PLR0913  # scikit-learn's
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    groups: Any = None,
    scoring: Any = None,
    cv: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    params: dict[str, Any] | None = None,
    pre_dispatch: Any = "2*n_jobs",
    error_score: Any = np.nan,
    executor: Executor | None = None,
) -> Any:
    """`sklearn.model_selection.cross_val_score` over an executor; otherwise like `cross_validate`.

    Returns
    -------
    ndarray of float64 of shape (n_splits,)
        The scores.
    """
    compat.check_arguments(sklearn.model_selection.cross_val_score, locals())
    # As one of several metrics, so that it has to be a single number.
    scorer = check_scoring(compat.without_callbacks(estimator), scoring=scoring)
    return cross_validate(
        estimator,
        X,
        y,
        groups=groups,
        scoring={"score": scorer},
        cv=cv,
        n_jobs=n_jobs,
        verbose=verbose,
        params=params,
        pre_dispatch=pre_dispatch,
        error_score=error_score,
        executor=executor,
    )["test_score"]
