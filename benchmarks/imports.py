"""What `import wrenml` adds to a bare interpreter."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from functools import partial

from _bench import Bench, main, race, seconds

_BARE = "bare interpreter"
_ALL = "wrenml, all names"
_READY = "wrenml, executor made"
_MAKING = "import wrenml; wrenml.local_executor(workers=2)"
_HEAVY = ("boto3", "numpy", "sklearn")
_PEERS = ("cloudpickle", "loky", "joblib", "boto3")


def run(code: str) -> str:
    """Run code in an interpreter of its own; return what it prints."""
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout


def measure(bench: Bench) -> None:
    """Race interpreters; what counts is the difference to one that imports nothing."""
    codes = {"wrenml": "import wrenml", _BARE: "pass", _ALL: "from wrenml import *", _READY: _MAKING}
    codes |= {name: f"import {name}" for name in _PEERS if importlib.util.find_spec(name)}
    contestants = {name: partial(seconds, partial(run, code)) for name, code in codes.items()}
    results = race(contestants, bench.rounds(11))
    bench.show("whole process", results, baseline=_BARE)
    bare = results[_BARE].median
    for name, samples in results.items():
        bench.note(f"{name}: {(samples.median - bare) * 1e3:.1f} ms over a bare interpreter")
    bench.limit("import wrenml", results["wrenml"].median - bare, 0.08, "s")
    # The bare import loads next to nothing: it is the first use of a name that loads its module.
    bench.limit("from wrenml import *", results[_ALL].median - bare, 0.08, "s")
    loaded = run(f"{_MAKING}; import sys; print([name for name in {_HEAVY} if name in sys.modules])").strip()
    bench.limit(f"{', '.join(_HEAVY)} loaded", len(loaded.strip("[]").split()), 0, "modules")


if __name__ == "__main__":
    main(__file__, "import time over a bare interpreter", measure)
