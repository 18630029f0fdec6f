"""scikit-learn as it is: whatever has `n_jobs` runs on the workers inside `parallel_config`, with the same numbers."""

from __future__ import annotations

import numpy as np
from joblib import parallel_config
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import permutation_importance
from sklearn.model_selection import RandomizedSearchCV, train_test_split

import wrenml.ml
from wrenml import default_executor

assert wrenml.ml.__doc__  # importing it is what makes "wrenml" known to joblib

if __name__ == "__main__":
    data = load_breast_cancer()
    train, test, train_labels, test_labels = train_test_split(data.data, data.target, random_state=0)
    depths = {"max_depth": [2, 4, 8], "max_features": [2, 5, 10]}
    forest = RandomForestClassifier(20, random_state=0)
    search = RandomizedSearchCV(forest, depths, n_iter=6, cv=3, random_state=0)

    with default_executor() as executor, parallel_config("wrenml", executor=executor):
        search.fit(train, train_labels)
        matters = permutation_importance(search, test, test_labels, n_repeats=5, random_state=0)

    with parallel_config("sequential"):
        here = permutation_importance(search.fit(train, train_labels), test, test_labels, n_repeats=5, random_state=0)
    assert np.array_equal(matters.importances, here.importances)

    print(f"accuracy {100 * search.score(test, test_labels):.2f} % with {search.best_params_}")
    for place in matters.importances_mean.argsort()[:-4:-1]:
        print(f"{data.feature_names[place]:22} {100 * matters.importances_mean[place]:.2f} % less without it")
