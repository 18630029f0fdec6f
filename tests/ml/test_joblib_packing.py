from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wrenml.ml.parallel.packing import LOCAL, REMOTE, longest, pack_size, room

positive = st.integers(1, 10_000)
paces = st.sampled_from([LOCAL, REMOTE])


@given(paces, st.none() | st.floats(0, 1e4), st.integers(0, 100_000), positive, positive)
def test_packs_are_never_empty_and_grow_at_most_fourfold(
    pace: object, seconds: float | None, pending: int, lanes: int, last: int
) -> None:
    size = pack_size(pace, seconds=seconds, pending=pending, lanes=lanes, last=last)  # type: ignore[arg-type]
    assert 1 <= size <= 4 * last


def test_what_was_never_measured_goes_alone() -> None:
    assert pack_size(REMOTE, seconds=None, pending=1000, lanes=2, last=64) == 1


def test_elsewhere_an_invocation_lasts_a_second_and_a_half_even_if_workers_stay_idle() -> None:
    assert pack_size(REMOTE, seconds=0.05, pending=300, lanes=1000, last=100) == 30


def test_long_tasks_go_alone() -> None:
    assert pack_size(REMOTE, seconds=60, pending=300, lanes=10, last=100) == 1
    assert pack_size(LOCAL, seconds=0.3, pending=300, lanes=2, last=100) == 1


def test_local_packs_shrink_as_tasks_run_out() -> None:
    sizes = [pack_size(LOCAL, seconds=0.02, pending=pending, lanes=2, last=100) for pending in (400, 40, 20, 8, 4)]
    assert sizes == [10, 10, 5, 2, 1]


def test_few_go_ahead_until_one_is_measured_and_more_as_that_takes_longer() -> None:
    sizes = [room(REMOTE, lanes=1000, workers=1000, measured=False, waited=waited) for waited in (0.0, 2.1, 4.1, 1e9)]
    assert sizes == [8, 16, 32, 2000]
    assert room(REMOTE, lanes=1000, workers=1000, measured=True, waited=0.0) == 2000
    assert room(LOCAL, lanes=8, workers=8, measured=False, waited=0.0) == 16


def test_no_more_run_than_the_caller_wants() -> None:
    assert room(LOCAL, lanes=2, workers=8, measured=True, waited=0.0) == 2
    assert room(LOCAL, lanes=8, workers=8, measured=True, waited=0.0) == 16


def test_packs_that_take_long_to_make_are_larger() -> None:
    sizes = [
        pack_size(LOCAL, seconds=0.002, pending=4000, lanes=2, last=1000, packing=packing)
        for packing in (0.0, 0.004, 0.04, 4.0)
    ]
    assert sizes == [100, 100, 500, 1000]
    assert longest(REMOTE, packing=10.0) == REMOTE.most
