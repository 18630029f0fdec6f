"""What ``wrenml demo`` runs on workers: one fit of a classifier of handwritten digits."""

# The command line is not deployed, so its functions are not there to be called.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Task", "accuracy"]


class Task(NamedTuple):
    """One fit: a model with its parameters, and which fold it is scored on."""

    model: str
    parameters: tuple[tuple[str, float], ...]
    fold: int


def accuracy(images: Any, digits: Any, folds: int, task: Task) -> float:  # noqa: ANN401 - numpy is not loaded here
    """Fit one model without one fold, and score it on that fold.

    Parameters
    ----------
    images : ndarray of float, shape (n, pixels)
        All images.
    digits : ndarray of int, shape (n,)
        What they show.
    folds : int
        How many folds there are.
    task : Task
        Which model, which fold.

    Returns
    -------
    float
        The part of the fold's images that is classified correctly.
    """
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415 - an extra, and slow to import

    splits = StratifiedKFold(folds, shuffle=True, random_state=0).split(images, digits)
    train, test = list(splits)[task.fold]
    model = _model(task.model, dict(task.parameters))
    return float(model.fit(images[train], digits[train]).score(images[test], digits[test]))


def _model(name: str, parameters: Mapping[str, float]) -> Any:  # noqa: ANN401 - scikit-learn is untyped
    from sklearn import ensemble, svm  # noqa: PLC0415 - an extra, and slow to import

    if name == "support vectors":
        return svm.SVC(**parameters)
    kind = ensemble.RandomForestClassifier if name == "random forest" else ensemble.ExtraTreesClassifier
    return kind(random_state=0, **parameters)
