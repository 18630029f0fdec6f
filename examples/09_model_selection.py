"""A search over a pipeline: results as they come, first steps shared, and what was found is found again."""

from __future__ import annotations

from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from wrenml import default_executor
from wrenml.ml.model_selection import GridSearchCV

GRID = {"pca__n_components": [2, 5, 10], "svc__C": [0.1, 1, 10, 100]}

if __name__ == "__main__":
    features, labels = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), PCA(), SVC())

    with default_executor() as executor:
        search = GridSearchCV(model, GRID, cv=5, executor=executor, cache="example")
        best = 0.0
        for number, each in enumerate(search.as_completed(features, labels), 1):
            best = max(best, each.test_scores)
            if number % 20 == 0:
                print(f"{number} of 60 fits are here")
        print(f"best on one split: {100 * best:.2f} %")
        print(f"best on average: {100 * search.best_score_:.2f} % with {search.best_params_}")

        again = GridSearchCV(model, GRID | {"svc__C": [1, 1000]}, cv=5, executor=executor, cache="example")
        again.fit(features, labels)
        print(f"another grid: {sum(each.reused for each in again.evaluated)} of {len(again.evaluated)} fits were there")
        assert round(search.best_score_) == 1
