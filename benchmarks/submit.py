"""One warm call: from `submit` to its result."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from _bench import Bench, Samples, main
from _peers import LOKY, PPE_FORK, PPE_SPAWN, WRENML, opened

_BLOCK = 100


def nothing(item: int) -> int:
    """As little as a call can do and still show that it ran."""
    return item


def block(call: Callable[[Any], Any], count: int) -> list[float]:
    """Time single calls, one after another."""
    found = []
    for item in range(count):
        start = time.perf_counter()
        result = call(item)
        found.append(time.perf_counter() - start)
        assert result == item
    return found


def measure(bench: Bench) -> None:
    """Race blocks of calls: the median is one over all calls, not over blocks."""
    count = bench.size(_BLOCK, 5)
    with opened([WRENML, PPE_FORK, PPE_SPAWN, LOKY]) as peers:
        calls = {name: peer.caller(nothing) for name, peer in peers.items()}
        taken: dict[str, list[float]] = {name: [] for name in calls}
        for call in calls.values():
            block(call, count)
        for _ in range(bench.rounds(10)):
            for name, call in calls.items():
                taken[name] += block(call, count)
    results = {name: Samples(tuple(found)) for name, found in taken.items()}
    bench.show(f"submit → result, {len(results[WRENML].values):,} times", results, baseline=PPE_FORK)
    bench.compare("submit → result", results[WRENML].median, results[PPE_FORK].median, PPE_FORK, 0.5)


if __name__ == "__main__":
    main(__file__, "one warm submit → result", measure)
