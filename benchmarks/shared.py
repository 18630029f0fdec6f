"""200 calls that read one array of 100 MB, given as part of every element."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from itertools import pairwise
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
from _bench import WORKERS, Bench, main, race, seconds
from _memory import descendants, proportional, supported, weighed
from _peers import JOBLIB, PPE_FORK, WRENML, Joblib, Ppe, Wrenml, opened

_CALLS = 200
_BY_HAND = "by hand"
_HOLD_SECONDS = 0.1
_SEEN = 0.4  # copies: half of an array that two share, and less if the caller has it mapped too, is a real weight

Array = np.ndarray[Any, np.dtype[np.float64]]


def part_sum(array: Array, number: int) -> float:
    """Read one part of the array."""
    size = len(array) // _CALLS
    return float(array[number * size : (number + 1) * size].sum())


def whole_sum(array: Array, _: int) -> float:
    """Read all of the array, and keep it while the workers are weighed."""
    total = float(array.sum())
    time.sleep(_HOLD_SECONDS)
    return total


def attached_sum(name: str, length: int, number: int) -> float:
    """Read one part of an array in shared memory: the function of somebody who does it by hand."""
    memory = SharedMemory(name)
    try:
        return part_sum(np.ndarray(length, np.float64, memory.buf), number)
    finally:
        memory.close()


def by_hand(pool: Executor, array: Array) -> list[float]:
    """Put the array into shared memory, once, and its name into every call."""
    memory = SharedMemory(create=True, size=array.nbytes)
    try:
        np.ndarray(array.shape, array.dtype, memory.buf)[:] = array
        futures = [pool.submit(attached_sum, memory.name, len(array), number) for number in range(_CALLS)]
        return [future.result() for future in futures]
    finally:
        memory.close()
        memory.unlink()


def fresh(length: int) -> Array:
    """An array that nobody has seen yet, so that nobody has kept it."""
    return np.random.default_rng().random(length)


def copies(ours: Wrenml, length: int, workers: set[int]) -> float:
    """The most copies of an array the workers hold at a time while each of them reads all of it.

    Weighed afterwards they would weigh nothing: what a call does not need any more is let go.
    """
    array = fresh(length)
    before = sum(map(proportional, workers))
    items = [(array, number) for number in range(4 * WORKERS)]
    sums = weighed(lambda: workers, lambda: ours.executor.starmap(whole_sum, items).results())
    # Workers are read one after the other: what one maps in between counts in full and once more by half.
    peak = max(map(min, pairwise(sums)))
    return (peak - before) / array.nbytes


def measure(bench: Bench) -> None:
    """Race three ways to read one array, then weigh the workers."""
    length = bench.size(12_500_000, 200_000)
    # A tracker that starts in a worker would end with it, and remove what others still use.
    resource_tracker.ensure_running()
    with opened([PPE_FORK, JOBLIB, WRENML]) as peers:
        ours, ppe, joblib = peers[WRENML], peers[PPE_FORK], peers.get(JOBLIB)
        assert isinstance(ours, Wrenml)
        assert isinstance(ppe, Ppe)

        def run_ours(array: Array) -> list[float]:
            return ours.executor.starmap(part_sum, [(array, number) for number in range(_CALLS)]).results()

        def run_joblib(array: Array) -> list[float]:
            assert isinstance(joblib, Joblib)
            return list(joblib.parallel(joblib.delayed(part_sum)(array, number) for number in range(_CALLS)))

        ways: dict[str, Callable[[Array], list[float]]] = {
            WRENML: run_ours,
            _BY_HAND: lambda array: by_hand(ppe.pool, array),
        }
        if joblib is not None:
            ways[JOBLIB] = run_joblib

        def timed(name: str) -> float:
            array = fresh(length)
            found: list[float] = []
            duration = seconds(lambda: found.extend(ways[name](array)))
            assert found == [part_sum(array, number) for number in range(_CALLS)]
            return duration

        results = race({name: partial(timed, name) for name in ways}, bench.rounds(5))
        bench.show(f"{_CALLS} calls over {length * 8 / 1e6:.4g} MB", results, baseline=_BY_HAND)
        bench.compare("shared array", results[WRENML].median, results[_BY_HAND].median, _BY_HAND, 3)
        weigh(bench, ours, length)


def weigh(bench: Bench, ours: Wrenml, length: int) -> None:
    """Weigh the workers while they read an array; they have all imported numpy before."""
    if not supported():
        bench.note("this system does not tell what share of memory a process has; Linux does")
        return

    def process(_: int) -> int:
        time.sleep(_HOLD_SECONDS)
        return os.getpid()

    workers = set(ours.map(process, range(2 * WORKERS))) & set(descendants(os.getpid()))
    assert len(workers) == WORKERS
    found = [copies(ours, length, workers) for _ in range(bench.rounds(3))]
    worst = max(found)
    assert worst > _SEEN, "the workers were not seen to hold the array, so nothing was measured"
    bench.limit(f"memory of {WORKERS} workers, at most", worst, 1.1, "copies")


if __name__ == "__main__":
    main(__file__, "200 calls over one shared array of 100 MB", measure)
