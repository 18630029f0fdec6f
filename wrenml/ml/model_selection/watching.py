"""Watching a search: what it has evaluated so far, while it goes on in another thread."""

from __future__ import annotations

import contextvars
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple

from sklearn import config_context, get_config

from wrenml import FutureList
from wrenml.ml.interrupting import interruptible
from wrenml.ml.model_selection.cells import Cell

__all__ = ["Evaluated", "Watch", "frame", "watched"]


class Evaluated(NamedTuple):
    """A candidate fitted to the training rows of one split, and scored.

    Parameters
    ----------
    params : dict
        The candidate.
    split : int
        Number of the split.
    test_scores : float or dict of str to float
        On the test rows.
    train_scores : float or dict of str to float, optional
        On the training rows, where asked for.
    fit_time, score_time : float
        Seconds.
    error : str, optional
        The traceback, where the fit failed.
    reused : bool
        Whether it was found in the cache.
    """

    params: dict[str, Any]
    split: int
    test_scores: Any
    train_scores: Any
    fit_time: float
    score_time: float
    error: str | None
    reused: bool

    @classmethod
    def of(cls, cell: Cell, params: dict[str, Any], *, reused: bool) -> Evaluated:
        """Return what came of a cell."""
        return cls(
            params,
            cell.split,
            cell.test_scores,
            cell.train_scores,
            cell.fit_time,
            cell.score_time,
            cell.fit_error,
            reused,
        )


class Watch:
    """Who wants to know of each cell as it is here, and may stop the search."""

    def __init__(self) -> None:
        self.found: SimpleQueue[Evaluated | None] = SimpleQueue()
        self._calls: list[FutureList[Any]] = []
        self._stopped = False
        self._lock = threading.Lock()

    def started(self, calls: FutureList[Any]) -> None:
        """Take note of calls that have been started."""
        with self._lock:
            self._calls.append(calls)
            stopped = self._stopped
        if stopped:
            calls.cancel()

    def stop(self) -> None:
        """Cancel all calls, and those that will be started."""
        with self._lock:
            self._stopped = True
            calls = list(self._calls)
        for each in calls:
            each.cancel()


def watched(fit: Callable[[Watch], None], said: Callable[[], str]) -> Iterator[Evaluated]:
    """Run a fit in a thread, and stream what it evaluates.

    Parameters
    ----------
    fit : callable
        Called with a watch.
    said : callable
        Returns what to say when this is interrupted.

    Yields
    ------
    Evaluated
        As it is here. Closing the iterator stops the fit.

    Raises
    ------
    BaseException
        What the fit raised, at the end.
    """
    watch = Watch()
    errors: list[BaseException] = []
    config = get_config()

    def run() -> None:
        try:
            with config_context(**config):
                fit(watch)
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that asks
            errors.append(error)
        finally:
            watch.found.put(None)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name="wrenml-search", daemon=True)
    thread.start()
    try:
        while True:
            with interruptible(said):
                found = watch.found.get()
            if found is None:
                break
            yield found
    except BaseException:  # also Ctrl-C, and GeneratorExit: whoever asked has left the loop
        watch.stop()
        raise
    finally:
        thread.join()
    if errors:
        raise errors[0]


def frame(evaluated: Sequence[Evaluated], dollars: float) -> Any:
    """Return a `pandas.DataFrame` with a row for each cell: parameters, split, scores, times, error, cost.

    Parameters
    ----------
    evaluated : sequence of Evaluated
        The cells.
    dollars : float
        What those have cost together that were not found in the cache; each has a share by its time.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    import pandas as pd  # noqa: PLC0415  # slow to load, and optional

    seconds = sum(_seconds(each) for each in evaluated) or 1.0
    rows = []
    for each in evaluated:
        row: dict[str, Any] = {f"param_{name}": value for name, value in each.params.items()} | {"split": each.split}
        for kind, scores in (("test", each.test_scores), ("train", each.train_scores)):
            if isinstance(scores, dict):
                row |= {f"{kind}_{name}": value for name, value in scores.items()}
            elif scores is not None:
                row[f"{kind}_score"] = scores
        more = {"fit_time": each.fit_time, "score_time": each.score_time, "error": each.error, "reused": each.reused}
        rows.append(row | more | {"dollars": dollars * _seconds(each) / seconds})
    return pd.DataFrame(rows)


def _seconds(each: Evaluated) -> float:
    took = each.fit_time + each.score_time
    return 0.0 if each.reused or math.isnan(took) else took
