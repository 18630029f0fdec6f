"""A million elements from a generator: growth of the client's memory, and whether anything is quadratic."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import partial

from _bench import WORKERS, Bench, Samples, main, race, seconds
from _memory import MEGABYTE, resident, supported
from _peers import JOBLIB_STREAM, WRENML, Joblib, Wrenml, installed, opened

import wrenml

_EVERY = 5_000


def nothing(item: int) -> int:
    """As little as a call can do and still show that it ran."""
    return item


def streamed(name: str, items: Iterable[int]) -> Iterator[int]:
    """Results as the contestant streams them."""
    with opened([name]) as peers:
        peer = peers[name]
        if isinstance(peer, Wrenml):
            yield from peer.executor.imap(nothing, items)
        elif isinstance(peer, Joblib):
            yield from peer.parallel(peer.delayed(nothing)(item) for item in items)


def watch(name: str, count: int) -> None:
    """Stream in this process; print by how many bytes it grew at most, and until half way."""
    before = half = peak = 0
    # The generator counts, so that no list of the input lies in the memory that is measured.
    for number, result in enumerate(streamed(name, (item for item in range(count)))):
        assert result == number
        if number == 0:
            before = peak = resident()
        elif number % _EVERY == 0:
            peak = max(peak, resident())
        if number == count // 2:
            half = peak
    print(peak - before, half - before)


def growth(name: str, count: int) -> tuple[float, float]:
    """MB by which a fresh process grew, and grew until half way, while it streamed."""
    arguments = [sys.executable, __file__, "--watch", name, str(count)]
    out = subprocess.run(arguments, stdout=subprocess.PIPE, check=True).stdout.split()
    return float(out[-2]) / MEGABYTE, float(out[-1]) / MEGABYTE


def measure(bench: Bench) -> None:
    """Stream a million in fresh processes, then map ten times as many elements as before."""
    if supported():
        count = bench.size(1_000_000, 10_000)
        for name in filter(installed, (WRENML, JOBLIB_STREAM)):
            whole, half = growth(name, count)
            grown = f"{whole:.1f} MB over {count:,} elements, {half:.1f} of it until half way"
            bench.note(f"{name}: client grew by {grown}")
            if name == WRENML:
                bench.limit("imap, growth of the client", whole, 25, "MB")
    else:
        bench.note("this system does not tell how much memory a process has; Linux does")
    linear(bench)


def linear(bench: Bench) -> None:
    """Compare the time and memory of a future among many with that of one among ten times fewer."""
    few, many = bench.size(10_000, 200), bench.size(100_000, 2_000)
    with wrenml.local_executor(workers=WORKERS) as executor:

        def run(count: int) -> float:
            return seconds(lambda: executor.map(nothing, range(count)).results()) / count

        contestants = {f"of {count:,}": partial(run, count) for count in (few, many)}
        results = race(contestants, bench.rounds(3))
        bench.show("map, a call", results, baseline=f"of {few:,}")
        one, other = (results[name].median for name in contestants)
        bench.compare("map, nothing quadratic", other, one, f"one of {few:,}", 1.2)
        if supported():
            bench.contestants["future"] = kept(executor, many)


def kept(executor: wrenml.Executor, count: int) -> dict[str, dict[str, float]]:
    """Print what a future costs that is kept, its result not read."""
    gc.collect()
    before = resident()
    futures = executor.map(nothing, range(count))
    wrenml.wait(futures)
    size = Samples(((resident() - before) / count,))
    assert len(futures) == count
    print(f"    a future that is kept: {size.median:,.0f} bytes of resident memory")
    return {WRENML: {"median": size.median, "min": size.best}}


if __name__ == "__main__":
    if "--watch" in sys.argv:
        watch(sys.argv[2], int(sys.argv[3]))
    else:
        main(__file__, "a million no-op elements from a generator", measure)
