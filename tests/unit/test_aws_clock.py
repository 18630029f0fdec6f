from __future__ import annotations

from email.utils import formatdate

import pytest

from wrenml.aws.clock import Clock


@pytest.mark.parametrize("wrong", [-100_000, -60, 60, 100_000])
def test_a_wrong_clock_is_noticed_by_an_answers_date(wrong: float) -> None:
    now = 1_800_000_000.0
    clock = Clock(lambda: now + wrong)

    clock.observe(formatdate(now, usegmt=True))

    assert clock.time() == now


def test_requests_that_were_signed_together_are_all_signed_again() -> None:
    now = 1_800_000_000.0
    date = formatdate(now, usegmt=True)
    clock = Clock(lambda: now - 100_000)
    signed = clock.behind

    assert [clock.correct("RequestTimeTooSkewed", date, signed) for _ in range(2)] == [True, True]

    assert (clock.time(), clock.stamp()) == (now, "20270115T080000Z")
    assert not clock.correct("SignatureDoesNotMatch", date, clock.behind)


@pytest.mark.parametrize("date", ["", "yesterday", formatdate(1_800_000_003, usegmt=True)])
def test_an_answer_may_have_been_on_its_way_for_a_while(date: str) -> None:
    clock = Clock(lambda: 1_800_000_000.25)

    clock.observe(date)

    assert clock.time() == 1_800_000_000.25
