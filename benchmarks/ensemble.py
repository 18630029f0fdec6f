"""Forests on workers: beside scikit-learn's own threads, loky and serial, and what two fits store."""

from __future__ import annotations

import time
import warnings
from functools import partial
from typing import Any

import numpy as np
import sklearn.ensemble as theirs
from _bench import WORKERS, Bench, Samples, main, race
from joblib import parallel_config
from model_backend import cpu_seconds, stored
from sklearn.datasets import load_digits, make_classification

import wrenml
import wrenml.ml.ensemble as ours

_LOKY = "loky"
_SERIAL = "serial"
_THREADS = "threads"
_WRENML = "wrenml"

Data = tuple[Any, Any]
Forest = Any  # scikit-learn has no types


def fitted(contestant: str, trees: int, data: Data, executor: wrenml.Executor) -> Forest:
    """Fit a random forest in one of the ways."""
    if contestant == _WRENML:
        return ours.RandomForestClassifier(trees, random_state=0, executor=executor).fit(*data)
    forest = theirs.RandomForestClassifier(trees, random_state=0)
    if contestant == _LOKY:
        with parallel_config(_LOKY, n_jobs=WORKERS):
            return forest.fit(*data)
    return forest.set_params(n_jobs=WORKERS if contestant == _THREADS else 1).fit(*data)


def raced(bench: Bench, title: str, trees: int, data: Data, executor: wrenml.Executor) -> None:
    """Race the ways over one forest; judge wall-clock and processor time."""
    names = [_WRENML, _THREADS, _LOKY, _SERIAL]
    used: dict[str, list[float]] = {name: [] for name in names}
    expected = fitted(_SERIAL, trees, data, executor).predict_proba(data[0])

    def run(name: str) -> float:
        cpu, start = cpu_seconds(), time.perf_counter()
        forest = fitted(name, trees, data, executor)
        wall = time.perf_counter() - start
        used[name].append(cpu_seconds() - cpu)
        assert np.array_equal(forest.predict_proba(data[0]), expected)
        return wall

    walls = race({name: partial(run, name) for name in names}, bench.rounds(3))
    # The round that warms up does not count.
    cpus = {name: Samples(tuple(values[1:])) for name, values in used.items()}
    for what, samples in (("wall", walls), ("CPU", cpus)):
        bench.show(f"{title}, {what}", samples, baseline=_THREADS)
        for name, target in ((_THREADS, 1.25), (_LOKY, 1.05)):
            bench.compare(f"{title}, {what}", samples[_WRENML].median, samples[name].median, name, target)


def weigh(bench: Bench, executor: wrenml.Executor) -> None:
    """Count what two fits over the same data store, trees left out as far as can be."""
    data = np.random.default_rng(0).random((bench.size(40_000, 500), 50))
    forest = ours.ExtraTreesRegressor(8, max_depth=2, random_state=0, executor=executor)
    for which, target in (("the first time", 1.1), ("the second time", 0.05)):
        before = stored(executor)
        forest.fit(data, data[:, 0])
        added = (stored(executor) - before) / (data.nbytes / 2 + data.shape[0] * 8)
        bench.limit(f"forest, stored {which}, X (32 bits) and y = 1", added, target, "")


def measure(bench: Bench) -> None:
    """Race two forests, weigh one."""
    warnings.simplefilter("ignore")
    rows = bench.size(6000, 200)
    data = make_classification(rows, 40, n_informative=10, random_state=0)
    with wrenml.local_executor(workers=WORKERS) as executor:
        raced(bench, f"forest, {rows:,} × 40", bench.size(200, 4), data, executor)
        raced(bench, "forest on digits", bench.size(500, 4), load_digits(return_X_y=True), executor)
        weigh(bench, executor)


if __name__ == "__main__":
    main(__file__, "forests on workers", measure)
