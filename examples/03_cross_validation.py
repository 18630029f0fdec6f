"""Cross-validation: one call for each fold. The data is stored once, however many calls use it."""

from __future__ import annotations

from functools import partial
from statistics import mean, stdev

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wrenml import default_executor

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]


def fit_and_score(features: Numbers, labels: Places, fold: tuple[Places, Places]) -> float:
    """Fit without the fold; score on it."""
    train, test = fold
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return float(model.fit(features[train], labels[train]).score(features[test], labels[test]))


if __name__ == "__main__":
    features, labels = load_breast_cancer(return_X_y=True)
    folds = list(StratifiedKFold(10, shuffle=True, random_state=0).split(features, labels))

    with default_executor() as executor:
        scores = executor.map(partial(fit_and_score, features, labels), folds).results()

    for number, score in enumerate(scores, 1):
        print(f"fold {number:2}: {100 * score:6.2f} %  {'*' * round(50 * score)}")
    print(f"accuracy {100 * mean(scores):.2f} % ± {100 * stdev(scores):.2f}")
    assert round(mean(scores)) == 1
