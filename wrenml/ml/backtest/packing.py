"""Which origins a call takes: those of a group together, and as many as make it worth its cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, TypeVar

__all__ = ["pack_size", "packed", "probes"]

T = TypeVar("T")

_WORTH: Final = {"inline": 0.05, "local": 0.05}  # seconds a call should take where it costs two messages
_WORTH_ELSEWHERE: Final = 1.5  # and where it costs an invocation and some requests


def probes(origins: Sequence[T], executor: Any) -> list[T]:
    """Return origins to forecast from first, each in a call of its own, for the time they take.

    Parameters
    ----------
    origins : sequence
        All.
    executor : Executor
        Where.

    Returns
    -------
    list
        Spread over all; none where there are too few for measuring to pay.
    """
    workers = executor.session.workers
    count = min(4, workers)
    if executor.session.backend == "inline" or len(origins) <= 4 * count:
        return []
    return [origins[place * len(origins) // count] for place in range(count)]


def pack_size(seconds: float | None, origins: int, executor: Any) -> int:
    """Return how many origins a call takes; 0 for all of a group.

    Parameters
    ----------
    seconds : float, optional
        That one takes. Default: not known; each has its call, but inline a group has one.
    origins : int
        How many there are.
    executor : Executor
        Where.
    """
    backend = executor.session.backend
    if seconds is None:
        return 0 if backend == "inline" else 1
    size = math.ceil(_WORTH.get(backend, _WORTH_ELSEWHERE) / max(seconds, 1e-5))
    if backend in _WORTH:
        # The last calls end at different times: the more there are, the less that is.
        size = min(size, math.ceil(origins / (8 * executor.session.workers)))
    return max(1, size)


def packed(groups: Iterable[Sequence[T]], size: int) -> list[list[T]]:
    """Return packs of at most `size` origins; a group that fits into one is not divided.

    Parameters
    ----------
    groups : iterable of sequence
        The origins of each group.
    size : int
        1 or more.
    """
    packs: list[list[T]] = []
    last: list[T] = []
    for group in groups:
        if len(last) + len(group) > size:
            packs.append(last)
            last = []
        parts = math.ceil(len(group) / size)
        if parts > 1:
            cuts = [len(group) * part // parts for part in range(parts + 1)]
            packs += [list(group[start:stop]) for start, stop in pairwise(cuts)]
        else:
            last += group
    packs.append(last)
    return [pack for pack in packs if pack]
