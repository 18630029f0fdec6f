"""Runs tasks of a study over an executor and hands their results back in order.

::

    items ─▶ groups ─▶ executor.map(Work(task)) ─▶ envelopes, as they come ─▶ arrived(i, value)
                                                       └─▶ in order of the items: warnings, output, failures, values

A group is one call: what its items share is made once. Short calls are carried together, by the local backend on its
own, elsewhere by the measured time of the first ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import wrenml
from wrenml import Future, FutureList, as_completed
from wrenml.errors import CallError, CallExited, CallTimeout, WorkerLost
from wrenml.executor import Executor
from wrenml.ml.envelope import Caller, Enclosure, Envelope, caller

__all__ = ["LOST", "Arrived", "Plan", "Work", "carried", "groups_of", "planned", "run"]

LOST = (WorkerLost, CallTimeout, CallExited)
"""How a call ends that could not raise."""

Task = Callable[..., Any]
Arrived = Callable[[int, Any], object]

_WORTH = 1.5  # seconds an invocation should take where each costs a request
_LOCAL = ("inline", "local")
_LEAST_SHARED = 8  # items under which what they share is not made twice to keep workers busy


class Work:
    """The function of the map: runs the items of a group, each into an envelope of its own.

    Parameters
    ----------
    task : callable
        Called with the parts of an item.
    here : Caller
        The caller's settings.
    """

    def __init__(self, task: Task, here: Caller) -> None:
        self._task = task
        self._here = here

    def __call__(self, items: Sequence[tuple[Any, ...]]) -> list[Envelope]:
        """Run a group; what an item raises takes nothing from the others."""
        with Enclosure(self._here) as enclosure:
            return [enclosure.run(self._task, *item) for item in items]


@dataclass(frozen=True, slots=True)
class Plan:
    """How tasks are run.

    Parameters
    ----------
    executor : Executor
        Where.
    name : str
        What the map is called.
    n_jobs : int, optional
        Most calls under way at a time. Default, and if negative: the executor's workers.
    """

    executor: Executor
    name: str
    n_jobs: int | None = None

    def options(self) -> dict[str, Any]:
        """Options of the map."""
        limited = self.n_jobs is not None and 0 < self.n_jobs < self.executor.session.workers
        return {"name": self.name, "cache": None, "max_in_flight": self.n_jobs if limited else None}


def planned(executor: Executor | None, name: str, n_jobs: int | None) -> Plan:
    """Return a plan, for the default executor if none is given."""
    return Plan(executor or wrenml.default_executor(), name, n_jobs)


def run(
    plan: Plan,
    task: Task,
    items: Sequence[tuple[Any, ...]],
    *,
    groups: Sequence[Sequence[int]] | None = None,
    arrived: Arrived | None = None,
    opened: Arrived | None = None,
    lost: Callable[[int, CallError], Any] | None = None,
) -> list[Any]:
    """Run tasks; return their values in order.

    Parameters
    ----------
    plan : Plan
        Where and how.
    task : callable
        Sent once, with the data it refers to.
    items : sequence of tuple
        Arguments of each task.
    groups : sequence of sequence of int, optional
        Numbers of the items that one call runs. Default: each has its own call.
    arrived : callable, optional
        Told the number and value of each task that has ended well, as soon as it is here.
    opened : callable, optional
        Told the number and value of each task, in order, after its warnings and output.
    lost : callable, optional
        Returns the value of a task whose worker died, that ran out of time or memory. Default: that is raised.

    Raises
    ------
    BaseException
        What the task with the lowest number raised that raised anything; the others are cancelled.
    """
    work = Work(task, caller())
    gathering = _Gathering(arrived, opened)
    again = _gather(plan, work, items, groups or [[i] for i in range(len(items))], gathering)
    while again:
        # Which of them it was is not known: each gets a call of its own.
        singles = [number for group, _ in again if len(group) > 1 for number in group]
        for group, error in again:
            if len(group) == 1:
                if lost is None:
                    raise error
                gathering.put(group[0], Envelope(lost(group[0], error)))
        again = _gather(plan, work, items, [[number] for number in singles], gathering) if singles else []
    return gathering.values


class _Gathering:
    """Envelopes as they come, opened in order."""

    def __init__(self, arrived: Arrived | None, opened: Arrived | None) -> None:
        self.values: list[Any] = []
        self._waiting: dict[int, Envelope] = {}
        self._arrived = arrived
        self._opened = opened

    def put(self, number: int, envelope: Envelope) -> None:
        if self._arrived is not None and envelope.failure is None:
            self._arrived(number, envelope.value)
        self._waiting[number] = envelope
        while (following := self._waiting.pop(len(self.values), None)) is not None:
            self.values.append(following.open())
            if self._opened is not None:
                self._opened(len(self.values) - 1, self.values[-1])


def _gather(
    plan: Plan, work: Work, items: Sequence[tuple[Any, ...]], groups: Sequence[Sequence[int]], gathering: _Gathering
) -> list[tuple[Sequence[int], CallError]]:
    """Run groups; return those that were lost, and how."""
    lost: list[tuple[Sequence[int], CallError]] = []
    futures: dict[Future[list[Envelope]], Sequence[int]] = {}
    maps: list[FutureList[list[Envelope]]] = []
    try:
        for batch, chunksize in _batches(plan, groups, futures):
            elements = [[items[i] for i in group] for group in batch]
            maps.append(plan.executor.map(work, elements, chunksize=chunksize, **plan.options()))
            futures |= dict(zip(maps[-1], batch, strict=True))
        for future in as_completed(list(futures)):
            group = futures[future]
            try:
                envelopes = future.result()
            except LOST as error:
                lost.append((group, error))
            else:
                for number, envelope in zip(group, envelopes, strict=True):
                    gathering.put(number, envelope)
    except BaseException:
        for made in maps:
            made.cancel()
        raise
    return lost


def _batches(
    plan: Plan, groups: Sequence[Sequence[int]], futures: Mapping[Future[list[Envelope]], Sequence[int]]
) -> Iterable[tuple[Sequence[Sequence[int]], int | None]]:
    """Say which groups to send together, and how many an invocation carries."""
    if plan.executor.session.backend in _LOCAL or len(groups) <= 1:
        yield groups, None
        return
    first = min(len(groups), 4)
    yield groups[:first], None
    rest = groups[first:]
    if rest:
        seconds = _first_seconds(futures)
        yield rest, carried(seconds, len(rest))


def _first_seconds(futures: Mapping[Future[list[Envelope]], Sequence[int]]) -> float:
    """How long the first call took that has ended; 0 if it failed."""
    future = next(as_completed(list(futures)))
    return 0.0 if future.exception() is not None else float(sum(each.seconds for each in future.result()))


def carried(seconds: float, calls: int) -> int:
    """Return how many of some calls an invocation shall carry, given what one takes, seconds."""
    return max(1, min(math.ceil(_WORTH / max(seconds, 1e-4)), calls))


def groups_of(items: Sequence[tuple[int, int]], keys: Sequence[tuple[int, ...]], workers: int) -> list[list[int]]:
    """Put cells that share work into groups.

    Parameters
    ----------
    items : sequence of (int, int)
        Candidate and split of each cell.
    keys : sequence of tuple of int
        Of each candidate: what it shares with others (`prefixes.shared_steps`).
    workers : int
        How many groups run at a time: where there are too few, a group is cut, and what it shares is made twice.

    Returns
    -------
    list of list of int
        Numbers of items, those that share most next to each other.
    """
    shared: dict[tuple[int, tuple[int, ...]], list[int]] = {}
    for number, (candidate, split) in enumerate(items):
        shared.setdefault((split, keys[candidate]), []).append(number)
    alone = [[number] for (_, key), numbers in shared.items() if not key for number in numbers]
    together = [shared[key] for key in sorted(key for key in shared if key[1])]
    wanted = 2 * workers if workers > 1 else 1
    parts = math.ceil(wanted / max(1, len(together)))
    cut: list[list[int]] = []
    for group in together:
        size = max(_LEAST_SHARED, math.ceil(len(group) / parts))
        cut += [group[start : start + size] for start in range(0, len(group), size)]
    return [*cut, *alone]
