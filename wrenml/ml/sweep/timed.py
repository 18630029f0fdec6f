"""What runs in the worker: the function, and a clock."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

__all__ = ["FRAME", "Timed", "taken", "timed"]

Timed = tuple[float, Any]
"""Seconds that a call took, and what it returned."""

FRAME: Final = "timed_call"
"""Name of the function that is in the traceback of whatever a call raises."""

_SECONDS: Final = "_wrenml_sweep_seconds"


def timed(fn: Callable[..., Any]) -> Callable[[dict[str, Any]], Any]:
    """Return a function of a candidate that calls `fn` with it and times that.

    What `fn` raises is raised, so that it is retried, counted and kept out of caches as ever; how long it took goes
    with it (`taken`).

    Parameters
    ----------
    fn : callable
        May be a coroutine function.

    Returns
    -------
    callable
        Returns `Timed`. It is local to this function, so it is pickled by value: a worker need not import wrenml.ml.
    """
    if inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(type(fn), "__call__", None)):  # noqa: B004  # not whether it can be called

        async def timed_call(params: dict[str, Any]) -> Timed:
            start = perf_counter()
            try:
                result = await fn(**params)
            except Exception as error:
                # Past any __setattr__ of the class: frozen dataclasses are raised too.
                BaseException.__setattr__(error, _SECONDS, perf_counter() - start)
                raise
            return perf_counter() - start, result

        return timed_call

    def timed_call(params: dict[str, Any]) -> Timed:  # type: ignore[no-redef]  # the other one is for coroutines
        start = perf_counter()
        try:
            result = fn(**params)
        except Exception as error:
            BaseException.__setattr__(error, _SECONDS, perf_counter() - start)
            raise
        return perf_counter() - start, result

    return timed_call


def taken(error: BaseException) -> float | None:
    """Return how many seconds a call took that raised this; None if that is not known, as where its worker died."""
    seconds = getattr(error, _SECONDS, None)
    return seconds if isinstance(seconds, float) else None
