"""The mean of fitted linear models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

__all__ = ["average_linear_models"]


def average_linear_models(models: Iterable[Any], weights: Sequence[float] | None = None) -> Any:
    """Return a linear model whose coefficients are the weighted mean of those of others.

    Parameters
    ----------
    models : iterable of estimator
        Fitted linear models of scikit-learn, of one class, with the same features and, if they are classifiers, the
        same classes in `classes_`. At least one.
    weights : sequence of float, optional
        One for each model, none negative; only their ratios matter. Default: all the same.

    Returns
    -------
    estimator
        A copy of the first, with ``coef_`` and ``intercept_`` as `numpy.average` gives them. Everything else, such as
        `n_iter_`, is the first one's.

    Raises
    ------
    ValueError
        If there are no models, they do not fit together, or the weights do not fit them.
    TypeError
        If a model has no coefficients that can be set.
    sklearn.exceptions.NotFittedError
        If one is not fitted.

    Notes
    -----
    The mean of what an `SGDClassifier` or `SGDRegressor` with ``average`` has learned predicts as it should, but cannot
    learn on: these keep a second set of coefficients to themselves.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> low, high = Ridge().fit([[0], [1]], [0, 0]), Ridge().fit([[0], [1]], [1, 1])
    >>> round(float(average_linear_models([low, high]).predict([[5]])[0]), 3)
    0.5
    >>> round(float(average_linear_models([low, high], weights=[1, 3]).predict([[5]])[0]), 3)
    0.75
    """
    models = list(models)
    _check(models)
    shares = _checked(weights, len(models))
    average = deepcopy(models[0])
    try:
        average.coef_ = np.average([_dense(model.coef_) for model in models], axis=0, weights=shares)
        average.intercept_ = np.average([model.intercept_ for model in models], axis=0, weights=shares)
    except AttributeError as error:
        name = type(average).__name__
        raise TypeError(f"the coefficients of {name} cannot be set, so there is no mean of such models") from error
    return average


def _check(models: Sequence[Any]) -> None:
    if not models:
        raise ValueError("there are no models to average: give at least one")
    first = models[0]
    for number, model in enumerate(models):
        check_is_fitted(model)
        for name in ("coef_", "intercept_"):
            if not hasattr(model, name):
                raise TypeError(
                    f"model {number}, {type(model).__name__}, has no {name}: only linear models have a mean"
                )
        if type(model) is not type(first):
            raise ValueError(f"model {number} is {type(model).__name__}, model 0 {type(first).__name__}: give one kind")
        if not np.array_equal(getattr(model, "classes_", ()), getattr(first, "classes_", ())):
            raise ValueError(
                f"model {number} knows the classes {model.classes_!r}, model 0 {first.classes_!r}: train each with "
                "partial_fit(…, classes=all of them)"
            )
        if np.shape(model.coef_) != np.shape(first.coef_):
            shapes = f"{np.shape(model.coef_)}, those of model 0 {np.shape(first.coef_)}"
            raise ValueError(f"the coefficients of model {number} are of shape {shapes}: they have different features")


def _checked(weights: Sequence[float] | None, count: int) -> Any:
    if weights is None:
        return None
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != (count,):
        raise ValueError(f"weights of shape {shares.shape} for {count} models: give one number for each")
    if not np.isfinite(shares).all() or (shares < 0).any() or not shares.any():
        raise ValueError(f"weights={weights!r}: give finite numbers, none negative, not all zero")
    return shares


def _dense(coef: Any) -> Any:
    return coef.toarray() if hasattr(coef, "toarray") else coef
