"""A program's first result: `python script.py` with a map of one, timed from outside."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _bench import Bench, Samples, main
from _peers import PPE_FORK, PPE_SPAWN, WRENML
from _programs import last_result, written


def run(program: Path) -> tuple[float, float]:
    """Seconds until the first result stood on standard output, and until the process had ended."""
    arguments = [sys.executable, str(program), "1"]
    start = time.perf_counter()
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=program.parent) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        first = time.perf_counter() - start
        process.stdout.read()
        code = process.wait()
    ended = time.perf_counter() - start
    assert (line, code) == (last_result(1), 0), f"{program.name} ended with {code}"
    return first, ended


def measure(bench: Bench) -> None:
    """Race whole programs; the round that does not count leaves compiled modules and pages in memory."""
    with tempfile.TemporaryDirectory() as folder:
        programs = written(folder)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
        for program in programs.values():
            run(program)
        for _ in range(bench.rounds(11)):
            for name, program in programs.items():
                taken[name].append(run(program))
    for position, title in enumerate(("until the first result", "until the process has ended")):
        results = {name: Samples(tuple(one[position] for one in found)) for name, found in taken.items()}
        bench.show(title, results, baseline=PPE_FORK)
        ours, theirs = results[WRENML].median, results[PPE_SPAWN].median
        bench.compare(f"cold, {title}", ours, theirs, PPE_SPAWN, 0.9)
        bench.note(f"ratio to fork: {ours / results[PPE_FORK].median:.2f}")


if __name__ == "__main__":
    main(__file__, "`python script.py` with a map of one", measure)
