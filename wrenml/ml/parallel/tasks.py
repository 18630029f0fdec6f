"""The worker's side: batches of tasks, each with an envelope of its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Final

from wrenml.ml.envelope import Enclosure, Envelope
from wrenml.ml.parallel.sharing import Parcel

__all__ = ["run_batches"]

_THREADS: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def run_batches(threads: int | None, parcel: Parcel) -> list[Envelope]:
    """Run batches in order, up to the first that fails.

    Parameters
    ----------
    threads : int, optional
        How many threads numerical libraries may use. Default: what the worker was started with.
    parcel : Parcel
        The batches, each called without arguments, and the settings they run under.

    Returns
    -------
    list of Envelope
        One for each batch that was run; only the last can hold a failure.
    """
    made: list[Envelope] = []
    caller, batches = parcel.unpack()
    # Nobody can press Ctrl-C in a worker: there it is an exception like any other.
    with _limited(threads), Enclosure(caller, catch=(Exception, KeyboardInterrupt)) as enclosure:
        for batch in batches:
            made.append(enclosure.run(batch))
            if made[-1].failure is not None:
                break
    return made


@contextlib.contextmanager
def _limited(threads: int | None) -> Iterator[None]:
    if threads is None:
        yield
        return
    with contextlib.ExitStack() as stack:
        # The variables are for libraries that are not loaded yet; the others only listen to their own functions.
        before = {name: os.environ.get(name) for name in _THREADS}
        stack.callback(_restore, before)
        os.environ.update(dict.fromkeys(_THREADS, str(threads)))
        with contextlib.suppress(ImportError):
            from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415  # comes with scikit-learn, not with joblib

            stack.enter_context(threadpool_limits(limits=threads))
        yield


def _restore(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
