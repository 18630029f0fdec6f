"""What the Lambda entry point adds to AWS's own runtime client: CPU of a cold import, and what it loads."""

from __future__ import annotations

import importlib.util
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

from _bench import Bench, main, race

_FOLDER = Path(__file__).resolve().parents[1] / "handler"
_RUNTIME = "import awslambdaric.bootstrap"
_HANDLER = f"{_RUNTIME}; import sys; sys.path.insert(0, {str(_FOLDER)!r}); import handler; handler._remote.close()"
_HEAVY = ("boto3", "botocore", "numpy", "sklearn")


def run(code: str) -> str:
    """Run code in an interpreter of its own; return what it prints."""
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout


def cpu(code: str) -> float:
    """CPU seconds of an interpreter that runs code, its children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(code)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(bench: Bench) -> None:
    """Race interpreters; what counts is the difference to one that loads the runtime client only."""
    runtime = _RUNTIME if importlib.util.find_spec("awslambdaric") else "import json, http.client, logging"
    handler = _HANDLER.replace(_RUNTIME, runtime)
    importing = handler.replace("import handler; handler._remote.close()", "import wrenml.worker.remote")
    codes = {"runtime": runtime, "import": importing, "with its child": handler}
    results = race({name: partial(cpu, code) for name, code in codes.items()}, bench.rounds(9))
    bench.show("CPU of a cold start", results, baseline="runtime")
    bench.limit("importing the handler", results["import"].median - results["runtime"].median, 0.1, "s")
    loaded = run(f"{handler}; print([name for name in {_HEAVY} if name in sys.modules])").strip()
    bench.limit(f"{', '.join(_HEAVY)} loaded", len(loaded.strip("[]").split()), 0, "modules")


if __name__ == "__main__":
    main(__file__, "a cold start of the handler, over the runtime client's own", measure)
