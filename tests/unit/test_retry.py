from __future__ import annotations

import pytest

from wrenml.retry import backoff, backup_due, most_backups, part_size


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.1), (2, 0.2), (5, 1.6), (9, 20.0), (10**6, 20.0)])
def test_backoff_doubles_up_to_a_cap(attempt: int, longest: float) -> None:
    assert backoff(attempt, base=0.1, cap=20.0, random=1.0) == pytest.approx(longest)
    assert backoff(attempt, base=0.1, cap=20.0, random=0.25) == pytest.approx(longest / 4)
    assert backoff(attempt, base=0.1, cap=20.0, random=0.0) == 0


@pytest.mark.parametrize(
    ("waited", "median", "settled", "due"),
    [(6.0, 0.1, 90, True), (6.0, 0.1, 89, False), (4.9, 0.1, 99, False), (20.0, 7.0, 99, False), (22.0, 7.0, 99, True)],
)
def test_backups_are_for_the_last_and_slowest(waited: float, median: float, settled: int, *, due: bool) -> None:
    assert backup_due(waited, median, settled=settled, total=100) is due


@pytest.mark.parametrize(("total", "most"), [(1, 1), (39, 1), (40, 2), (1000, 50)])
def test_backups_are_few(total: int, most: int) -> None:
    assert most_backups(total) == most


@pytest.mark.parametrize(
    ("count", "seconds", "size"), [(1, None, 1), (10, None, 3), (100, 0.1, 20), (100, 0.0, 100), (5, 60.0, 1)]
)
def test_parts_last_about_two_seconds(count: int, seconds: float | None, size: int) -> None:
    assert part_size(count, seconds) == size
