"""Grid searches of wrenml beside scikit-learn's through loky: a model, two pipelines, tiny cells, bytes stored."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import sklearn.model_selection
from _bench import WORKERS, Bench, Samples, main, race
from model_backend import cpu_seconds, stored
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import wrenml
from wrenml.ml.model_selection import GridSearchCV

_LOKY = "loky"
_SERIAL = "serial"
_WRENML = "wrenml"

Data = Any  # scikit-learn has no types
Case = tuple[Any, dict[str, list[Any]], int, Data, Data]


def texts(count: int) -> tuple[list[str], Data]:
    """Texts of 300 words, as often as in a language, and labels that do not matter."""
    rng = np.random.default_rng(0)
    often = 1 / np.arange(1, 5001)
    words = np.array([f"word{number}" for number in range(5000)])
    drawn = [" ".join(rng.choice(words, 300, p=often / often.sum())) for _ in range(count)]
    return drawn, rng.integers(0, 2, count)


def raced(
    bench: Bench, title: str, case: Case, names: list[str], executor: wrenml.Executor
) -> tuple[dict[str, Samples], dict[str, Samples]]:
    """Race searches over one grid; return wall-clock and processor time."""
    model, grid, splits, data, labels = case
    searches: dict[str, Callable[[], Any]] = {
        _WRENML: lambda: GridSearchCV(model, grid, cv=splits, refit=False, executor=executor),
        _LOKY: lambda: sklearn.model_selection.GridSearchCV(model, grid, cv=splits, refit=False, n_jobs=WORKERS),
        _SERIAL: lambda: sklearn.model_selection.GridSearchCV(model, grid, cv=splits, refit=False),
    }
    used: dict[str, list[float]] = {name: [] for name in names}
    scores: list[Any] = []

    def run(name: str) -> float:
        cpu, start = cpu_seconds(), time.perf_counter()
        search = searches[name]().fit(data, labels)
        wall = time.perf_counter() - start
        used[name].append(cpu_seconds() - cpu)
        scores.append(search.cv_results_["mean_test_score"])
        return wall

    walls = race({name: partial(run, name) for name in names}, bench.rounds(3))
    assert all(np.array_equal(score, scores[0]) for score in scores)
    # The round that warms up does not count.
    cpus = {name: Samples(tuple(values[1:])) for name, values in used.items()}
    bench.show(f"{title}, wall", walls, baseline=names[-1])
    bench.show(f"{title}, CPU", cpus, baseline=names[-1])
    return walls, cpus


def weigh(bench: Bench, executor: wrenml.Executor) -> None:
    """Count what two searches over the same data store: 60 cells over 8 MB."""
    data = np.random.default_rng(0).normal(size=(bench.size(20_000, 500), 50))
    labels = (data[:, 0] > 0).astype(int)
    grid = {"alpha": list(np.logspace(-5, -2, 12))}
    for which, target in (("the first time", 10), ("the second time", 0.1)):
        before = stored(executor)
        GridSearchCV(SGDClassifier(max_iter=2, tol=None), grid, refit=False, executor=executor).fit(data, labels)
        added = (stored(executor) - before) / 1e6
        bench.limit(f"60 cells over {data.nbytes / 1e6:.3g} MB, stored {which}", added, target, "MB")


def cases(bench: Bench) -> dict[str, tuple[Case, float]]:
    """Searches beside loky's, and the most that ours may need of its processor time."""
    whole = load_digits(return_X_y=True)
    digits = [part[: bench.size(900, 200)] for part in whole]
    strengths, widths = list(np.logspace(-1, 2, bench.size(10, 1))), list(np.logspace(-4, -2, bench.size(6, 2)))
    steps = make_pipeline(StandardScaler(), PCA(random_state=0), SVC())
    turned = {"pca__n_components": [10, 20, 30, 40], "svc__C": [0.1, 1, 10, 100], "svc__gamma": [0.001, 0.01, 0.1]}
    reader = make_pipeline(CountVectorizer(), TfidfTransformer(), SGDClassifier(random_state=0))
    read = {
        "countvectorizer__ngram_range": [(1, 1), (1, 2)],
        "tfidftransformer__norm": ["l1", "l2"],
        "sgdclassifier__alpha": [1e-5, 1e-4, 1e-3],
    }
    return {
        "SVC on digits, 60 × 5": ((SVC(), {"C": strengths, "gamma": widths}, 5, *digits), 1.05),
        "scaler, PCA, SVC, 48 × 5": ((steps, turned, bench.size(5, 2), *digits), 0.85),
        "the same, twice the rows": (
            (steps, turned, bench.size(5, 2), *(part[: bench.size(1797, 200)] for part in whole)),
            0.85,
        ),
        "texts, 12 × 3": ((reader, read, 3, *texts(bench.size(500, 30))), 1 / 3),
    }


def measure(bench: Bench) -> None:
    """Race four searches, weigh one."""
    warnings.simplefilter("ignore")
    with wrenml.local_executor(workers=WORKERS) as executor:
        for title, (case, target) in cases(bench).items():
            walls, cpus = raced(bench, title, case, [_WRENML, _LOKY], executor)
            bench.compare(f"{title}, CPU", cpus[_WRENML].median, cpus[_LOKY].median, _LOKY, target)
            bench.compare(f"{title}, wall", walls[_WRENML].median, walls[_LOKY].median, _LOKY, 1.05)
        weigh(bench, executor)
        tiny = {"C": list(np.logspace(-2, 2, bench.size(25, 2))), "gamma": list(np.logspace(-3, 1, bench.size(40, 2)))}
        title, case = "SVC on iris, 1,000 × 5", (SVC(), tiny, 5, *load_iris(return_X_y=True))
        walls, cpus = raced(bench, title, case, [_WRENML, _SERIAL], executor)
        bench.compare(f"{title}, CPU", cpus[_WRENML].median, cpus[_SERIAL].median, _SERIAL, 1.2)
        bench.compare(f"{title}, wall", walls[_WRENML].median, walls[_SERIAL].median, _SERIAL, 1)


if __name__ == "__main__":
    main(__file__, "grid searches over an executor", measure)
