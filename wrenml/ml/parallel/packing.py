"""How many tasks travel together: policies as pure functions of what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["LOCAL", "REMOTE", "Pace", "longest", "pack_size", "room"]

_GROWTH = 4  # a first measurement says little
_PACKING_SHARE = 0.04  # of the time that a pack runs, for packing it
_LONGEST = 2.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What is worth an invocation.

    Parameters
    ----------
    least : float
        Seconds that an invocation should take at least, if there are tasks enough.
    most : float
        Seconds it should not exceed, if it has more than one task.
    probes : int
        Invocations under way while no task has been measured yet.
    patience : float
        Seconds after which twice as many may be: tasks are long, or environments are slow to start.
    """

    least: float
    most: float
    probes: int
    patience: float


LOCAL = Pace(least=0.02, most=0.2, probes=1_000_000, patience=1.0)
"""Worker processes: handing over costs about a millisecond."""

REMOTE = Pace(least=1.5, most=2.0, probes=8, patience=2.0)
"""Elsewhere: a request costs tens of milliseconds, and an environment that is started for it seconds."""


def longest(pace: Pace, *, packing: float) -> float:
    """How long a pack of several tasks should take at most, seconds; longer where packing one takes long.

    Parameters
    ----------
    pace : Pace
        What is worth an invocation.
    packing : float
        Seconds it takes to pack one, whatever number of tasks it has: scikit-learn's tasks bring their search along.
    """
    return max(pace.most, min(packing / _PACKING_SHARE, _LONGEST))


def pack_size(  # what was measured, by name
    pace: Pace, *, seconds: float | None, pending: int, lanes: int, last: int, packing: float = 0.0
) -> int:
    """How many tasks to send together.

    Parameters
    ----------
    pace : Pace
        What is worth an invocation.
    seconds : float, optional
        What a task takes, as far as is known.
    pending : int
        Tasks that wait.
    lanes : int
        Invocations that can run at a time.
    last : int
        The largest number so far.
    packing : float
        Seconds it takes to pack one.

    Returns
    -------
    int
        At least 1. Shares shrink as tasks run out, so that workers finish together, but not below what is worth an
        invocation.
    """
    if seconds is None:
        return 1
    least = math.ceil(pace.least / max(seconds, 1e-6))
    most = math.ceil(longest(pace, packing=packing) / max(seconds, 1e-6))
    share = pending // (2 * lanes)
    return max(1, min(max(least, min(most, share)), _GROWTH * last))


def room(pace: Pace, *, lanes: int, workers: int, measured: bool, waited: float) -> int:
    """How many invocations may be under way.

    Parameters
    ----------
    pace : Pace
        What is worth an invocation.
    lanes : int
        How many the caller wants to run at a time (`n_jobs`).
    workers : int
        How many the executor runs at a time; where the caller wants all of them, one more for each may wait.
    measured : bool
        Whether it is known what a task takes.
    waited : float
        Seconds since the first task was sent.
    """
    most = 2 * lanes if lanes >= workers else lanes
    doubled = min(int(waited / pace.patience), most.bit_length())
    return most if measured else min(most, pace.probes << doubled)
