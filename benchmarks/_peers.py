"""The contestants behind one face: wrenml, and what a user would otherwise take.

Every one of them has two workers. `ppe` is the standard library's pool with the function pickled once by
cloudpickle, by hand, so that functions of a script can be given to it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Protocol

import cloudpickle
from _bench import WORKERS

import wrenml

__all__ = [
    "JOBLIB",
    "JOBLIB_KEPT",
    "JOBLIB_STREAM",
    "LOKY",
    "PPE_FORK",
    "PPE_SPAWN",
    "WRENML",
    "Peer",
    "installed",
    "opened",
]

WRENML = "wrenml"
PPE_FORK = "ppe fork"
PPE_SPAWN = "ppe spawn"
LOKY = "loky"
JOBLIB = "joblib list"
JOBLIB_STREAM = "joblib generator"
JOBLIB_KEPT = "joblib kept open"

_WARM_SECONDS = 0.2


class Peer(Protocol):
    """One contestant, its workers running."""

    def map(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """Apply a function to each element, one call each; return the results."""

    def caller(self, fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return what makes one call and waits for its result."""

    def close(self) -> None:
        """End the workers."""


def call(pickled: bytes, item: object) -> object:
    """What a user of the standard library's pool writes by hand."""
    return pickle.loads(pickled)(item)


def _pause(_: object) -> None:
    time.sleep(_WARM_SECONDS)


class Wrenml:
    """This project."""

    def __init__(self) -> None:
        self.executor = wrenml.local_executor(workers=WORKERS)

    def map(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """As `Peer`."""
        return self.executor.map(fn, items).results()

    def caller(self, fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """As `Peer`."""
        return lambda item: self.executor.submit(fn, item).result()

    def close(self) -> None:
        """As `Peer`."""
        self.executor.shutdown()


class Ppe:
    """The standard library's pool.

    Parameters
    ----------
    method : str
        ``"fork"`` or ``"spawn"``.
    """

    def __init__(self, method: str) -> None:
        self.pool = ProcessPoolExecutor(WORKERS, multiprocessing.get_context(method))

    def map(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """As `Peer`."""
        pickled = cloudpickle.dumps(fn)
        return [future.result() for future in [self.pool.submit(call, pickled, item) for item in items]]

    def caller(self, fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """As `Peer`."""
        pickled = cloudpickle.dumps(fn)
        return lambda item: self.pool.submit(call, pickled, item).result()

    def close(self) -> None:
        """As `Peer`."""
        self.pool.shutdown()


class Loky:
    """The pool below joblib, which pickles with cloudpickle by itself."""

    def __init__(self) -> None:
        import loky  # noqa: PLC0415 - not every environment has it

        self.pool = loky.ProcessPoolExecutor(WORKERS)

    def map(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """As `Peer`."""
        return [future.result() for future in [self.pool.submit(fn, item) for item in items]]

    def caller(self, fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """As `Peer`."""
        return lambda item: self.pool.submit(fn, item).result()

    def close(self) -> None:
        """As `Peer`."""
        self.pool.shutdown()


class Joblib:
    """Joblib with its automatic batches; its workers stay, from one `Parallel` to the next.

    Parameters
    ----------
    return_as : str
        ``"list"`` or ``"generator"``.
    keep : bool, default False
        Enter one `Parallel` for good, which so keeps what it learnt of the calls' time.
    """

    def __init__(self, return_as: str, *, keep: bool = False) -> None:
        import joblib  # noqa: PLC0415 - not every environment has it

        self.delayed = joblib.delayed
        self.parallel = joblib.Parallel(n_jobs=WORKERS, return_as=return_as)
        self._stack = contextlib.ExitStack()
        if keep:
            self._stack.enter_context(self.parallel)

    def map(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """As `Peer`."""
        return list(self.parallel(self.delayed(fn)(item) for item in items))

    def caller(self, fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """As `Peer`."""
        return lambda item: self.map(fn, [item])[0]

    def close(self) -> None:
        """As `Peer`."""
        self._stack.close()


_MAKERS: dict[str, tuple[str, Callable[[], Peer]]] = {
    # Pools that fork come first: forking a process that has threads may hang.
    PPE_FORK: ("concurrent", lambda: Ppe("fork")),
    PPE_SPAWN: ("concurrent", lambda: Ppe("spawn")),
    LOKY: ("loky", Loky),
    JOBLIB: ("joblib", lambda: Joblib("list")),
    JOBLIB_STREAM: ("joblib", lambda: Joblib("generator")),
    JOBLIB_KEPT: ("joblib", lambda: Joblib("generator", keep=True)),
    WRENML: ("wrenml", Wrenml),
}


def installed(name: str) -> bool:
    """Whether a contestant can take part here."""
    return importlib.util.find_spec(_MAKERS[name][0]) is not None


@contextlib.contextmanager
def opened(names: Sequence[str]) -> Iterator[dict[str, Peer]]:
    """Open contestants with all their workers started, wrenml first; leave out what is not installed."""
    peers: dict[str, Peer] = {}
    with contextlib.ExitStack() as stack:
        for name, (package, make) in _MAKERS.items():
            if name not in names:
                continue
            if not installed(name):
                print(f"  {name}: {package} is not installed, left out")
                continue
            peers[name] = make()
            stack.callback(peers[name].close)
            peers[name].map(_pause, range(2 * WORKERS))
        yield {name: peers[name] for name in (WRENML, *peers) if name in peers}
