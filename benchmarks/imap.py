"""Streams of calls that do nothing, beside joblib's automatic batches, on warm workers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from _bench import Bench, main, race, seconds
from _peers import JOBLIB, JOBLIB_KEPT, JOBLIB_STREAM, PPE_FORK, WRENML, Peer, Wrenml, opened


def nothing(item: int) -> int:
    """As little as a call can do and still show that it ran."""
    return item


def stream(peer: Peer, items: Iterable[int]) -> list[int]:
    """All results, streamed where the contestant can."""
    if isinstance(peer, Wrenml):
        return list(peer.executor.imap(nothing, items))
    return peer.map(nothing, items)


def contest(bench: Bench, peers: dict[str, Peer], count: int, rounds: int) -> None:
    """Race over one number of elements."""
    expected = list(range(count))

    def run(peer: Peer) -> float:
        found: list[int] = []
        duration = seconds(lambda: found.extend(stream(peer, iter(range(count)))))
        assert found == expected
        return duration / count

    results = race({name: partial(run, peer) for name, peer in peers.items()}, rounds)
    bench.show(f"a call, of {count:,}", results, baseline=JOBLIB_STREAM)
    ours, theirs = results[WRENML].median, results[JOBLIB_STREAM].median
    bench.compare(f"imap, a call of {count:,}", ours, theirs, JOBLIB_STREAM, 0.7)
    bench.note(f"ratio to joblib kept open, batch size already learnt: {ours / results[JOBLIB_KEPT].median:.2f}")
    if PPE_FORK in results:
        bench.compare(f"imap, a call of {count:,}", ours, results[PPE_FORK].median, PPE_FORK, 0.1)


def measure(bench: Bench) -> None:
    """Race `imap` over many elements, and over so many that how it begins no longer counts."""
    with opened([WRENML, PPE_FORK, JOBLIB, JOBLIB_STREAM, JOBLIB_KEPT]) as peers:
        contest(bench, peers, bench.size(10_000, 100), bench.rounds(5))
        streams = {name: peer for name, peer in peers.items() if name != PPE_FORK}
        contest(bench, streams, bench.size(50_000, 200), bench.rounds(5))


if __name__ == "__main__":
    main(__file__, "10,000 no-op elements streamed, warm", measure)
