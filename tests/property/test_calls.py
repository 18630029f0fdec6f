from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wrenml.calls import Calls, Invocation

HELD, PENDING, SETTLED = "held", "pending", "settled"


class CallsMachine(RuleBasedStateMachine):
    """A job's calls under any interleaving of outcome, duplicate, loss, cancel, give-back, release and deadline."""

    @initialize(infra_retries=st.integers(0, 3))
    def start(self, infra_retries: int) -> None:
        self.infra_retries = infra_retries
        self.calls = Calls(infra_retries)
        self.where: dict[int, str | tuple[int, int]] = {}
        self.invocations: dict[tuple[int, int], Invocation] = {}
        self.blamed: dict[int, int] = {}
        self.names: set[tuple[int, int]] = set()
        self.tried: set[tuple[int, int]] = set()
        self.outcomes: dict[int, int] = {}
        self.duplicates = 0
        self.first_taken = -1
        self.was_held: set[int] = set()

    # What happens

    @rule(count=st.integers(0, 12), held=st.booleans())
    def add(self, count: int, held: bool) -> None:  # noqa: FBT001  # drawn
        first = self.calls.add(count, held=held)
        assert first == len(self.where)
        for call in range(first, first + count):
            self.where[call] = HELD if held else PENDING
            if held:
                self.was_held.add(call)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        held = [call for call, state in self.where.items() if state == HELD]
        if held:
            call = data.draw(st.sampled_from(held))
            self.calls.release(call)
            self.where[call] = PENDING

    @rule(limit=st.integers(1, 9))
    def take(self, limit: int) -> None:
        invocation = self.calls.take(limit)
        if invocation is None:
            assert PENDING not in self.where.values()
            return
        name = (invocation.first, invocation.attempt)
        assert name not in self.names
        assert 1 <= invocation.count <= limit
        assert self.calls.find(*name) is invocation
        self.names.add(name)
        self.invocations[name] = invocation
        for call in range(invocation.first, invocation.stop):
            assert self.where[call] == PENDING
            assert (call, invocation.attempt) not in self.tried
            self.tried.add((call, invocation.attempt))
            self.where[call] = name
            if invocation.attempt == 1 and call not in self.was_held:
                assert call > self.first_taken
                self.first_taken = call

    def _settle(self, call: int) -> None:
        fresh = self.where[call] != SETTLED
        assert self.calls.settle(call) is fresh
        if fresh:
            self.where[call] = SETTLED
            self.outcomes[call] = self.outcomes.get(call, 0) + 1
        else:
            self.duplicates += 1

    @precondition(lambda self: self.where)
    @rule(data=st.data())
    def outcome(self, data: st.DataObject) -> None:
        """An outcome, a duplicate, a cancellation, the client's own outcome: whatever settles a call."""
        self._settle(data.draw(st.integers(0, len(self.where) - 1)))

    def _draw(self, data: st.DataObject) -> tuple[tuple[int, int], Invocation]:
        return data.draw(st.sampled_from(sorted(self.invocations.items(), key=lambda item: item[0])))

    @precondition(lambda self: self.invocations)
    @rule(data=st.data())
    def worker_reports_all(self, data: st.DataObject) -> None:
        name, invocation = self._draw(data)
        for call in range(invocation.first, invocation.stop):
            self._settle(call)
        assert self.calls.end(invocation)
        assert not self.calls.end(invocation)
        del self.invocations[name]

    @precondition(lambda self: self.invocations)
    @rule(data=st.data(), over=st.booleans())
    def give_back(self, data: st.DataObject, over: bool) -> None:  # noqa: FBT001  # drawn
        name, invocation = self._draw(data)
        first = data.draw(st.integers(invocation.first, invocation.stop))
        back = [call for call in range(first, invocation.stop) if self.where[call] == name]
        assert self.calls.give_back(invocation, first) == len(back)
        for call in back:
            self.where[call] = PENDING
        if over:
            for call in range(invocation.first, first):
                self._settle(call)
            assert self.calls.end(invocation)
            del self.invocations[name]

    def _lose(self, name: tuple[int, int], suspect: int | None, *, retry: bool) -> None:
        invocation = self.invocations.pop(name)
        mine = [call for call, state in self.where.items() if state == name]
        losses = self.calls.lost(invocation, suspect, retry=retry)
        assert sorted(losses.again + losses.given_up) == mine
        for call in mine:
            if suspect in (None, call):
                self.blamed[call] = self.blamed.get(call, 0) + 1
                assert self.calls.attempts_blamed(call) == self.blamed[call]
                assert (call in losses.given_up) is (not retry or self.blamed[call] > self.infra_retries)
            else:
                assert call in losses.again
        for call in losses.again:
            self.where[call] = PENDING
        for call in losses.given_up:
            self._settle(call)

    @precondition(lambda self: self.invocations)
    @rule(data=st.data(), retry=st.booleans())
    def worker_dies(self, data: st.DataObject, retry: bool) -> None:  # noqa: FBT001  # drawn
        name, invocation = self._draw(data)
        calls = st.integers(invocation.first, max(invocation.first, invocation.stop - 1))
        self._lose(name, data.draw(st.one_of(st.none(), calls)), retry=retry)

    @precondition(lambda self: self.invocations)
    @rule(data=st.data(), blame=st.booleans())
    def one_is_lost(self, data: st.DataObject, blame: bool) -> None:  # noqa: FBT001  # drawn
        """The worker lives, and says of one call that it may be run again."""
        name, invocation = self._draw(data)
        calls = range(invocation.first, max(invocation.first, invocation.stop - 1) + 1)
        call = data.draw(st.sampled_from(calls))
        mine = self.where[call] == name
        goes_on = self.calls.lose(invocation, call, blame=blame)
        if not mine:
            assert goes_on
            return
        self.blamed[call] = self.blamed.get(call, 0) + blame
        assert goes_on is not (blame and self.blamed[call] > self.infra_retries)
        self.where[call] = PENDING
        if not goes_on:
            self._settle(call)

    @precondition(lambda self: self.invocations)
    @rule(data=st.data())
    def owing(self, data: st.DataObject) -> None:
        name, invocation = self._draw(data)
        assert self.calls.owes(invocation) is (name in self.where.values())

    # What holds

    @invariant()
    def one_outcome_each(self) -> None:
        assert all(count == 1 for count in self.outcomes.values())
        settled = sum(state == SETTLED for state in self.where.values())
        assert (self.calls.total, self.calls.settled) == (len(self.where), settled)
        assert self.calls.unsettled == len(self.where) - settled
        assert self.calls.duplicates == self.duplicates
        assert [self.calls.is_settled(call) for call in self.where] == [s == SETTLED for s in self.where.values()]

    @invariant()
    def every_call_is_somewhere(self) -> None:
        assert {(i.first, i.attempt) for i in self.calls.in_flight} == set(self.invocations)
        for call, state in self.where.items():
            assert self.calls.is_in_flight(call) is (state in self.invocations)
        assert self.calls.has_pending or PENDING not in self.where.values()
        assert self.calls.pending >= sum(state == PENDING for state in self.where.values())

    @invariant()
    def blame_is_bounded(self) -> None:
        assert all(blamed <= self.infra_retries + 1 for blamed in self.blamed.values())

    def teardown(self) -> None:
        """Whatever happened, releasing, taking and reporting comes to an end, and every call has its outcome."""
        if not hasattr(self, "calls"):
            return
        for call, state in self.where.items():
            if state == HELD:
                self.calls.release(call)
                self.where[call] = PENDING
        for name in list(self.invocations):
            self._lose(name, None, retry=True)
        while PENDING in self.where.values():
            self.take(3)
            for name in list(self.invocations):
                self._lose(name, None, retry=True)
        assert self.calls.unsettled == 0
        assert self.calls.take(1) is None
        assert not self.calls.has_pending
        # A call is started at most once more than it may be lost, and once for each time that it was given back.
        assert len(self.outcomes) == len(self.where)


TestCalls = CallsMachine.TestCase
TestCalls.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
