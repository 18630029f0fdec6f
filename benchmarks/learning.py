"""Perceptrons on shards: an epoch beside `partial_fit`'s, and accuracy after the same processor time."""

from __future__ import annotations

import time
import warnings
from functools import partial
from typing import Any

import numpy as np
from _bench import WORKERS, Bench, Samples, main, race
from model_backend import cpu_seconds
from scipy import sparse
from sklearn.linear_model import Perceptron

import wrenml
from wrenml.ml.linear_model import ParallelPerceptron

_EPOCHS = 10
_SERIAL = "serial"
_SHARDS = 4
_WRENML = "wrenml"

Rows = tuple[Any, Any]  # scikit-learn has no types


def drawn(count: int, width: int, entries: int | None) -> Rows:
    """Rows that a line separates but for some noise: dense, or with some entries each."""
    rng = np.random.default_rng(0)
    line = rng.standard_normal(width)
    if entries is None:
        features: Any = rng.standard_normal((count, width))
    else:
        bounds = np.arange(0, count * entries + 1, entries, dtype=np.int32)
        places = rng.integers(0, width, count * entries, dtype=np.int32)
        features = sparse.csr_matrix((rng.standard_normal(count * entries), places, bounds), shape=(count, width))
    scores = features @ line
    return features, (scores + 0.5 * scores.std() * rng.standard_normal(count) > 0).astype(np.int64)


def passes(rows: Rows, epochs: int) -> Perceptron:
    """Learn epochs with scikit-learn, in another order each."""
    model = Perceptron(random_state=np.random.RandomState(0))
    for _ in range(epochs):
        model.partial_fit(*rows, classes=(0, 1))
    return model


def epochs_of(bench: Bench, title: str, rows: Rows, executor: wrenml.Executor, target: float) -> dict[str, Samples]:
    """Race epochs; what is needed once, such as storing the data, is not counted. Return the processor time of one."""
    model = ParallelPerceptron(n_shards=_SHARDS, random_state=0, executor=executor)
    used: dict[str, list[float]] = {}

    def run(name: str, average: bool) -> float:  # noqa: FBT001  # of a partial
        spent = []
        for epochs in (1, 1 + _EPOCHS):
            cpu, start = cpu_seconds(), time.perf_counter()
            if name == _SERIAL:
                passes(rows, epochs)
            else:
                fitted = model.set_params(n_epochs=epochs, average=average).fit(*rows)
                assert fitted.n_iter_ == epochs
            spent.append((time.perf_counter() - start, cpu_seconds() - cpu))
        wall, cpu = (float(after - before) / _EPOCHS for before, after in zip(*spent, strict=True))
        used.setdefault(name, []).append(cpu)
        return wall

    plain = f"{_WRENML}, no average"
    contestants = {_WRENML: (_WRENML, True), plain: (plain, False), _SERIAL: (_SERIAL, False)}
    walls = race({name: partial(run, *given) for name, given in contestants.items()}, bench.rounds(3))
    # The round that warms up does not count.
    cpus = {name: Samples(tuple(values[1:])) for name, values in used.items()}
    bench.show(f"an epoch of {title}, wall", walls, baseline=_SERIAL)
    bench.show(f"an epoch of {title}, CPU", cpus, baseline=_SERIAL)
    for name in (_WRENML, plain):
        what = f"an epoch of {title}" + name.removeprefix(_WRENML)
        bench.compare(f"{what}, CPU", cpus[name].median, cpus[_SERIAL].median, _SERIAL, target)
        bench.compare(f"{what}, wall", walls[name].median, walls[_SERIAL].median, _SERIAL, 1.0)
    return cpus


def afterwards(bench: Bench, title: str, rows: Rows, cpus: dict[str, Samples], executor: wrenml.Executor) -> None:
    """Compare how many other rows are told wrong, with the processor time of ten epochs of the serial for both."""
    features, labels = rows
    cut = len(labels) * 3 // 4
    learn, judge = (features[:cut], labels[:cut]), (features[cut:], labels[cut:])
    epochs = max(1, round(_EPOCHS * cpus[_SERIAL].median / cpus[_WRENML].median))
    mixed = ParallelPerceptron(n_shards=_SHARDS, n_epochs=epochs, random_state=0, executor=executor).fit(*learn)
    ours, theirs = (100 * (1 - float(model.score(*judge))) for model in (mixed, passes(learn, _EPOCHS)))
    bench.note(f"{title}: {epochs} epochs of ours in the processor time of {_EPOCHS} of the serial")
    bench.compare(f"{title}, told wrong after the CPU time of 10 epochs", ours, theirs, _SERIAL, 1.0, "%")


def measure(bench: Bench) -> None:
    """Race epochs on dense and sparse rows; count what travels."""
    warnings.simplefilter("ignore")
    with wrenml.local_executor(workers=WORKERS) as executor:
        cases = {
            "dense rows": (drawn(bench.size(400_000, 2_000), 50, None), 1.5),
            "sparse rows": (drawn(bench.size(100_000, 2_000), bench.size(2**16, 2**8), bench.size(100, 20)), 2.0),
        }
        for title, (rows, target) in cases.items():
            cpus = epochs_of(bench, title, rows, executor, target)
            afterwards(bench, title, rows, cpus, executor)


if __name__ == "__main__":
    main(__file__, "perceptrons on shards", measure)
