"""Memory does not grow with the data: neither where it is written nor where it is learned."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier

import wrenml
from wrenml.ml.datasets import ShardedDataset
from wrenml.ml.linear_model import ParallelPartialFit

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="tells no peaks of memory"),
]

WRITER = """
import re, sys
from pathlib import Path
import numpy as np
from wrenml.ml.datasets import ShardedDataset

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1000

def shards(count, rows):
    for seed in range(count):
        yield np.random.default_rng(seed).random((rows, 100)), np.arange(rows) % 2

def lines(count):
    for number in range(count):
        yield f"{number} " + 50 * "word "

folder = Path(sys.argv[1])
ShardedDataset.from_shards(shards(2, 10), url=folder / "few")
ShardedDataset.from_lines(lines(10), folder / "few lines")
before = peak()
ShardedDataset.from_shards(shards(20, 10_000), url=folder / "rows")
ShardedDataset.from_lines(lines(200_000), folder / "lines", lines_per_shard=10_000)
for rows, labels in ShardedDataset.open(folder / "rows"):
    rows.sum()
print(peak() - before)
"""


def drawn(count: int, rows: int) -> Iterator[tuple[Any, Any]]:
    for seed in range(count):
        random = np.random.default_rng(seed)
        features = random.standard_normal((rows, 100))
        yield features, (features[:, 0] > 0).astype(int)


def peak(_: object) -> tuple[int, float]:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert found is not None
    time.sleep(0.05)  # so that every worker gets one of these calls
    return os.getpid(), int(found[1]) / 1000


def test_a_worker_holds_one_shard(tmp_path: Path) -> None:
    model = ParallelPartialFit(SGDClassifier(), n_epochs=2, random_state=0)
    with wrenml.local_executor(workers=2) as executor:
        model.set_params(executor=executor)
        model.fit(ShardedDataset.from_shards(drawn(4, 100), url=tmp_path / "few"))
        before = dict(executor.map(peak, range(16)).results())
        data = ShardedDataset.from_shards(drawn(20, 10_000), url=tmp_path / "many")  # 160 MB
        model.fit(data)
        data.verify(executor=executor)
        after = dict(executor.map(peak, range(16)).results())
    assert set(after) == set(before)
    assert max(after[pid] - before[pid] for pid in after) < 40


def test_a_writer_and_a_reader_hold_few_shards(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WRITER, tmp_path], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 64
