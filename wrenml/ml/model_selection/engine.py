"""Runs tasks over an executor and hands their results back in order.

::

    items ─▶ groups ─▶ executor.map(Work(task)) ─▶ envelopes, as they come ─▶ arrived(i, value)
                                                       └─▶ in order of the items: warnings, output, failures, values

A group is one call: what its items share is made once. Items that share nothing are packed into groups by the measured
time of the first ones, so that a call is worth what it costs, and all workers are busy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from statistics import median
from typing import Any

from wrenml import Future, FutureList, as_completed
from wrenml.errors import CallError
from wrenml.executor import Executor
from wrenml.ml.choosing import chosen
from wrenml.ml.envelope import LOST, Caller, Enclosure, Envelope, caller

__all__ = ["Arrived", "Plan", "Work", "groups_of", "packed", "planned", "run"]

Task = Callable[..., Any]
Items = Sequence[tuple[Any, ...]]
Group = Sequence[int]
Arrived = Callable[[int, Any], object]

_HERE = ("inline", "local")
_WORTH_HERE = 0.05  # seconds a call should take where it costs two messages
_WORTH_ELSEWHERE = 1.5  # and where it costs an invocation and some requests
_MOST_JOINED = 16  # items of a call that share a part of what they could: it ends and is seen as a whole
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

    def __call__(self, items: Items) -> list[Envelope]:
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
    started : callable, optional
        Told of calls as they are started.
    """

    executor: Executor
    name: str
    n_jobs: int | None = None
    started: Callable[[FutureList[Any]], None] | None = None

    @property
    def workers(self) -> int:
        """How many calls run at a time."""
        most = self.executor.session.workers
        return most if self.n_jobs is None or self.n_jobs < 1 else min(self.n_jobs, most)

    @property
    def here(self) -> bool:
        """Whether calls run on this machine, where they cost little."""
        return self.executor.session.backend in _HERE

    def options(self) -> dict[str, Any]:
        """Options of the map."""
        limit = self.workers if self.workers < self.executor.session.workers else None
        return {"name": self.name, "cache": None, "max_in_flight": limit}

    def first(self, count: int) -> tuple[int, int]:
        """How many of some items to run at first, each on its own, and after how many to pack the others."""
        if not self.here:
            return min(count, 4), 1
        return (count, 0) if count <= 4 * self.workers else (3 * self.workers, self.workers + 1)


def planned(executor: Executor | None, name: str, estimator: Any, n_jobs: int | None) -> Plan:
    """Return a plan, for the default executor if none is given."""
    return Plan(chosen(executor), f"{name}({type(estimator).__name__})", n_jobs)


def packed(numbers: Sequence[int], seconds: float, plan: Plan) -> list[Group]:
    """Pack items into groups.

    Parameters
    ----------
    numbers : sequence of int
        Of the items.
    seconds : float
        That one takes; infinite if those that were tried were lost: then each goes alone.
    plan : Plan
        Tells what a call should take.
    """
    size = max(1, math.ceil((_WORTH_HERE if plan.here else _WORTH_ELSEWHERE) / max(seconds, 1e-5)))
    if plan.here:
        # The last groups end at different times: the more there are, the less that is.
        size = min(size, math.ceil(len(numbers) / (8 * plan.workers)))
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def run(
    plan: Plan,
    task: Task,
    items: Items,
    *,
    groups: Sequence[Group] | None = None,
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
        Numbers of the items that one call runs. Default: they are packed by how long the first ones take.
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
    gathering = _Gathering(arrived, opened)
    calls = _Calls(plan, Work(task, caller()), items, gathering)
    try:
        calls.run(groups)
        ended = calls.taken_lost()
        # Which item of a group it was is not known: each gets a call of its own.
        calls.run([[number] for group, _ in ended if len(group) > 1 for number in group])
    except BaseException:  # also Ctrl-C: nobody waits for the calls any more
        calls.cancel()
        raise
    for group, error in [*ended, *calls.taken_lost()]:
        if len(group) == 1:
            if lost is None:
                raise error
            gathering.put(group[0], Envelope(lost(group[0], error)))
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


class _Calls:
    """The calls of a run."""

    def __init__(self, plan: Plan, work: Work, items: Items, gathering: _Gathering) -> None:
        self._plan = plan
        self._work = work
        self._items = items
        self._gathering = gathering
        self._calls: dict[Any, Group] = {}
        self._lost: list[tuple[Group, CallError]] = []

    def run(self, groups: Sequence[Group] | None) -> None:
        """Run groups, or all items packed into some."""
        if groups is None:
            groups = self._measured()
        self._start(groups)
        for future in as_completed(list(self._calls)):
            self._take(future)

    def taken_lost(self) -> list[tuple[Group, CallError]]:
        """Return the groups that were lost since the last time, and how."""
        lost, self._lost = self._lost, []
        return lost

    def cancel(self) -> None:
        """Cancel what has not ended."""
        FutureList(self._calls).cancel()

    def _measured(self) -> list[Group]:
        """Run some items on their own; return the others in groups."""
        numbers = range(len(self._items))
        first, enough = self._plan.first(len(numbers))
        if first == len(numbers):
            return [[number] for number in numbers]
        self._start([[number] for number in numbers[:first]])
        seconds = [self._take(future) for future in islice(as_completed(list(self._calls)), enough)]
        return packed(numbers[first:], median(seconds), self._plan)

    def _start(self, groups: Sequence[Group]) -> None:
        if groups:
            elements = [[self._items[number] for number in group] for group in groups]
            made = self._plan.executor.map(self._work, elements, **self._plan.options())
            self._calls.update(zip(made, groups, strict=True))
            if self._plan.started is not None:
                self._plan.started(made)

    def _take(self, future: Future[list[Envelope]]) -> float:
        """Take a call's envelopes; return how long its tasks took, seconds, infinite if it was lost."""
        group = self._calls[future]
        try:
            envelopes = future.result()
        except LOST as error:
            del self._calls[future]
            self._lost.append((group, error))
            return math.inf
        del self._calls[future]
        for number, envelope in zip(group, envelopes, strict=True):
            self._gathering.put(number, envelope)
        return sum(envelope.seconds for envelope in envelopes)


def groups_of(items: Sequence[tuple[int, int]], keys: Sequence[tuple[int, ...]], workers: int) -> list[Group]:
    """Put cells that share work into groups.

    Cells that share all steps that can be shared are a group. Small groups that share the first of them become one,
    since two workers would both fit it; the last ones do not, so that all workers end together.

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
    wanted = 2 * workers if workers > 1 else 1
    together = _joined({key: shared[key] for key in sorted(key for key in shared if key[1])}, wanted, workers)
    parts = math.ceil(wanted / max(1, len(together)))
    cut: list[Group] = []
    for group in together:
        size = max(_LEAST_SHARED, math.ceil(len(group) / parts))
        cut += [group[start : start + size] for start in range(0, len(group), size)]
    return [*cut, *alone]


def _joined(groups: Mapping[tuple[int, tuple[int, ...]], list[int]], wanted: int, workers: int) -> list[list[int]]:
    """Join neighbouring groups of a split that share their first step, where enough groups remain."""
    families = [[groups[key] for key in keys] for _, keys in groupby(groups, lambda key: (key[0], key[1][0]))]
    joined: list[list[int]] = []
    for place, family in enumerate(families):
        last = place >= len(families) - workers
        most = 0 if last or len(families) < wanted else _MOST_JOINED
        first = len(joined)
        for group in family:
            if len(joined) > first and len(joined[-1]) + len(group) <= most:
                joined[-1] = joined[-1] + group
            else:
                joined.append(group)
    return joined
