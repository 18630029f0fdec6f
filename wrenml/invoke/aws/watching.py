"""Finds outcomes: lists what lies under a job, and reads what is new.

::

    flight sent ──▶ list jobs/<job>/out/ from the first part that is missing ──▶ read what is new ──▶ frame
                          │
                          └─ nothing there, and the lease over or a failure record seen before the list began ──▶ lost
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice

from wrenml.invoke.aws.flight import Flight
from wrenml.invoke.aws.pace import Pace
from wrenml.storage.base import Objects
from wrenml.wire import outcome_prefix

__all__ = ["PAGE", "Found", "JobWatch", "Name", "list_outcomes"]

PAGE = 1000
Name = tuple[int, str, str]  # call, attempt where only of that, key
Found = tuple[Flight, int, str]  # a part that is there: its flight, its first call, its key


class JobWatch:
    """The parts of one job that are waited for.

    Parameters
    ----------
    pace : Pace
        How often to look.
    """

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._missing: dict[int, Flight] = {}
        self._behind: dict[int, list[Flight]] = {}  # invocations that have a backup, until that is dropped
        self._reading: set[int] = set()

    @property
    def flights(self) -> set[int]:
        """Identities of the flights that miss parts."""
        return {id(flight) for flight in self._missing.values()}

    @property
    def missing(self) -> int:
        """How many parts have not come."""
        return len(self._missing)

    @property
    def over(self) -> bool:
        """Whether nothing is waited for: neither a part, nor how a backup ends."""
        return not (self._missing or self._behind)

    def add(self, flight: Flight) -> None:
        """Wait for a flight's parts."""
        flight.missing = set(flight.parts)
        for part in flight.parts:
            if part in self._missing:
                self._behind.setdefault(part, []).append(self._missing[part])
            self._missing[part] = flight

    def drop(self, flight: Flight) -> None:
        """Wait for none of a flight's parts any more, but for those of what it was a backup of."""
        for part in flight.parts:
            self._reading.discard(part)
            behind = self._behind.get(part, [])
            if flight in behind:
                behind.remove(flight)
            elif self._missing.get(part, flight) is flight:
                self._missing.pop(part, None)
                if behind:
                    self._missing[part] = behind.pop()
            if not behind:
                self._behind.pop(part, None)

    def arrived(self, flight: Flight, part: int) -> bool:
        """Take note that a part was read; True if that was the flight's last."""
        self._reading.discard(part)
        if self._missing.get(part) is flight:
            del self._missing[part]
        flight.missing.discard(part)
        return not flight.missing

    def expect(self, flight: Flight, part: int) -> None:
        """Wait for a part again, which is being read once more."""
        flight.missing.add(part)
        self._missing.setdefault(part, flight)
        self._reading.add(part)

    def again(self, part: int) -> None:
        """Take note that a part could not be read: it is found once more."""
        self._reading.discard(part)

    def wanted(self) -> list[int]:
        """The parts that are missing, in order."""
        return sorted(self._missing)

    def match(self, names: Iterable[Name]) -> list[Found]:
        """Choose from what a list showed the parts to be read, each once."""
        found: list[Found] = []
        for call, attempt, key in names:
            flight = self._missing.get(call)
            if flight is None or call in self._reading or (attempt and attempt != str(flight.request.attempt)):
                continue
            found.append((flight, call, key))
            self._reading.add(call)
        return found

    def lost(self, began: float) -> Iterable[Flight]:
        """The flights of which a list that began at that time, monotonic seconds, should have shown something."""
        for flight in {id(one): one for one in self._missing.values()}.values():
            if any(part in self._reading for part in flight.missing):
                continue
            expired = flight.lease is not None and flight.lease <= began
            if expired or (flight.doomed is not None and flight.judged <= began):
                yield flight


def list_outcomes(storage: Objects, job: str, wanted: Sequence[int]) -> tuple[list[Name], int]:
    """List the outcomes of a job that may be among those wanted; return them, and how many pages that took.

    Runs of outcomes that are known already are stepped over, so that one straggler in front does not cost a list of
    all that came after it.

    Parameters
    ----------
    storage : Objects
        Where they lie.
    job : str
        The job.
    wanted : sequence of int
        Calls, rising.
    """
    prefix = outcome_prefix(job)
    names: list[Name] = []
    pages = at = 0
    while at < len(wanted):
        pages += 1
        first = wanted[at]
        # A tilde sorts behind all that a name can go on with.
        after = f"{prefix}{first - 1:010d}~" if first else ""
        page = list(islice(storage.list(prefix, after=after), PAGE))
        for key in page:
            call, _, attempt = key[len(prefix) :].partition(".")
            if call.isdecimal():
                names.append((int(call), attempt, key))
        if len(page) < PAGE:
            break
        last = names[-1][0] if names else first
        at = bisect_right(wanted, max(last, first))
    return names, pages
