"""Grid searches of scikit-learn through joblib backends: a real one, what it stores, and one of tiny cells."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _bench import WORKERS, Bench, Samples, main, race
from _memory import descendants
from joblib import parallel_config
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

import wrenml
import wrenml.ml

_LOKY = "loky"
_SERIAL = "serial"
_WRENML = "wrenml"
_TICKS = os.sysconf("SC_CLK_TCK")

Search = Any  # scikit-learn has no types
Fit = Callable[[], Search]


def cpu_seconds() -> float:
    """Processor time of this process and of all that live under it."""
    total = time.process_time()
    for pid in descendants(os.getpid()):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / _TICKS
    return total


def through(backend: str, fit: Fit, executor: wrenml.Executor) -> Search:
    """Fit through one of the backends."""
    if backend == _SERIAL:
        return fit()
    options = {"executor": executor} if backend == _WRENML else {}
    with parallel_config(backend, n_jobs=WORKERS, **options):
        return fit()


def raced(bench: Bench, title: str, fit: Fit, names: list[str], executor: wrenml.Executor) -> dict[str, Samples]:
    """Race backends over one search; show wall-clock, return processor time."""
    used: dict[str, list[float]] = {name: [] for name in names}
    scores: list[Any] = []

    def run(name: str) -> float:
        cpu, start = cpu_seconds(), time.perf_counter()
        search = through(name, fit, executor)
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
    ours, theirs = walls[_WRENML].median, walls[names[-1]].median
    bench.compare(f"{title}, wall", ours, theirs, names[-1], 1.05 if names[-1] == _LOKY else 1)
    return cpus


def stored(executor: wrenml.Executor) -> int:
    """Bytes in the executor's storage, once everything that is written later is written."""
    executor.session.monitor.wait_until_idle()
    time.sleep(1)
    folder = Path(executor.session.storage.url.removeprefix("file://"))
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def weigh(bench: Bench, executor: wrenml.Executor) -> None:
    """Count what two searches over the same data store: 60 cells over 8 MB."""
    data = np.random.default_rng(0).normal(size=(bench.size(20_000, 500), 50))
    labels = (data[:, 0] > 0).astype(int)
    grid = {"alpha": list(np.logspace(-5, -2, 12))}
    for which, target in (("the first time", 10), ("the second time", 0.1)):
        before = stored(executor)
        search = GridSearchCV(SGDClassifier(max_iter=2, tol=None), grid, refit=False)
        through(_WRENML, partial(search.fit, data, labels), executor)
        added = (stored(executor) - before) / 1e6
        bench.limit(f"60 cells over {data.nbytes / 1e6:.3g} MB, stored {which}", added, target, "MB")


def measure(bench: Bench) -> None:
    """Race two searches, weigh one."""
    warnings.simplefilter("ignore")
    digits, iris = load_digits(return_X_y=True), load_iris(return_X_y=True)
    cells = {"C": list(np.logspace(-1, 2, bench.size(10, 1))), "gamma": list(np.logspace(-4, -2, bench.size(6, 2)))}
    tiny = {"C": list(np.logspace(-2, 2, bench.size(25, 2))), "gamma": list(np.logspace(-3, 1, bench.size(40, 2)))}
    with wrenml.local_executor(workers=WORKERS) as executor:
        fit = partial(GridSearchCV(SVC(), cells, refit=False).fit, *digits)
        cpus = raced(bench, "SVC on digits, 60 × 5", fit, [_WRENML, _LOKY], executor)
        bench.compare("SVC on digits, 60 × 5, CPU", cpus[_WRENML].median, cpus[_LOKY].median, _LOKY, 1.05)
        weigh(bench, executor)
        fit = partial(GridSearchCV(SVC(), tiny, refit=False).fit, *iris)
        cpus = raced(bench, "SVC on iris, 1,000 × 5", fit, [_WRENML, _LOKY, _SERIAL], executor)
        bench.compare("SVC on iris, 1,000 × 5, CPU", cpus[_WRENML].median, cpus[_SERIAL].median, _SERIAL, 1.2)


if __name__ == "__main__":
    main(__file__, "grid searches through joblib backends", measure)
