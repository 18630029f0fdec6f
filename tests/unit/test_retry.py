from __future__ import annotations

import pytest

from wrenml.retry import backoff


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.1), (2, 0.2), (5, 1.6), (9, 20.0), (10**6, 20.0)])
def test_backoff_doubles_up_to_a_cap(attempt: int, longest: float) -> None:
    assert backoff(attempt, base=0.1, cap=20.0, random=1.0) == pytest.approx(longest)
    assert backoff(attempt, base=0.1, cap=20.0, random=0.25) == pytest.approx(longest / 4)
    assert backoff(attempt, base=0.1, cap=20.0, random=0.0) == 0
