"""Whole programs that map `square` over so many elements, as a user of each contestant would write them.

They import nothing of the benchmarks, so that what a program costs is what its contestant costs. A program
prints its last result as soon as it has all of them.
"""

from __future__ import annotations

from pathlib import Path

from _peers import JOBLIB, LOKY, PPE_FORK, PPE_SPAWN, WRENML, installed

__all__ = ["last_result", "written"]

_OURS = """\
import sys
import wrenml

def square(x):
    return x * x

if __name__ == "__main__":
    with wrenml.local_executor(workers=2) as executor:
        print(executor.map(square, range(int(sys.argv[1]))).results()[-1], flush=True)
"""

_PPE = """\
import multiprocessing
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
import cloudpickle

def square(x):
    return x * x

def call(pickled, item):
    return pickle.loads(pickled)(item)

if __name__ == "__main__":
    with ProcessPoolExecutor(2, multiprocessing.get_context("{method}")) as pool:
        pickled = cloudpickle.dumps(square)
        futures = [pool.submit(call, pickled, item) for item in range(int(sys.argv[1]))]
        print([future.result() for future in futures][-1], flush=True)
"""

_LOKY = """\
import sys
import loky

def square(x):
    return x * x

if __name__ == "__main__":
    with loky.ProcessPoolExecutor(2) as pool:
        futures = [pool.submit(square, item) for item in range(int(sys.argv[1]))]
        print([future.result() for future in futures][-1], flush=True)
"""

_JOBLIB = """\
import sys
from joblib import Parallel, delayed

def square(x):
    return x * x

if __name__ == "__main__":
    print(Parallel(n_jobs=2)(delayed(square)(item) for item in range(int(sys.argv[1])))[-1], flush=True)
"""

_TEXTS = {
    WRENML: _OURS,
    PPE_SPAWN: _PPE.format(method="spawn"),
    PPE_FORK: _PPE.format(method="fork"),
    LOKY: _LOKY,
    JOBLIB: _JOBLIB,
}


def written(folder: str) -> dict[str, Path]:
    """Write the program of every contestant that is installed."""
    programs = {}
    for name, text in _TEXTS.items():
        if installed(name):
            # A program named after the package would hide it from itself.
            programs[name] = Path(folder, f"program_of_{name.replace(' ', '_')}.py")
            programs[name].write_text(text)
    return programs


def last_result(count: int) -> bytes:
    """What a program prints that maps over `count` elements."""
    return b"%d\n" % (count - 1) ** 2
