"""A program's first result: `python script.py` with a map of one, timed from outside."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _bench import Bench, Samples, main
from _peers import JOBLIB, LOKY, PPE_FORK, PPE_SPAWN, WRENML

_HEAD = """\
def square(x):
    return x * x
"""

_OURS = """\
import wrenml
{head}
if __name__ == "__main__":
    with wrenml.local_executor(workers=2) as executor:
        print(executor.map(square, [3]).results()[0], flush=True)
"""

_PPE = """\
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
import cloudpickle
{head}
def call(pickled, item):
    return pickle.loads(pickled)(item)

if __name__ == "__main__":
    with ProcessPoolExecutor(2, multiprocessing.get_context("{method}")) as pool:
        print(pool.submit(call, cloudpickle.dumps(square), 3).result(), flush=True)
"""

_LOKY = """\
import loky
{head}
if __name__ == "__main__":
    with loky.ProcessPoolExecutor(2) as pool:
        print(pool.submit(square, 3).result(), flush=True)
"""

_JOBLIB = """\
from joblib import Parallel, delayed
{head}
if __name__ == "__main__":
    print(Parallel(n_jobs=2)([delayed(square)(3)])[0], flush=True)
"""

_SCRIPTS = {
    WRENML: ("wrenml", _OURS.format(head=_HEAD)),
    PPE_SPAWN: ("cloudpickle", _PPE.format(head=_HEAD, method="spawn")),
    PPE_FORK: ("cloudpickle", _PPE.format(head=_HEAD, method="fork")),
    LOKY: ("loky", _LOKY.format(head=_HEAD)),
    JOBLIB: ("joblib", _JOBLIB.format(head=_HEAD)),
}


def run(script: Path) -> tuple[float, float]:
    """Seconds until the first result stood on standard output, and until the process had ended."""
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, cwd=script.parent) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        first = time.perf_counter() - start
        process.stdout.read()
        code = process.wait()
    ended = time.perf_counter() - start
    assert (line, code) == (b"9\n", 0), f"{script} ended with {code}"
    return first, ended


def measure(bench: Bench) -> None:
    """Race whole programs; the round that does not count leaves compiled modules and pages in memory."""
    with tempfile.TemporaryDirectory() as folder:
        scripts = {}
        for name, (package, text) in _SCRIPTS.items():
            if importlib.util.find_spec(package) is not None:
                # Its own name would hide the package from it.
                scripts[name] = Path(folder, f"script_of_{name.replace(' ', '_')}.py")
                scripts[name].write_text(text)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in scripts}
        for script in scripts.values():
            run(script)
        for _ in range(bench.rounds(11)):
            for name, script in scripts.items():
                taken[name].append(run(script))
    for position, title in enumerate(("until the first result", "until the process has ended")):
        results = {name: Samples(tuple(one[position] for one in found)) for name, found in taken.items()}
        bench.show(title, results, baseline=PPE_FORK)
        ours, theirs = results[WRENML].median, results[PPE_SPAWN].median
        bench.compare(f"cold, {title}", ours, theirs, PPE_SPAWN, 0.9)
        bench.note(f"ratio to fork: {ours / results[PPE_FORK].median:.2f}")


if __name__ == "__main__":
    main(__file__, "`python script.py` with a map of one", measure)
