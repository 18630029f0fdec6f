"""One array for all workers, as in multiprocessing's shared arrays: what a worker has in memory for itself alone."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from wrenml import local_executor

Pixels = NDArray[np.float64]
SMAPS = Path("/proc/self/smaps_rollup")  # only Linux tells


def own() -> float:
    """Megabytes that are this process's own, and no part of a file that several have mapped."""
    lines = SMAPS.read_text().splitlines()[1:] if SMAPS.exists() else []
    return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous")) / 1e3


def spread(pixels: Pixels, column: int) -> tuple[float, int, float]:
    """How much a pixel varies; the worker, and its memory."""
    return float(pixels[:, column].std()), os.getpid(), own()


def spread_of_copy(pixels: Pixels, column: int) -> tuple[float, int, float]:
    """Do the same with a copy of the array, as a worker has that was sent it."""
    return spread(pixels.copy(), column)


if __name__ == "__main__":
    pixels = np.tile(load_digits().data, (140, 1))
    print(f"{len(pixels):,} images, {pixels.nbytes / 1e6:.0f} MB")

    with local_executor() as executor:
        values, memory = {}, {}
        for name, function in {"shared": spread, "copied": spread_of_copy}.items():
            results = executor.map(partial(function, pixels), range(16)).results()
            values[name] = [value for value, _, _ in results]
            workers = {worker: megabytes for _, worker, megabytes in results}
            memory[name] = max(workers.values())
            print(
                f"{name}: {len(workers)} workers, each with",
                *(f"{size:.0f} MB" for size in workers.values()),
                "of its own",
            )

    assert values["shared"] == values["copied"]
    if SMAPS.exists():
        assert memory["copied"] - memory["shared"] > 0.9 * pixels.nbytes / 1e6
