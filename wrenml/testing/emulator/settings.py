"""What a test may set of the emulated Lambda: limits, waiting times, and how reliably events are delivered."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

__all__ = ["Delivery", "Settings", "delivered_once", "shaky_delivery"]

Delivery = Callable[[int], Sequence[float]]
"""Says of the n-th accepted event after how many seconds each of its copies reaches the queue."""


def delivered_once(_number: int) -> Sequence[float]:
    """Deliver each event once, at once."""
    return (0.0,)


def shaky_delivery(
    seed: int, *, doubled: float = 0.0, dropped: float = 0.0, late: float = 0.0, seconds: float = 1.0
) -> Delivery:
    """Deliver at least once, as a rule: Lambda's queue is eventually consistent.

    Parameters
    ----------
    seed : int
        The same seed gives the n-th event the same fate.
    doubled, dropped, late : float
        Probabilities that an event comes twice, never, or only after a while. Default: 0.
    seconds : float
        How long a late event, or at most the second copy, takes. Default: 1.

    Returns
    -------
    Delivery
        For `Settings.delivery`.
    """

    def plan(number: int) -> Sequence[float]:
        chance = random.Random(f"{seed}-{number}")
        fate = chance.random()
        if fate < dropped:
            return ()
        if fate < dropped + doubled:
            return (0.0, seconds * chance.random())
        return (seconds,) if fate < dropped + doubled + late else (0.0,)

    return plan


@dataclass(slots=True)
class Settings:
    """Limits and times, Lambda's own as defaults; a change holds for what happens next.

    Parameters
    ----------
    account_concurrency : int
        Invocations at a time in the account. Default: 1,000.
    max_environments : int
        Environments at a time that this machine carries; further invocations wait as for a cold start. Default: 64.
    init_seconds : float
        Limit of the init phase. Default: 10.
    idle_seconds : float
        After which an idle environment ends. Default: 300.
    retry_delays : sequence of float
        Seconds before each further attempt after a function error. Default: 60, 120.
    throttle_delays : pair of float
        Seconds before a throttled event is tried again: the first, doubled each time, up to the second.
        Default: 1, 300.
    out_of_memory : str
        What over the memory limit is killed: the largest ``process`` (default), as the kernel does, or all of the
        ``environment``.
    freeze : bool
        Whether processes stand still between events, as on Lambda: what runs on after a handler has returned does so
        when the next event comes. Default: they do not.
    delivery : Delivery
        The fate of each event. Default: delivered once, at once.
    """

    account_concurrency: int = 1_000
    max_environments: int = 64
    init_seconds: float = 10.0
    idle_seconds: float = 300.0
    retry_delays: Sequence[float] = (60.0, 120.0)
    throttle_delays: tuple[float, float] = (1.0, 300.0)
    out_of_memory: Literal["process", "environment"] = "process"
    freeze: bool = False
    delivery: Delivery = delivered_once

    def reset(self) -> None:
        """Set everything to its default."""
        default = Settings()
        for field in fields(self):
            setattr(self, field.name, getattr(default, field.name))
