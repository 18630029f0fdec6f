"""Cross-validated predictions over an executor."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn.model_selection
from scipy.sparse import issparse, vstack
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.preprocessing import LabelEncoder

from wrenml.executor import Executor
from wrenml.ml.model_selection import compat
from wrenml.ml.model_selection.content import as_content, as_one
from wrenml.ml.model_selection.engine import planned, run
from wrenml.ml.model_selection.given import given
from wrenml.ml.model_selection.indexing import Indices, as_indices, count, rows_of_params, split
from wrenml.ml.model_selection.routing import check_groups, route

__all__ = ["cross_val_predict"]

_BY_CLASS = ("decision_function", "predict_proba", "predict_log_proba")
_BINARY = 2


@dataclass(frozen=True, slots=True)
class _PredictTask:
    """The task of a worker: fit to the training rows of a split, and predict its test rows."""

    estimator: Any
    X: Any
    y: Any
    splits: Sequence[tuple[Any, Any]]
    fit_params: Mapping[str, Any]
    method: str

    def __call__(self, number: int) -> Any:
        train, test = map(as_indices, self.splits[number])
        estimator = clone(self.estimator)
        fit_params = rows_of_params(self.X, self.fit_params, train)
        X_train, y_train = split(estimator, self.X, self.y, train)
        X_test, _ = split(estimator, self.X, self.y, test, train)
        if y_train is None:
            estimator.fit(X_train, **fit_params)
        else:
            estimator.fit(X_train, y_train, **fit_params)
        predictions = getattr(estimator, self.method)(X_test)
        if self.method not in _BY_CLASS or self.y is None:
            return predictions
        if isinstance(predictions, list):
            return [
                _all_classes(classes, part, len(set(self.y[:, i])), self.method)
                for i, (classes, part) in enumerate(zip(estimator.classes_, predictions, strict=True))
            ]
        classes = len(set(self.y)) if self.y.ndim == 1 else self.y.shape[1]
        return _all_classes(estimator.classes_, predictions, classes, self.method)


def _all_classes(known: Any, predictions: Any, classes: int, method: str) -> Any:
    """Give predictions a column for each class, those included that no training row had."""
    if classes == len(known):
        return predictions
    advice = "To fix this, use a cross-validation technique resulting in properly stratified folds"
    warnings.warn(
        f"Number of classes in training fold ({len(known)}) does not match total number of classes ({classes}). "
        f"Results may not be appropriate for your use case. {advice}",
        RuntimeWarning,
        stacklevel=2,
    )
    if method == "decision_function":
        if predictions.ndim == _BINARY and predictions.shape[1] != len(known):
            # Such as those of SVC(decision_function_shape="ovo").
            raise ValueError(
                f"Output shape {predictions.shape} of {method} does not match number of classes ({len(known)}) in "
                "fold. Irregular decision_function outputs are not currently supported by cross_val_predict"
            )
        if len(known) <= _BINARY:
            # There is a single column, or none.
            raise ValueError(
                f"Only {len(known)} class/es in training fold, but {classes} in overall dataset. This is not "
                f"supported for decision_function with imbalanced folds. {advice}"
            )
    least = 0 if method == "predict_proba" else np.finfo(predictions.dtype).min
    whole = np.full((count(predictions), classes), least, dtype=predictions.dtype)
    whole[:, known] = predictions
    return whole


def cross_val_predict(  # noqa: PLR0913  # scikit-learn's
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    groups: Any = None,
    cv: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    params: dict[str, Any] | None = None,
    pre_dispatch: Any = "2*n_jobs",
    method: str = "predict",
    executor: Executor | None = None,
) -> Any:
    """`sklearn.model_selection.cross_val_predict` over an executor.

    Parameters and result are scikit-learn's. `pre_dispatch` and `verbose` have no effect.

    Parameters
    ----------
    n_jobs : int, optional
        Most calls under way at a time. Default, and if negative: as many as the executor has workers.
    executor : Executor, optional
        Default: `wrenml.default_executor`.

    Returns
    -------
    ndarray, sparse matrix or list of ndarray
        What `method` returns, for each row of X.

    Raises
    ------
    ValueError
        If a row is in no test set, or in several.
    """
    compat.check_arguments(sklearn.model_selection.cross_val_predict, locals())
    check_groups(groups)
    X, y, sent = given(X, y)
    cv = check_cv(cv, y, classifier=is_classifier(estimator))
    routed = route("cross_val_predict", params, groups, splitter=cv, estimator=estimator)
    splits = list(cv.split(X, y, **routed.splitter.split))
    test = np.concatenate([rows for _, rows in splits])
    if not np.array_equal(np.sort(test), np.arange(count(X))):
        raise ValueError("cross_val_predict only works for partitions")
    if method in _BY_CLASS and y is not None:
        y = _encoded(y)
        sent = sent[0], as_content(y)
    task = _PredictTask(compat.shipped(estimator), *sent, as_one(splits), routed.estimator.fit, method)
    plan = planned(executor, "cross_val_predict", estimator, n_jobs)
    found = run(plan, task, [(i,) for i in range(len(splits))])
    return _in_order(found, np.argsort(test), listed=method in _BY_CLASS and y is not None)


def _encoded(y: Any) -> Any:
    """Number classes, so that those of each fold can be told apart."""
    y = np.asarray(y)
    if y.ndim == 1:
        return LabelEncoder().fit_transform(y)
    return np.column_stack([LabelEncoder().fit_transform(column) for column in y.T])


def _in_order(found: Sequence[Any], order: Indices, *, listed: bool) -> Any:
    if issparse(found[0]):
        return vstack(found, format=found[0].format)[order]
    if listed and isinstance(found[0], list):
        return [np.concatenate(parts)[order] for parts in zip(*found, strict=True)]
    return np.concatenate(found)[order]
