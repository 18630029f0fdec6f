from __future__ import annotations

import pytest

from wrenml.calls import Calls, Invocation, Losses


def taken(calls: Calls, limit: int) -> Invocation:
    invocation = calls.take(limit)
    assert invocation is not None
    return invocation


def spans(calls: Calls, limit: int = 100) -> list[tuple[int, int, int]]:
    found = []
    while (invocation := calls.take(limit)) is not None:
        found.append((invocation.first, invocation.count, invocation.attempt))
    return found


def test_calls_are_handed_out_in_order_and_in_runs() -> None:
    calls = Calls()
    assert (calls.add(3), calls.add(4)) == (0, 3)
    assert spans(calls, 5) == [(0, 5, 1), (5, 2, 1)]
    assert calls.take(1) is None


def test_settled_calls_are_not_handed_out() -> None:
    calls = Calls()
    calls.add(6)
    assert [calls.settle(call) for call in (0, 3, 3)] == [True, True, False]
    assert spans(calls) == [(1, 2, 1), (4, 2, 1)]
    assert (calls.unsettled, calls.duplicates) == (4, 1)


def test_held_calls_wait() -> None:
    calls = Calls()
    calls.add(1)
    calls.add(2, held=True)
    calls.add(1)
    assert spans(calls) == [(0, 1, 1), (3, 1, 1)]
    calls.settle(1)
    calls.release(1)
    calls.release(2)
    assert spans(calls) == [(2, 1, 1)]


def test_a_lost_workers_suspect_runs_alone_and_behind_the_others() -> None:
    calls = Calls(infra_retries=1)
    calls.add(6)
    invocation = taken(calls, 4)
    calls.settle(0)
    assert calls.lost(invocation, 1) == Losses((1, 2, 3), ())
    assert spans(calls) == [(2, 2, 2), (4, 2, 1), (1, 1, 2)]


def test_only_the_blamed_are_given_up() -> None:
    calls = Calls(infra_retries=1)
    calls.add(2)
    assert calls.lost(taken(calls, 2), 0) == Losses((0, 1), ())
    innocent, suspect = taken(calls, 9), taken(calls, 9)
    assert (innocent.first, suspect.first) == (1, 0)
    assert calls.lost(innocent, None) == Losses((1,), ())
    assert calls.lost(suspect, 0) == Losses((), (0,))
    assert calls.attempts_blamed(0) == 2


@pytest.mark.parametrize("infra_retries", [0, 1, 3])
def test_a_call_is_lost_a_bounded_number_of_times(infra_retries: int) -> None:
    calls = Calls(infra_retries)
    calls.add(1)
    starts = 0
    while (invocation := calls.take(1)) is not None:
        starts += 1
        assert invocation.attempt == starts
        for call in calls.lost(invocation, None).given_up:
            calls.settle(call)
    assert (starts, calls.unsettled) == (1 + infra_retries, 0)


def test_without_retry_the_blamed_are_given_up_at_once() -> None:
    calls = Calls(infra_retries=3)
    calls.add(3)
    assert calls.lost(taken(calls, 3), None, retry=False) == Losses((), (0, 1, 2))


def test_given_back_calls_come_first_and_blame_nobody() -> None:
    calls = Calls(infra_retries=0)
    calls.add(5)
    invocation = taken(calls, 3)
    assert calls.give_back(invocation, 1) == 2
    assert invocation.stop == 1
    assert spans(calls) == [(1, 2, 2), (3, 2, 1)]
    assert calls.attempts_blamed(1) == 0


def test_an_invocation_ends_once() -> None:
    calls = Calls()
    calls.add(1)
    invocation = taken(calls, 1)
    assert calls.find(0, 1) is invocation
    assert calls.is_in_flight(0)
    assert [calls.end(invocation), calls.end(invocation)] == [True, False]
    assert calls.find(0, 1) is None


def test_one_call_of_an_invocation_is_lost() -> None:
    calls = Calls(infra_retries=0)
    calls.add(3)
    invocation = taken(calls, 3)
    assert calls.settle(0)
    assert calls.lose(invocation, 1, blame=False)
    assert not calls.lose(invocation, 2, blame=True)
    assert not calls.owes(invocation)
    assert calls.end(invocation)
    again = taken(calls, 3)
    assert (again.first, again.count, again.attempt) == (1, 1, 2)


def test_a_backup_takes_the_place_of_what_it_backs() -> None:
    calls = Calls()
    calls.add(2)
    first = taken(calls, 2)
    backup = calls.back_up(first)
    assert backup is not None
    assert (backup.first, backup.count, backup.attempt) == (0, 2, 2)
    assert calls.back_up(first) is None
    assert calls.back_up(backup) is None
    assert calls.twins(first) == [backup]

    losses = calls.lost(first, None)

    assert losses == ((), ())
    assert not calls.has_pending
    assert calls.owes(backup)
    assert calls.lost(backup, None).again == (0, 1)
    assert taken(calls, 2).attempt == 3


def test_the_number_of_a_backup_that_was_lost_is_not_given_again() -> None:
    calls = Calls()
    calls.add(2)
    first = taken(calls, 2)
    backup = calls.back_up(first)
    assert backup is not None
    assert calls.lost(backup, None) == ((), ())

    assert calls.back_up(first) is None
    assert calls.lose(first, 0, blame=False)
    assert calls.lost(first, None).again == (1,)

    assert [(one.first, one.attempt) for one in (taken(calls, 1), taken(calls, 1))] == [(1, 3), (0, 3)]


def test_calls_of_which_some_are_run_again_already_get_no_backup() -> None:
    calls = Calls()
    calls.add(2)
    first = taken(calls, 2)
    assert calls.lose(first, 0, blame=False)

    assert calls.back_up(first) is None
    assert calls.find(0, 2) is None
    assert taken(calls, 2).attempt == 2
