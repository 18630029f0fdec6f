"""The parameters of a parallel perceptron: checked, and made into what its workers do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import Perceptron
from sklearn.utils.class_weight import compute_class_weight

from wrenml.ml.linear_model.mixing import MIXINGS
from wrenml.ml.linear_model.passes import Training, Weights

__all__ = ["check_choices", "check_number", "check_parameters", "model_of", "training_of", "weighing"]


def check_choices(estimator: Any, at_least_one: tuple[str, ...], **choices: tuple[str, ...]) -> None:
    """Refuse counts below 1, and words that are no choice.

    Raises
    ------
    ValueError
        It names the parameter and what it may be.
    """
    for name, allowed in choices.items():
        value = getattr(estimator, name)
        if value not in allowed:
            raise ValueError(f"{name}={value!r}: give one of {', '.join(map(repr, allowed))}")
    for name in at_least_one:
        value = getattr(estimator, name)
        if not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name}={value!r}: give a whole number, 1 or more")


def check_parameters(estimator: Any) -> None:
    """Refuse parameters of a `ParallelPerceptron` that make no sense.

    Raises
    ------
    ValueError
        It names the parameter and what it may be.
    TypeError
        If `base` is another kind of model.
    """
    counts = ("n_shards", "n_epochs", "n_iter_no_change")
    check_choices(estimator, counts, strategy=("ipm", "one_shot"), mixing=MIXINGS)
    if estimator.early_stopping and estimator.strategy == "one_shot":
        raise ValueError("early_stopping=True needs strategy='ipm': with 'one_shot' no model is there between epochs")
    if not 0 < estimator.validation_fraction < 1:
        raise ValueError(f"validation_fraction={estimator.validation_fraction!r}: give more than 0 and less than 1")
    base = estimator.base
    if base is not None and not isinstance(base, Perceptron):
        raise TypeError(f"base is {type(base).__name__}: give a Perceptron; ParallelPartialFit takes other models")
    if base is not None and base.penalty is not None:
        raise ValueError(
            f"base has penalty={base.penalty!r}: give None; ParallelPartialFit takes models with a penalty"
        )


def check_number(classes: Any) -> None:
    """Refuse fewer than two classes, with scikit-learn's words.

    Raises
    ------
    ValueError
        If so.
    """
    if len(classes) < 2:  # noqa: PLR2004  # two classes are the least
        raise ValueError(f"The number of classes has to be greater than one; got {len(classes)} class")


def training_of(estimator: Any, classes: Any, weigh: Callable[[Any], Any] | None, seed: int) -> Training:
    """Return what workers do for a `ParallelPerceptron`.

    Parameters
    ----------
    estimator : ParallelPerceptron
        Its parameters are valid.
    classes : ndarray
        All of them, sorted.
    weigh : callable, optional
        Returns the classes' weights for a `class_weight`. Default: labels are not known, nothing can be balanced.
    seed : int
        Of all random orders.

    Raises
    ------
    ValueError
        If class weights are to be balanced and labels are not known, or the weights are not valid.
    """
    base = Perceptron() if estimator.base is None else clone(estimator.base)
    class_weight = base.class_weight if estimator.class_weight is None else estimator.class_weight
    if class_weight is not None:
        if isinstance(class_weight, str) and weigh is None:
            raise ValueError(
                f"class_weight {class_weight!r} is not supported for partial_fit: give a dict; "
                "compute_class_weight('balanced', …) of a large enough sample tells the weights."
            )
        weights = (weigh or weighing(classes, classes))(class_weight)
        class_weight = dict(zip(classes.tolist(), weights.tolist(), strict=True))
    base.set_params(class_weight=class_weight, early_stopping=False, warm_start=False, n_jobs=None)
    return Training(base, classes, None, range(0), seed if estimator.shuffle else None, estimator.average)


def weighing(classes: Any, y: Any) -> Callable[[Any], Any]:
    """Return what computes the classes' weights from all labels."""
    return partial(compute_class_weight, classes=classes, y=y)


def model_of(training: Training, weights: Weights) -> Any:
    """Return weights as a fitted `Perceptron`."""
    model = clone(training.base)
    model.classes_, model.n_features_in_ = training.classes, weights.coef.shape[1]
    model.coef_, model.intercept_ = weights.coef, weights.intercept
    return model
