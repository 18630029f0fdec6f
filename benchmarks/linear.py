"""Linear models over shards: an epoch beside `partial_fit`, L-BFGS beside scikit-learn's, what rounds send."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import boto3
import numpy as np
import sklearn.linear_model
from _bench import WORKERS, Bench, Samples, main, race, seconds
from _emulated import emulated
from model_backend import cpu_seconds
from scipy import sparse

from wrenml import Executor, aws_executor, local_executor
from wrenml.ml.datasets import ShardedDataset
from wrenml.ml.linear_model import LogisticRegression, ParallelSGDClassifier, history_to_frame

_SHARDS = 4
_EPOCHS = 10


def measure(bench: Bench) -> None:
    """Dense rows on local workers; hashed rows on the emulated AWS."""
    rows = bench.size(200_000, 2000)
    random = np.random.default_rng(0)
    data = random.normal(size=(rows, 100))
    labels = (data @ random.normal(size=100) + 5 * random.normal(size=rows) > 0).astype(int)
    with tempfile.TemporaryDirectory() as folder, local_executor(workers=WORKERS) as executor:
        dataset = ShardedDataset.from_arrays(data, labels, url=folder, rows_per_shard=rows // _SHARDS, overwrite=True)
        _epochs(bench, executor, dataset)
        _full_batches(bench, executor, dataset)
    _travel(bench)


def _epochs(bench: Bench, executor: Executor, dataset: ShardedDataset) -> None:
    data, labels = dataset.to_arrays()

    def ours() -> None:
        model = ParallelSGDClassifier("log_loss", n_epochs=_EPOCHS, tol=None, shuffle=False, executor=executor)
        model.fit(dataset)

    def theirs() -> None:
        model = sklearn.linear_model.SGDClassifier("log_loss", shuffle=False)
        for _ in range(_EPOCHS):
            model.partial_fit(data, labels, classes=[0, 1])

    title = f"{_EPOCHS} epochs of SGD, {len(data):,} × 100"
    _raced(bench, title, {"wrenml": ours, "partial_fit": theirs}, (0.8, 1.5))


def _full_batches(bench: Bench, executor: Executor, dataset: ShardedDataset) -> None:
    data, labels = dataset.to_arrays()
    exact = {"tol": 1e-9, "C": 100.0}
    found: dict[str, Any] = {}

    def ours() -> None:
        found["wrenml"] = LogisticRegression(executor=executor, **exact).fit(dataset)

    def theirs() -> None:
        found["scikit-learn"] = sklearn.linear_model.LogisticRegression(**exact).fit(data, labels)

    _raced(bench, f"L-BFGS, {len(data):,} × 100", {"wrenml": ours, "scikit-learn": theirs}, (1.0, 1.5))
    phases = history_to_frame(found["wrenml"])[["fetch", "load", "compute", "send"]].mean()
    bench.note(", ".join(f"{name} {1000 * value / _SHARDS:.2f} ms" for name, value in phases.items()))
    apart = float(np.abs(found["wrenml"].coef_ - found["scikit-learn"].coef_).max())
    bench.limit("L-BFGS, largest difference of coefficients", apart, 1e-6, "")


def _raced(
    bench: Bench, title: str, contestants: Mapping[str, Callable[[], None]], targets: tuple[float, float]
) -> None:
    """Race ours against theirs: by wall clock, and by the CPU of all processes."""
    used: dict[str, list[float]] = {name: [] for name in contestants}

    def timed(name: str) -> float:
        cpu = cpu_seconds()
        wall = seconds(contestants[name])
        used[name].append(cpu_seconds() - cpu)
        return wall

    walls = race({name: partial(timed, name) for name in contestants}, bench.rounds(5))
    cpus = {name: Samples(tuple(values[1:])) for name, values in used.items()}
    ours, theirs = contestants
    for what, results, target in (("wall", walls, targets[0]), ("CPU", cpus, targets[1])):
        bench.show(f"{title}, {what}", results, baseline=theirs)
        bench.compare(f"{title}, {what}", results[ours].median, results[theirs].median, theirs, target)


def _travel(bench: Bench) -> None:
    random = np.random.default_rng(0)
    width, rows = 2**14, bench.size(8000, 400)
    data = sparse.random(rows, width, 0.002, format="csr", random_state=random)
    labels = (data @ random.normal(size=width) > 0).astype(int)
    model_bytes = 8 * (width + 1)
    with emulated({"Invoke": 0.03, "s3": 0.02}, concurrency=WORKERS) as aws, aws_executor() as executor:
        model = ParallelSGDClassifier("log_loss", n_shards=_SHARDS, tol=None, shuffle=False, executor=executor)
        model.set_params(n_epochs=1, alpha=1e-3).fit(data, labels)  # the data is stored, the workers are warm
        before, start = _stored(executor), time.perf_counter()
        aws.counts()
        model.set_params(n_epochs=_EPOCHS, alpha=1e-4).fit(data, labels)
        wall = (time.perf_counter() - start) / _EPOCHS
        counts = aws.counts()
        calls = _EPOCHS * _SHARDS
        bench.limit("invocations, a shard and epoch", counts["lambda:Invoke"] / calls, 1, "")
        s3 = sum(number for kind, number in counts.items() if kind.startswith("s3:"))
        bench.note(", ".join(f"{kind} {number / calls:.2f}" for kind, number in sorted(counts.items())))
        bench.limit("requests of S3, a shard and epoch", s3 / calls, 7, "")
        # The first model, all zero, is there already; the others are stored once for all shards.
        bound = (calls + _EPOCHS - 1) * model_bytes
        sent = _stored(executor) - before
        bench.compare("bytes stored", sent / 1e6, bound / 1e6, "one model up, one a shard down", 1.1, "MB")
        bench.compare("an epoch, with latency", wall, 0.03 + 4 * 0.02, "Invoke and four requests", 6.0)


def _stored(executor: Executor) -> int:
    bucket = executor.session.storage.url.removeprefix("s3://").partition("/")[0]
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sum(entry["Size"] for page in pages for entry in page.get("Contents", ()))


if __name__ == "__main__":
    main(__file__, "linear models over shards", measure)
