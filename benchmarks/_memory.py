"""Memory of processes as Linux accounts for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

__all__ = ["MEGABYTE", "descendants", "proportional", "resident", "supported", "weighed"]

MEGABYTE = 1_000_000

_INTERVAL = 0.01  # seconds between samples


def supported() -> bool:
    """Whether this system tells what a process's share of shared memory is."""
    return Path("/proc/self/smaps_rollup").exists()


def proportional(pid: int) -> int:
    """Proportional set size, bytes: of a page that n processes share, 1/n counts. 0 for a dead process."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def resident() -> int:
    """Resident set size of this process, bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descendants(pid: int) -> Iterator[int]:
    """Children of a process, their children, and so on."""
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            children = (task / "children").read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            yield child
            yield from descendants(child)


def weighed(pids: Callable[[], Iterable[int]], work: Callable[[], object]) -> list[int]:
    """Sample the memory of processes, asked for each time, while `work` runs; return the sums, bytes."""
    done = threading.Event()
    sums: list[int] = []

    def sample() -> None:
        while not done.wait(_INTERVAL):
            sums.append(sum(map(proportional, pids())))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        work()
    finally:
        done.set()
        sampler.join()
    return sums
