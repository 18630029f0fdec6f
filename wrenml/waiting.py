"""Waiting for futures, which may belong to several maps and executors."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar, cast

from wrenml.errors import ConfigError
from wrenml.futures import Future

__all__ = ["ALL_COMPLETED", "ALWAYS", "ANY_COMPLETED", "WaitResult", "as_completed", "get_all_results", "wait"]

R = TypeVar("R")

ALL_COMPLETED = "ALL_COMPLETED"
ANY_COMPLETED = "ANY_COMPLETED"
ALWAYS = "ALWAYS"
_STANDARD = {
    "ALL_COMPLETED": concurrent.futures.ALL_COMPLETED,
    "ANY_COMPLETED": concurrent.futures.FIRST_COMPLETED,
    "FIRST_COMPLETED": concurrent.futures.FIRST_COMPLETED,
    "FIRST_EXCEPTION": concurrent.futures.FIRST_EXCEPTION,
}


class WaitResult(NamedTuple, Generic[R]):
    """Futures that are done and futures that are not, both in the order given."""

    done: list[Future[R]]
    not_done: list[Future[R]]


def wait(
    futures: Iterable[Future[R]],
    return_when: str = ALL_COMPLETED,
    THREADPOOL_SIZE: int | None = None,  # noqa: ARG001, N803  # PyWren's name; there is no pool
    WAIT_DUR_SEC: float | None = None,  # noqa: ARG001, N803  # PyWren's name; nothing is polled
    *,
    timeout: float | None = None,
) -> WaitResult[R]:
    """Wait for futures, which may belong to several maps and executors.

    Parameters
    ----------
    futures : iterable of Future
        What to wait for.
    return_when : {ALL_COMPLETED, ANY_COMPLETED, ALWAYS}
        Return when all are done, when at least one is, or at once. The standard library's constants mean the same as
        there.
    THREADPOOL_SIZE, WAIT_DUR_SEC
        Accepted for PyWren's sake, without effect.
    timeout : float, optional
        Seconds after which to return in any case.

    Returns
    -------
    WaitResult
        The futures done and not done, as two lists in the order given.

    Raises
    ------
    ConfigError
        If something else than futures is given, or `return_when` is unknown.
    """
    waited = _listed(futures, "wait")
    if return_when != ALWAYS:
        known = _STANDARD.get(return_when)
        if known is None:
            raise ConfigError(f"return_when={return_when!r}: choose ALL_COMPLETED, ANY_COMPLETED or ALWAYS")
        concurrent.futures.wait(waited, timeout, known)
    done = {id(future) for future in waited if future.done()}
    return WaitResult(
        [future for future in waited if id(future) in done],
        [future for future in waited if id(future) not in done],
    )


def as_completed(futures: Iterable[Future[R]], timeout: float | None = None) -> Iterator[Future[R]]:
    """Stream futures as their calls end; those of several maps may be mixed.

    Raises
    ------
    ConfigError
        If something else than futures is given.
    TimeoutError
        If one has no outcome after `timeout` seconds.
    """
    waited = cast("Any", _listed(futures, "as_completed"))
    return cast("Iterator[Future[R]]", concurrent.futures.as_completed(waited, timeout))


def get_all_results(futures: Iterable[Future[R]]) -> list[R]:
    """Wait for futures and return their results in order (PyWren).

    Raises
    ------
    ConfigError
        If something else than futures is given.
    BaseException
        The first exception, in the order of the futures.
    """
    return [future.result() for future in _listed(futures, "get_all_results")]


def _listed(futures: Iterable[Future[R]], function: str) -> list[Future[R]]:
    if isinstance(futures, concurrent.futures.Future):
        raise ConfigError(f"{function}() takes several futures, and was given one: put it into a list")
    if not isinstance(futures, Iterable):
        raise ConfigError(f"{function}() takes futures, and was given {type(futures).__name__}: {futures!r:.80}")
    listed = list(futures)
    for one in listed:
        if not isinstance(one, concurrent.futures.Future):
            raise ConfigError(f"{function}() takes futures, and was given {type(one).__name__}: {one!r:.80}")
    return listed
