"""Tasks for tests of the joblib backend: a module of their own, so that workers load little."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

WAIT = 30.0


class Heavy:
    def __init__(self) -> None:
        self.text = "x" * 100_000

    def __str__(self) -> str:
        return f"{len(self.text)} characters"


def where(_: object = None) -> int:
    return os.getpid()


def total(array: np.ndarray) -> float:
    return float(array.sum())


def touch_and_wait(folder: str, name: str) -> None:
    Path(folder, name).touch()
    threading.Event().wait()


def fail(index: int) -> None:
    raise LookupError(index)


def fail_after(folder: str, index: int) -> None:
    """Fail once the others have."""
    if index == 1:
        end = time.monotonic() + WAIT
        while not Path(folder, "2").exists() and time.monotonic() < end:
            threading.Event().wait(0.005)
    Path(folder, str(index)).touch()
    if index:
        fail(index)


def die(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def say(index: int) -> None:
    sys.stdout.write(f"task {index}\n")


def warn(index: int) -> None:
    warnings.warn(f"careful {index}", RuntimeWarning, stacklevel=1)


def variable(name: str) -> str | None:
    return os.environ.get(name)


def blas_threads() -> set[int]:
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]  # noqa: PLC0415  # a worker's

    np.ones((2, 2)) @ np.ones((2, 2))
    return {int(each["num_threads"]) for each in threadpool_info()}


def nested(backend: str) -> list[int]:
    return list(Parallel(n_jobs=2, backend=backend)(delayed(where)(i) for i in range(3)))


def config_of_scikit_learn(_: object) -> bool:
    return bool(sys.modules["sklearn"].get_config()["assume_finite"])


def change(array: np.ndarray) -> float:
    array += 1
    return float(array[0])
