"""A grid search on the emulated AWS, with latency: invocations and requests a cell, its cost, its time."""

from __future__ import annotations

import time

from _bench import Bench, main
from _emulated import emulated
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from wrenml import aws_executor
from wrenml.ml.model_selection import GridSearchCV

_LATENCY = {"Invoke": 0.03, "s3": 0.02}
_ENVIRONMENTS = 2
_DOLLARS = 0.01


def measure(bench: Bench) -> None:
    """One search, cold, then the same search over a larger grid, warm."""
    data, labels = load_digits(return_X_y=True)
    count = bench.size(12, 2)
    grid = {"C": [10.0 ** (i / 4) for i in range(count)], "gamma": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]}
    with emulated(_LATENCY, concurrency=_ENVIRONMENTS) as aws, aws_executor() as executor:
        for state in ("cold", "warm"):
            aws.counts()
            search = GridSearchCV(SVC(), grid, cv=5, refit=False, executor=executor)
            start = time.perf_counter()
            search.fit(data, labels)
            wall = time.perf_counter() - start
            cells = len(search.cv_results_["params"]) * 5
            counts = aws.counts()
            fitting = 5 * float(sum(search.cv_results_["mean_fit_time"] + search.cv_results_["mean_score_time"]))
            requests = sum(number for kind, number in counts.items() if kind.startswith("s3:"))
            bench.limit(f"{state}: invocations a cell, {cells} cells", counts["lambda:Invoke"] / cells, 0.5, "")
            bench.limit(f"{state}: requests of S3 a cell", requests / cells, 1.5, "")
            bench.limit(f"{state}: cost of the search", search.dollars, _DOLLARS, "dollars")
            path = fitting / _ENVIRONMENTS + _LATENCY["Invoke"] + 4 * _LATENCY["s3"]
            bench.compare(f"{state}: time of the search", wall, path, "critical path", 3.0)


if __name__ == "__main__":
    main(__file__, "a grid search on the emulated AWS", measure)
