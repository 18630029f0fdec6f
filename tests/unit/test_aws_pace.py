from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrenml.invoke.aws.pace import Pace

LOOK_DOLLARS, GB_SECOND_DOLLARS = 5e-6, 1.6667e-5


def test_the_first_look_is_soon_and_pauses_grow_while_nothing_comes() -> None:
    pace = Pace(1.0, 100.0)
    pace.sent(1, 100.0)
    pauses, now = [], 100.0
    for _ in range(10):
        pauses.append(pace.due - now)
        now = pace.due
        pace.looked(1, 0, 1, now)

    assert pauses[0] == pytest.approx(0.04)
    assert pauses == sorted(pauses)
    assert pauses[-1] < 1.0


def test_an_outcome_makes_the_next_look_soon_again() -> None:
    pace = Pace(1.0, 0.0)
    pace.sent(100, 0.0)
    now = 0.0
    for _ in range(8):
        now = pace.due
        pace.looked(1, 0, 100, now)
    now = pace.due
    pace.looked(1, 3, 97, now)

    assert pace.due - now == pytest.approx(0.04)


@given(
    calls=st.integers(1, 1000),
    gigabytes=st.floats(0.128, 10),
    call_seconds=st.floats(0.001, 100),
    running=st.integers(1, 100),
)
def test_looking_costs_no_more_than_it_may(calls: int, gigabytes: float, call_seconds: float, running: int) -> None:
    """At most 20 looks and one for ten calls, or a tenth of what computing costs beside them."""
    pace = Pace(gigabytes, 0.0)
    pace.sent(calls, 0.0)
    done, looks, now = 0, 0, 0.0
    while done < calls and looks < 5000:
        now = pace.due
        looks += 1
        finished = min(calls, int(now / call_seconds) * running)
        pace.ran((finished - done) * call_seconds)
        pace.looked(1, finished - done, calls - finished, now)
        done = finished

    computing = (calls * call_seconds + 2 * calls * now) * gigabytes * GB_SECOND_DOLLARS
    assert looks <= 21 + calls / 10 + max(now / 5, 0.1 * computing / LOOK_DOLLARS) + 1


def test_it_never_stops_looking() -> None:
    pace = Pace(0.128, 0.0)
    pace.sent(1, 0.0)
    for _ in range(500):
        before = pace.due
        pace.looked(1, 0, 1, before)
        assert before < pace.due <= before + 5.0


def test_calls_one_after_another_are_each_seen_soon() -> None:
    pace = Pace(1.0, 0.0)
    now = 0.0
    for _ in range(100):
        pace.sent(1, now, alone=True)
        now = pace.due
        pace.looked(1, 0, 1, now)
        late = pace.due - now
        now = pace.due
        pace.looked(1, 1, 0, now)
        assert late < 0.1
