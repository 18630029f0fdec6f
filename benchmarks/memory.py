"""Peak memory of all processes of a program that maps calls that do next to nothing."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from _bench import Bench, main, race
from _memory import MEGABYTE, descendants, supported, weighed
from _peers import PPE_FORK, WRENML
from _programs import last_result, written


def peak(program: Path, count: int) -> float:
    """Run a program; return the most memory that it and its workers had, MB."""
    printed: list[bytes] = []
    arguments = [sys.executable, str(program), str(count)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=program.parent) as process:
        found = weighed(
            lambda: (process.pid, *descendants(process.pid)),
            lambda: printed.append(process.communicate()[0]),
        )
    assert printed == [last_result(count)], f"{program.name} ended with {process.returncode}"
    return max(found) / MEGABYTE


def measure(bench: Bench) -> None:
    """Race whole programs over few calls, where processes weigh most, and many, where futures do."""
    if not supported():
        bench.note("this system does not tell what share of memory a process has; Linux does")
        return
    with tempfile.TemporaryDirectory() as folder:
        programs = written(folder)
        for count in (200, bench.size(10_000, 400)):
            contestants = {name: partial(peak, program, count) for name, program in programs.items()}
            results = race(contestants, bench.rounds(5), warm=False)
            bench.show(f"peak of all processes, {count:,} calls", results, baseline=PPE_FORK, unit="MB")
            ours, theirs = results[WRENML].median, results[PPE_FORK].median
            bench.compare(f"peak memory, {count:,} calls", ours, theirs, PPE_FORK, 1.3, "MB")


if __name__ == "__main__":
    main(__file__, "peak memory of all processes of a no-op map", measure)
