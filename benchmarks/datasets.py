"""Data sets in shards: reading beside numpy's, libsvm beside scikit-learn's, memory while 640 MB train."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _bench import WORKERS, Bench, main, race, seconds
from scipy import sparse
from sklearn.datasets import dump_svmlight_file, load_svmlight_file
from sklearn.linear_model import SGDClassifier

import wrenml
from wrenml.ml.datasets import ShardedDataset
from wrenml.ml.linear_model import ParallelPartialFit

_FEATURES = 100
_SETTLED = 2.5  # seconds after which a file's digest is remembered

Rows = tuple[Any, Any]


def drawn(count: int, rows: int) -> Iterator[Rows]:
    """Shards of rows that a line almost separates, made one at a time."""
    for seed in range(count):
        random = np.random.default_rng(seed)
        features = random.standard_normal((rows, _FEATURES))
        yield features, (features[:, 0] + 0.1 * random.standard_normal(rows) > 0).astype(np.int64)


def read(shards: Callable[[], Iterator[Any]]) -> float:
    """Read all shards, and use every number."""
    return sum(float(features.sum()) for features in shards())


def touched(data: ShardedDataset) -> Iterator[Any]:
    """Yield features as if their files were new, so that their digests are computed."""
    for path in Path(data.url.removeprefix("file://")).glob("*.npz"):
        os.utime(path)
    return (features for features, _ in data.stream(prefetch=0))


def reading(bench: Bench, folder: Path) -> None:
    """Race reading from a warm disk cache; the numbers are summed up, so that mapped pages are touched."""
    count, rows = bench.size(10, 2), bench.size(20_000, 500)
    data = ShardedDataset.from_shards(drawn(count, rows), url=folder / "read")
    new = ShardedDataset.from_shards(drawn(count, rows), url=folder / "new")
    for number, (features, _) in enumerate(data):
        np.save(folder / f"{number}.npy", features)
        np.savez(folder / f"{number}.npz", X=features)
    time.sleep(_SETTLED)
    read(lambda: (features for features, _ in data))
    contestants = {
        "again": lambda: (features for features, _ in data.stream(prefetch=0)),
        "with prefetch": lambda: (features for features, _ in data),
        "first time": lambda: touched(new),
        "np.load npy": lambda: (np.load(folder / f"{number}.npy") for number in range(count)),
        "np.load npz": lambda: (np.load(folder / f"{number}.npz")["X"] for number in range(count)),
    }
    racing: dict[str, Callable[[], float]] = {
        name: lambda shards=shards: seconds(lambda: read(shards)) for name, shards in contestants.items()
    }
    results = race(racing, bench.rounds())
    size = data.nbytes / 1e6
    bench.show(f"{size:.3g} MB in {count} shards, read and summed", results, baseline="np.load npy")
    ours, theirs = results["again"].median, results["np.load npy"].median
    bench.compare("reading shards", ours, theirs, "np.load npy", 1.0)
    # Which compares check sums, too.
    theirs = results["np.load npz"].median
    bench.compare("reading shards, the first time", results["first time"].median, theirs, "np.load npz", 1.5)


def parsing(bench: Bench, folder: Path) -> None:
    """Make shards of a file in libsvm's format, and read it in one piece."""
    rows = sparse.random(bench.size(20_000, 500), 1000, 0.05, format="csr", random_state=0)
    path = folder / "rows.svm"
    dump_svmlight_file(rows, np.arange(rows.shape[0]) % 2, str(path), zero_based=False)
    known = {"n_features": rows.shape[1], "zero_based": False}

    def cpu(work: Callable[[], object]) -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    def write(**more: Any) -> None:  # noqa: ANN401 - what from_libsvm takes
        ShardedDataset.from_libsvm(path, folder / "parsed", rows_per_shard=5000, overwrite=True, **more)

    results = race(
        {
            "from_libsvm": lambda: cpu(lambda: write(**known)),
            "columns unknown": lambda: cpu(write),
            "scikit-learn": lambda: cpu(lambda: load_svmlight_file(str(path), **known)),
        },
        bench.rounds(3),
    )
    bench.show(f"{path.stat().st_size / 1e6:.3g} MB of libsvm, CPU", results, baseline="scikit-learn")
    theirs = results["scikit-learn"].median
    bench.compare("libsvm, CPU", results["from_libsvm"].median, theirs, "scikit-learn", 1.5)
    bench.compare("libsvm, columns unknown, CPU", results["columns unknown"].median, theirs, "scikit-learn", 2.0)


def peak(_: object = None) -> tuple[int, float]:
    """Tell the process, and the most memory it has had, MB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    time.sleep(0.05)  # so that every worker gets one of these calls
    return os.getpid(), int(found[1]) * 1024 / 1e6


def peaks(executor: wrenml.Executor) -> dict[int, float]:
    """Peak memory of this process and of each worker, MB."""
    return dict([*executor.map(peak, range(8 * WORKERS)).results(), peak()])


def training(bench: Bench, folder: Path) -> None:
    """Train on data of which only the shard at hand is in memory; what learning imports is not counted."""
    model = ParallelPartialFit(SGDClassifier(), random_state=0)
    with wrenml.local_executor(workers=WORKERS) as executor:
        model.set_params(executor=executor).fit(ShardedDataset.from_shards(drawn(4, 100), url=folder / "tiny"))
        before = peaks(executor)
        data = ShardedDataset.from_shards(drawn(bench.size(40, 2), 20_000), url=folder / "large")
        written = peak()[1] - before[os.getpid()]
        start = time.perf_counter()
        model.fit(data)
        wall = time.perf_counter() - start
        after = peaks(executor)
    grown = {pid: found - before[pid] for pid, found in after.items()}
    client = grown.pop(os.getpid())
    bench.note(f"{data.nbytes / 1e6:,.0f} MB in {len(data)} shards of 16 MB trained in {wall:.2g} s")
    bench.limit("growth of the client while it writes", written, 64, "MB")
    bench.limit("growth of the client while it trains and writes", client, 64, "MB")
    bench.limit("growth of a worker that trains", max(grown.values()), 64, "MB")


def measure(bench: Bench) -> None:
    """Train, read, parse."""
    # Beside the caches of other rows: on the disk.
    with tempfile.TemporaryDirectory(dir=os.environ["XDG_CACHE_HOME"]) as folder:
        # First, since a process does not forget the most memory it had.
        if Path("/proc/self/status").exists():
            training(bench, Path(folder))
        reading(bench, Path(folder))
        parsing(bench, Path(folder))


if __name__ == "__main__":
    main(__file__, "data sets in shards", measure)
