"""The state of a job's calls: a pure state machine, with no I/O and no clock of its own.

::

    held ──release──▶ pending ──take──▶ in flight ──outcome──▶ settled
                        ▲  ▲                │  │
                        │  └────give_back───┘  │           (not started: goes to another worker)
                        └───────lost───────────┘           (its worker died: at most `infra_retries` times a call)

A call settles once; whatever arrives for it afterwards is a duplicate and changes nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Calls", "Invocation", "Losses"]


@dataclass(slots=True, eq=False)
class Invocation:
    """A run of calls that was handed to a worker under one attempt number."""

    first: int
    count: int
    attempt: int
    sent: float = 0.0  # monotonic seconds
    gone: set[int] | None = None  # calls that were lost one by one, and are this invocation's no longer
    backed: bool = False  # whether a backup of it was started, under the next attempt number

    @property
    def stop(self) -> int:
        """The call after the last."""
        return self.first + self.count

    @property
    def next_attempt(self) -> int:
        """The number under which its calls are started again: no two attempts at a call share one, nor a key."""
        return self.attempt + 1 + self.backed


class Losses(NamedTuple):
    """What became of the calls of a lost invocation: call numbers to run again, and those given up."""

    again: tuple[int, ...]
    given_up: tuple[int, ...]


class Calls:
    """Which calls of a job are pending, in flight and settled.

    Parameters
    ----------
    infra_retries : int
        How often a call may lose its worker and still be run again.
    """

    __slots__ = (
        "_backups",
        "_blame",
        "_in_flight",
        "_infra_retries",
        "_pending",
        "_settled",
        "duplicates",
        "retried",
        "settled",
        "total",
    )

    def __init__(self, infra_retries: int = 3) -> None:
        self._infra_retries = infra_retries
        self._pending: deque[tuple[int, int, int, bool]] = deque()  # first, count, attempt, alone
        self._in_flight: dict[tuple[int, int], Invocation] = {}
        self._settled = bytearray()
        self._blame: dict[int, int] = {}
        self._backups = 0
        self.total = 0
        self.settled = 0
        self.duplicates = 0
        self.retried = 0

    @property
    def unsettled(self) -> int:
        """How many calls have no outcome yet."""
        return self.total - self.settled

    @property
    def pending(self) -> int:
        """How many calls wait to be handed to a worker (settled ones among them are skipped when taken)."""
        return sum(count for _, count, _, _ in self._pending)

    @property
    def has_pending(self) -> bool:
        """Whether any call may wait to be handed to a worker."""
        return bool(self._pending)

    @property
    def in_flight(self) -> tuple[Invocation, ...]:
        """The invocations that are not over."""
        return tuple(self._in_flight.values())

    def is_settled(self, call: int) -> bool:
        """Whether the call has its outcome."""
        return bool(self._settled[call])

    def is_in_flight(self, call: int) -> bool:
        """Whether a worker has the call, and no outcome has come."""
        return not self._settled[call] and any(
            i.first <= call < i.stop and call not in (i.gone or ()) for i in self._in_flight.values()
        )

    def all_settled(self, first: int, stop: int) -> bool:
        """Whether all calls of a range have their outcomes."""
        return self._settled.find(0, first, stop) < 0

    def any_settled(self, invocation: Invocation) -> bool:
        """Whether at least one call of an invocation has its outcome."""
        return self._settled.find(1, invocation.first, invocation.stop) >= 0

    def add(self, count: int, *, held: bool = False) -> int:
        """Append calls; return the number of the first. Held ones wait for `release`."""
        first = self.total
        self.total += count
        self._settled.extend(bytes(count))
        if count and not held:
            if self._pending:
                last_first, last_count, attempt, alone = self._pending[-1]
                if last_first + last_count == first and attempt == 1 and not alone:
                    self._pending[-1] = (last_first, last_count + count, 1, False)
                    return first
            self._pending.append((first, count, 1, False))
        return first

    def release(self, call: int) -> None:
        """Make a held call pending."""
        if not self._settled[call]:
            self._pending.append((call, 1, 1, False))

    def take(self, limit: int) -> Invocation | None:
        """Take up to `limit` neighbouring pending calls for a worker; None when there are none."""
        settled = self._settled
        pending = self._pending
        while pending:
            first, count, attempt, alone = pending.popleft()
            stop = first + count
            while first < stop and settled[first]:
                first += 1
            if first == stop:
                continue
            end = min(first + (1 if alone else limit), stop)
            cut = settled.find(1, first, end)
            if cut >= 0:
                end = cut
            if end < stop:
                pending.appendleft((end, stop - end, attempt, alone))
            invocation = Invocation(first, end - first, attempt)
            self._in_flight[first, attempt] = invocation
            return invocation
        return None

    def find(self, first: int, attempt: int) -> Invocation | None:
        """The invocation in flight of that name, if it is not over."""
        return self._in_flight.get((first, attempt))

    def settle(self, call: int) -> bool:
        """Record an outcome; False if the call had one already."""
        if self._settled[call]:
            self.duplicates += 1
            return False
        self._settled[call] = 1
        self.settled += 1
        return True

    def settle_run(self, first: int, stop: int) -> bool:
        """Record the outcomes of neighbouring calls; False, and nothing recorded, if one of them had its own."""
        if self._settled.find(1, first, stop) >= 0:
            return False
        self._settled[first:stop] = b"\1" * (stop - first)
        self.settled += stop - first
        return True

    def end(self, invocation: Invocation) -> bool:
        """Take note that an invocation is over; False if it was already."""
        return self._in_flight.pop((invocation.first, invocation.attempt), None) is not None

    def owes(self, invocation: Invocation) -> bool:
        """Whether calls of an invocation have no outcome, and were not lost either."""
        return not self.all_settled(invocation.first, invocation.stop) and bool(self._left(invocation))

    def _left(self, invocation: Invocation) -> list[int]:
        """The calls that an invocation alone answers for: unsettled, not lost, and in no backup either."""
        gone = invocation.gone or ()
        calls = range(invocation.first, invocation.stop)
        left = [call for call in calls if not self._settled[call] and call not in gone]
        if left and self._backups:
            twins = [i for i in self._in_flight.values() if i is not invocation and i.first < invocation.stop]
            return [call for call in left if not any(i.first <= call < i.stop for i in twins)]
        return left

    def back_up(self, invocation: Invocation) -> Invocation | None:
        """Start the calls of an invocation a second time; None if that was done already, of all or of some of them."""
        if invocation.backed or invocation.gone or (invocation.first, invocation.attempt - 1) in self._in_flight:
            return None
        backup = Invocation(invocation.first, invocation.count, invocation.next_attempt)
        self._in_flight[backup.first, backup.attempt] = backup
        invocation.backed = True
        self._backups += 1
        return backup

    def twins(self, invocation: Invocation) -> list[Invocation]:
        """Other invocations of the same calls that are in flight."""
        if not self._backups:
            return []
        return [i for i in self._in_flight.values() if i is not invocation and i.first == invocation.first]

    def lose(self, invocation: Invocation, call: int, *, blame: bool) -> bool:
        """Decide about one lost call of an invocation that goes on; False if it is given up.

        Parameters
        ----------
        invocation : Invocation
            It has the call no longer.
        call : int
            The call.
        blame : bool
            Whether that counts against it, and it runs alone next time.
        """
        gone = invocation.gone = invocation.gone or set()
        if call not in self._left(invocation):
            return True
        gone.add(call)
        if blame:
            self._blame[call] = self._blame.get(call, 0) + 1
            if self._blame[call] > self._infra_retries:
                return False
        self.retried += 1
        self._pending.append((call, 1, invocation.next_attempt, blame))
        return True

    def give_back(self, invocation: Invocation, first: int) -> int:
        """Make the calls of an invocation from `first` on pending again, blaming nobody; return how many."""
        again = [call for call in self._left(invocation) if call >= first]
        self._requeue(again, invocation.next_attempt, alone=False)
        invocation.count = max(0, min(first, invocation.stop) - invocation.first)
        return len(again)

    def lost(self, invocation: Invocation, suspect: int | None, *, retry: bool = True, counted: bool = True) -> Losses:
        """Decide about the unsettled calls of an invocation whose worker is gone.

        Parameters
        ----------
        invocation : Invocation
            It is over afterwards.
        suspect : int, optional
            The call that was running, if known: it alone is blamed and runs alone next time. Otherwise all are blamed.
        retry : bool
            False gives the blamed ones up at once.
        counted : bool
            False runs them again however often they were blamed.
        """
        self.end(invocation)
        unsettled = self._left(invocation)
        blamed = unsettled if suspect is None else [call for call in unsettled if call == suspect]
        given_up = []
        for call in blamed:
            blame = self._blame[call] = self._blame.get(call, 0) + counted
            if not retry or (counted and blame > self._infra_retries):
                given_up.append(call)
        gone = set(given_up)
        again = [call for call in unsettled if call not in gone]
        innocent = [call for call in again if call != suspect]
        guilty = [call for call in again if call == suspect]
        self.retried += len(again)
        self._requeue(innocent, invocation.next_attempt, alone=False)
        # Behind the others: a call that kills workers must not hold up calls that do not.
        for call in guilty:
            self._pending.append((call, 1, invocation.next_attempt, True))
        return Losses(tuple(again), tuple(given_up))

    def attempts_blamed(self, call: int) -> int:
        """How often the call was running when its worker was lost."""
        return self._blame.get(call, 0)

    def _requeue(self, calls: list[int], attempt: int, *, alone: bool) -> None:
        runs: list[tuple[int, int, int, bool]] = []
        for call in calls:
            if runs and runs[-1][0] + runs[-1][1] == call:
                first, count, _, _ = runs[-1]
                runs[-1] = (first, count + 1, attempt, alone)
            else:
                runs.append((call, 1, attempt, alone))
        self._pending.extendleft(reversed(runs))
