"""50 results of 8 MB."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from _bench import Bench, main, race, seconds
from _peers import JOBLIB, LOKY, PPE_FORK, PPE_SPAWN, WRENML, Peer, opened

_CALLS = 50


def measure(bench: Bench) -> None:
    """Race `map` where what comes back is large."""
    length = bench.size(1_000_000, 20_000)

    def filled(number: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.full(length, float(number))

    def timed(peer: Peer) -> float:
        found: list[Any] = []
        duration = seconds(lambda: found.extend(peer.map(filled, range(_CALLS))))
        assert [(array[0], array[-1], len(array)) for array in found] == [(n, n, length) for n in range(_CALLS)]
        return duration

    with opened([WRENML, PPE_FORK, PPE_SPAWN, LOKY, JOBLIB]) as peers:
        contestants = {name: partial(timed, peer) for name, peer in peers.items()}
        results = race(contestants, bench.rounds(5))
    bench.show(f"{_CALLS} results of {length * 8 / 1e6:.4g} MB", results, baseline=PPE_FORK)
    bench.compare("large results", results[WRENML].median, results[PPE_FORK].median, PPE_FORK, 0.4)


if __name__ == "__main__":
    main(__file__, "50 results of 8 MB", measure)
