"""Learning curves, validation curves and permutation tests over an executor."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import sklearn.model_selection
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state, indexable

from wrenml.executor import Executor
from wrenml.ml.model_selection import compat
from wrenml.ml.model_selection.cells import Cell, Study, score
from wrenml.ml.model_selection.content import as_content, as_one
from wrenml.ml.model_selection.engine import planned, run
from wrenml.ml.model_selection.indexing import Indices, as_indices, count, rows, rows_of_params, split
from wrenml.ml.model_selection.results import report_failed_fits
from wrenml.ml.model_selection.routing import check_groups, route
from wrenml.ml.model_selection.studies import run_study, sees_predictions_only

__all__ = ["learning_curve", "permutation_test_score", "validation_curve"]

Floats = np.ndarray[Any, Any]

_SIZES = np.linspace(0.1, 1.0, 5)


def learning_curve(  # noqa: PLR0913  # scikit-learn's
    estimator: Any,
    X: Any,
    y: Any,
    *,
    groups: Any = None,
    train_sizes: Any = _SIZES,
    cv: Any = None,
    scoring: Any = None,
    exploit_incremental_learning: bool = False,
    n_jobs: int | None = None,
    pre_dispatch: Any = "all",
    verbose: int = 0,
    shuffle: bool = False,
    random_state: Any = None,
    error_score: Any = np.nan,
    return_times: bool = False,
    params: dict[str, Any] | None = None,
    executor: Executor | None = None,
) -> tuple[Any, ...]:
    """`sklearn.model_selection.learning_curve` over an executor.

    Parameters and result are scikit-learn's, but for the times. `pre_dispatch` has no effect.

    Parameters
    ----------
    n_jobs : int, optional
        Most calls under way at a time. Default, and if negative: as many as the executor has workers.
    executor : Executor, optional
        Default: `wrenml.default_executor`.

    Returns
    -------
    tuple of ndarray
        Sizes of shape (n_sizes,), training and test scores of shape (n_sizes, n_splits), and, with `return_times`,
        times to fit and to score of the same shape, seconds.

    Raises
    ------
    ValueError
        If an argument cannot be meant, or all fits fail.
    """
    compat.check_arguments(sklearn.model_selection.learning_curve, locals())
    if exploit_incremental_learning and not hasattr(estimator, "partial_fit"):
        raise ValueError("An estimator must support the partial_fit interface to exploit incremental learning")
    check_groups(groups)
    X, y, groups = indexable(X, y, groups)
    cv = check_cv(cv, y, classifier=is_classifier(estimator))
    scorer = check_scoring(compat.without_callbacks(estimator), scoring=scoring)
    parts = {"estimator": estimator, "splitter": cv, "scorer": scorer}
    routed = route("learning_curve", params, groups, also=("partial_fit",), **parts)
    splits = list(cv.split(X, y, **routed.splitter.split))
    sizes = _absolute(train_sizes, len(splits[0][0]))
    if verbose > 0:
        print(f"[learning_curve] Training set sizes: {sizes}")  # noqa: T201
    if shuffle:
        rng = check_random_state(random_state)
        splits = [(rng.permutation(train), test) for train, test in splits]
    study = Study(
        estimator=compat.shipped(estimator),
        X=as_content(X),
        y=as_content(y),
        splits=as_one(
            splits if exploit_incremental_learning else [(s[0][:size], s[1]) for s in splits for size in sizes]
        ),
        candidates=[None],
        scorer=scorer,
        fit_params=routed.estimator.partial_fit if exploit_incremental_learning else routed.estimator.fit,
        score_params=routed.scorer.score,
        train_scores=True,
        error_score=error_score,
        verbose=verbose,
        numbered=False,
    )
    plan = planned(executor, "learning_curve", estimator, n_jobs)
    if exploit_incremental_learning:
        classes = np.unique(y) if is_classifier(estimator) else None
        found = run(plan, _GrowingTask(study, sizes, classes), [(i,) for i in range(len(splits))])
        curves = np.asarray(found).transpose((2, 1, 0))
    else:
        cells = run_study(plan, study, [(0, i) for i in range(len(study.splits))])
        report_failed_fits(cells, error_score)
        curves = _columns(cells, len(sizes), "train_scores", "test_scores", "fit_time", "score_time")
    return (sizes, *curves[: 4 if return_times else 2])


def _columns(cells: Sequence[Cell], rows_of: int, *names: str) -> Any:
    """Return what cells found, as one array of shape (rows, splits) for each name."""
    return [np.asarray([getattr(cell, name) for cell in cells]).reshape(-1, rows_of).T for name in names]


def _absolute(train_sizes: Any, most: int) -> Indices:
    """Turn fractions of the training rows into numbers of rows."""
    sizes = np.asarray(train_sizes)
    least, largest = np.min(sizes), np.max(sizes)
    if np.issubdtype(sizes.dtype, np.floating):
        if least <= 0.0 or largest > 1.0:
            raise ValueError(
                "train_sizes has been interpreted as fractions of the maximum number of training samples and must be "
                f"within (0, 1], but is within [{least:f}, {largest:f}]."
            )
        sizes = np.clip((sizes * most).astype(dtype=int, copy=False), 1, most)
    elif least <= 0 or largest > most:
        raise ValueError(
            "train_sizes has been interpreted as absolute numbers of training samples and must be within "
            f"(0, {most}], but is within [{least}, {largest}]."
        )
    unique = np.unique(sizes)
    if len(sizes) > len(unique):
        warnings.warn(
            "Removed duplicate entries from 'train_sizes'. Number of ticks will be less than the size of "
            f"'train_sizes': {len(unique)} instead of {len(sizes)}.",
            RuntimeWarning,
            stacklevel=3,
        )
    return unique


@dataclass(frozen=True, slots=True)
class _GrowingTask:
    """The task of a worker: one estimator that learns more and more rows of a split."""

    study: Study
    sizes: Indices
    classes: Any

    def __call__(self, number: int) -> Floats:
        study = self.study
        train, test = map(as_indices, study.splits[number])
        estimator = clone(study.estimator)
        learn = estimator.partial_fit
        if self.classes is not None:
            learn = partial(learn, classes=self.classes)
        found = []
        for size, part in zip(self.sizes, np.split(train, self.sizes)[:-1], strict=True):
            so_far = train[:size]
            X_train, y_train = split(estimator, study.X, study.y, so_far)
            X_part, y_part = split(estimator, study.X, study.y, part)
            X_test, y_test = split(estimator, study.X, study.y, test, so_far)
            started = time.perf_counter()
            fit_params = rows_of_params(study.X, study.fit_params, part)
            learn(X_part, **fit_params) if y_part is None else learn(X_part, y_part, **fit_params)
            learnt = time.perf_counter()
            test_score, _ = score(study, estimator, X_test, y_test, test)
            train_score, _ = score(study, estimator, X_train, y_train, so_far)
            found.append((train_score, test_score, learnt - started, time.perf_counter() - learnt))
        return np.array(found)


def validation_curve(  # noqa: PLR0913  # scikit-learn's
    estimator: Any,
    X: Any,
    y: Any,
    *,
    param_name: str,
    param_range: Any,
    groups: Any = None,
    cv: Any = None,
    scoring: Any = None,
    n_jobs: int | None = None,
    pre_dispatch: Any = "all",
    verbose: int = 0,
    error_score: Any = np.nan,
    params: dict[str, Any] | None = None,
    executor: Executor | None = None,
) -> tuple[Floats, Floats]:
    """`sklearn.model_selection.validation_curve` over an executor.

    Parameters and result are scikit-learn's. `pre_dispatch` has no effect.

    Parameters
    ----------
    n_jobs : int, optional
        Most calls under way at a time. Default, and if negative: as many as the executor has workers.
    executor : Executor, optional
        Default: `wrenml.default_executor`.

    Returns
    -------
    train_scores, test_scores : ndarray of float64 of shape (n_values, n_splits)
        The scores.
    """
    compat.check_arguments(sklearn.model_selection.validation_curve, locals())
    check_groups(groups)
    X, y, groups = indexable(X, y, groups)
    cv = check_cv(cv, y, classifier=is_classifier(estimator))
    scorer = check_scoring(compat.without_callbacks(estimator), scoring=scoring)
    routed = route("validation_curve", params, groups, estimator=estimator, splitter=cv, scorer=scorer)
    splits = list(cv.split(X, y, **routed.splitter.split))
    study = Study(
        estimator=compat.shipped(estimator),
        X=as_content(X),
        y=as_content(y),
        splits=as_one(splits),
        candidates=[{param_name: value} for value in param_range],
        scorer=scorer,
        fit_params=routed.estimator.fit,
        score_params=routed.scorer.score,
        train_scores=True,
        error_score=error_score,
        verbose=verbose,
        numbered=False,
        whole_pipeline=not sees_predictions_only(scoring),
    )
    items = [(value, number) for number, value in product(range(len(splits)), range(len(param_range)))]
    cells = run_study(planned(executor, "validation_curve", estimator, n_jobs), study, items)
    train, test = _columns(cells, len(param_range), "train_scores", "test_scores")
    return train, test


@dataclass(frozen=True, slots=True)
class _PermutedTask:
    """The task of a worker: the mean score over all splits, for targets in another order."""

    estimator: Any
    X: Any
    y: Any
    cv: Any
    scorer: Any
    split_params: Mapping[str, Any]
    fit_params: Mapping[str, Any]
    score_params: Mapping[str, Any]

    def __call__(self, order: Indices | None) -> Any:
        estimator, X = clone(self.estimator), self.X
        y = self.y if order is None else rows(self.y, order)
        scores = []
        # A splitter's generator shall not depend on which tasks a worker had before.
        for pair in copy.deepcopy(self.cv).split(X, y, **self.split_params):
            train, test = map(as_indices, pair)
            X_train, y_train = split(estimator, X, y, train)
            X_test, y_test = split(estimator, X, y, test, train)
            estimator.fit(X_train, y_train, **rows_of_params(X, self.fit_params, train))
            scores.append(self.scorer(estimator, X_test, y_test, **rows_of_params(X, self.score_params, test)))
        return np.mean(scores)


def permutation_test_score(  # noqa: PLR0913  # scikit-learn's
    estimator: Any,
    X: Any,
    y: Any,
    *,
    groups: Any = None,
    cv: Any = None,
    n_permutations: int = 100,
    n_jobs: int | None = None,
    random_state: Any = 0,
    verbose: int = 0,
    scoring: Any = None,
    params: dict[str, Any] | None = None,
    executor: Executor | None = None,
) -> tuple[Any, Floats, float]:
    """`sklearn.model_selection.permutation_test_score` over an executor.

    Parameters and result are scikit-learn's. A splitter whose `random_state` is a generator splits each permutation
    with the generator as it was given. `verbose` has no effect.

    Parameters
    ----------
    n_jobs : int, optional
        Most calls under way at a time. Default, and if negative: as many as the executor has workers.
    executor : Executor, optional
        Default: `wrenml.default_executor`.

    Returns
    -------
    score : float
        Without permuting targets.
    permutation_scores : ndarray of float64 of shape (n_permutations,)
        With permuted targets.
    pvalue : float
        That of a score this good by chance.
    """
    compat.check_arguments(sklearn.model_selection.permutation_test_score, locals())
    check_groups(groups)
    X, y, groups = indexable(X, y, groups)
    cv = check_cv(cv, y, classifier=is_classifier(estimator))
    scorer = check_scoring(compat.without_callbacks(estimator), scoring=scoring)
    rng = check_random_state(random_state)
    parts = {"estimator": estimator, "splitter": cv, "scorer": scorer}
    routed = route("permutation_test_score", params, groups, **parts)
    task = _PermutedTask(
        compat.shipped(estimator),
        as_content(X),
        as_content(y),
        cv,
        scorer,
        routed.splitter.split,
        routed.estimator.fit,
        routed.scorer.score,
    )
    orders: list[tuple[Indices | None]] = [(None,)]
    orders += [(_permuted(count(y), groups, rng),) for _ in range(n_permutations)]
    plan = planned(executor, "permutation_test_score", estimator, n_jobs)
    found, *others = run(plan, task, orders)
    permuted = np.array(others)
    return found, permuted, (np.sum(permuted >= found) + 1.0) / (n_permutations + 1)


def _permuted(rows_of: int, groups: Any, rng: np.random.RandomState) -> Indices:
    if groups is None:
        return rng.permutation(rows_of)
    order = np.arange(rows_of)
    for group in np.unique(groups):
        mask = groups == group
        order[mask] = rng.permutation(order[mask])
    return order
