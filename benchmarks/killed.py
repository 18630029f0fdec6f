"""A worker killed by SIGKILL in one call among 40 good ones."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
from _bench import Bench, Samples, main
from _peers import LOKY, PPE_FORK, WRENML, Loky, Ppe, Wrenml, call, installed, opened

from wrenml.errors import WorkerLost

_GOOD = 40
_BAD = 20
_PATIENCE = 30.0  # seconds until a call without an outcome counts as lost


class Fate(NamedTuple):
    """What came of one map."""

    known: float
    lost: int
    right: bool
    healed: bool


def work(file: str, once: bool, item: int) -> int:  # noqa: FBT001 - bound by a partial
    """Take 5 ms; kill the worker at the bad element, at every attempt or at the first."""
    if item == _BAD and not (once and Path(file).exists()):
        Path(file).write_text(str(time.monotonic()))
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.005)
    return item


def start(peer: object, fn: Callable[[int], int], items: Iterable[int], retries: int) -> list[Future[Any]]:
    """One future for each element."""
    if isinstance(peer, Wrenml):
        return list(peer.executor.map(fn, items, infra_retries=retries))
    if isinstance(peer, Loky):
        return [peer.pool.submit(fn, item) for item in items]
    assert isinstance(peer, Ppe)
    pickled = cloudpickle.dumps(fn)
    return [peer.pool.submit(call, pickled, item) for item in items]


def heals(peer: object) -> bool:
    """Whether it still takes calls."""
    try:
        return bool(start(peer, abs, [-3], 0)[0].result(_PATIENCE) == 3)  # noqa: PLR2004 - abs(-3)
    except Exception:  # noqa: BLE001 - whatever a broken pool raises
        return False


def fate(name: str, *, once: bool) -> Fate:
    """Run one map with the bad element in a fresh pool; see what comes of its futures."""
    settled: list[float] = []
    with tempfile.TemporaryDirectory() as folder, opened([name]) as peers:
        file = Path(folder, "killed")
        futures = start(peers[name], partial(work, str(file), once), range(_GOOD + 1), int(once))
        futures[_BAD].add_done_callback(lambda _: settled.append(time.monotonic()))
        done, _ = wait(futures, _PATIENCE)
        good = [future for item, future in enumerate(futures) if item != _BAD]
        lost = sum(future not in done or future.exception() is not None for future in good)
        bad = futures[_BAD]
        ended = bad.exception() if settled else None
        right = bool(settled) and (ended is None if once else name != WRENML or isinstance(ended, WorkerLost))
        known = settled[0] - float(file.read_text()) if settled else _PATIENCE
        return Fate(known, lost, right, heals(peers[name]))


def measure(bench: Bench) -> None:
    """Kill, in fresh pools; then have wrenml retry."""
    names = [name for name in (WRENML, PPE_FORK, LOKY) if installed(name)]
    fates: dict[str, list[Fate]] = {name: [] for name in names}
    for _ in range(bench.rounds(3)):
        for name in names:
            fates[name].append(fate(name, once=False))
    retried = [fate(WRENML, once=True) for _ in range(bench.rounds(3))]
    results = {name: Samples(tuple(one.known for one in found)) for name, found in fates.items()}
    results["wrenml, retried"] = Samples(tuple(one.known for one in retried))
    bench.show("from the kill until the call is settled", results, baseline=PPE_FORK)
    for name, found in (*fates.items(), ("wrenml, retried", retried)):
        lost = sorted(one.lost for one in found)
        healed = all(one.healed for one in found)
        state = "heals" if healed else "is dead"
        bench.note(f"{name}: {lost[0]}–{lost[-1]} of {_GOOD} good results lost, the pool {state}")
    bench.limit("until it is known", results[WRENML].median, 0.5, "s")
    bench.limit("until it is retried", results["wrenml, retried"].median, 0.5, "s")
    ours = fates[WRENML] + retried
    bench.limit("good results lost", max(one.lost for one in ours), 0, "of 40")
    bench.limit("wrong call blamed, or pool dead", sum(not (one.right and one.healed) for one in ours), 0, "maps")


if __name__ == "__main__":
    main(__file__, "a worker killed by SIGKILL, 1 among 40 good calls", measure)
