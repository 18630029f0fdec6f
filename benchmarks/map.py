"""10,000 calls that do nothing, one for each element, on warm workers."""

from __future__ import annotations

from functools import partial

from _bench import Bench, main, race, seconds
from _peers import LOKY, PPE_FORK, PPE_SPAWN, WRENML, Peer, opened


def nothing(item: int) -> int:
    """As little as a call can do and still show that it ran."""
    return item


def measure(bench: Bench) -> None:
    """Race `map`."""
    count = bench.size(10_000, 100)
    expected = list(range(count))

    def run(peer: Peer) -> float:
        found: list[int] = []
        duration = seconds(lambda: found.extend(peer.map(nothing, range(count))))
        assert found == expected
        return duration / count

    with opened([WRENML, PPE_FORK, PPE_SPAWN, LOKY]) as peers:
        results = race({name: partial(run, peer) for name, peer in peers.items()}, bench.rounds(5))
    bench.show(f"a call, of {count:,}", results, baseline=PPE_FORK)
    bench.compare("map, a call", results[WRENML].median, results[PPE_FORK].median, PPE_FORK, 0.1)


if __name__ == "__main__":
    main(__file__, "10,000 no-op calls, one for each element, warm", measure)
