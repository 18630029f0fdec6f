"""200 calls of a function that holds an array of 100 MB: a partial, and a closure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from _bench import Bench, main, race, seconds
from _peers import JOBLIB, PPE_FORK, WRENML, Peer, opened

_CALLS = 200
_PPE_CALLS = 10

Array = np.ndarray[Any, np.dtype[np.float64]]
Holder = Callable[[Array], Callable[[int], float]]


def part_sum(array: Array, number: int) -> float:
    """Read one part of the array."""
    size = len(array) // _CALLS
    return float(array[number * size : (number + 1) * size].sum())


def in_closure(array: Array) -> Callable[[int], float]:
    """Hold the array as a variable of the function around."""
    return lambda number: float(array[number * (len(array) // _CALLS)])


def in_partial(array: Array) -> Callable[[int], float]:
    """Hold the array as a bound argument."""
    return partial(part_sum, array)


def timed(name: str, peer: Peer, holder: Holder, length: int) -> float:
    """Map over a fresh array.

    The pool of the standard library takes the same time for every call, and so much that it makes a few only.
    """
    calls = _PPE_CALLS if name == PPE_FORK else _CALLS
    fn = holder(np.random.default_rng().random(length))
    found: list[float] = []
    duration = seconds(lambda: found.extend(peer.map(fn, range(calls))))
    assert found == [fn(number) for number in range(calls)]
    return duration * _CALLS / calls


def measure(bench: Bench) -> None:
    """Race both ways of holding."""
    length = bench.size(12_500_000, 200_000)
    with opened([WRENML, PPE_FORK, JOBLIB]) as peers:
        for title, holder in (("partial", in_partial), ("closure", in_closure)):
            contestants = {name: partial(timed, name, peer, holder, length) for name, peer in peers.items()}
            results = race(contestants, bench.rounds(3), warm=False)
            bench.show(f"{_CALLS} calls, array in a {title}", results, baseline=PPE_FORK)
            ours, theirs = results[WRENML].median, results[PPE_FORK].median
            bench.compare(f"array in a {title}", ours, theirs, PPE_FORK, 0.02)
        bench.note(f"{PPE_FORK}: {_CALLS // _PPE_CALLS} × the time of {_PPE_CALLS} calls")


if __name__ == "__main__":
    main(__file__, "200 calls of a function that holds 100 MB", measure)
