from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from wrenml.invoke.aws.flight import Flight
from wrenml.invoke.aws.pace import Pace
from wrenml.invoke.aws.watching import JobWatch, list_outcomes
from wrenml.storage import MemoryStorage
from wrenml.wire import Request
from wrenml.worker.endings import Limits

JOB = "0" * 16


class CountedStorage(MemoryStorage):
    """Counts what lists give, as pages of 1,000."""

    def __init__(self) -> None:
        super().__init__()
        self.lists = 0

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        self.lists += 1
        return super().list(prefix, after=after)


def key(call: int, attempt: str = "") -> str:
    return f"jobs/{JOB}/out/{call:010d}{attempt and '.' + attempt}"


def flight(first: int, count: int = 1, attempt: int = 1, part: int = 1) -> Flight:
    request = Request(JOB, first, count, attempt, "", b"", (), part=part)
    return Flight(request, Limits(), "fn", 1.0)


def stored(*keys: str) -> CountedStorage:
    storage = CountedStorage()
    for name in keys:
        storage.put(name, b"x")
    return storage


def watch(*flights: Flight) -> JobWatch:
    made = JobWatch(Pace(1.0, 0.0))
    for one in flights:
        made.add(one)
    return made


def found(watch: JobWatch, storage: CountedStorage) -> list[str]:
    names, _ = list_outcomes(storage, JOB, watch.wanted())
    return [key for _, _, key in watch.match(names)]


def test_what_is_new_is_found_once() -> None:
    storage = stored(key(0), key(2))
    job = watch(flight(0), flight(1), flight(2))

    assert found(job, storage) == [key(0), key(2)]
    assert found(job, storage) == []

    storage.put(key(1), b"x")
    assert found(job, storage) == [key(1)]


def test_what_could_not_be_read_is_found_again() -> None:
    storage = stored(key(0))
    job = watch(flight(0))
    assert found(job, storage) == [key(0)]

    job.again(0)

    assert found(job, storage) == [key(0)]


def test_the_outcome_of_an_attempt_counts_for_that_attempt_only() -> None:
    storage = stored(key(0, "1"), key(1, "1"), key(1, "2"))

    assert found(watch(flight(0), flight(1, attempt=2)), storage) == [key(0, "1"), key(1, "2")]


def test_a_flight_is_over_with_its_last_part() -> None:
    whole = flight(10, count=5, part=2)
    job = watch(whole)

    assert job.wanted() == [10, 12, 14]
    assert [job.arrived(whole, part) for part in (12, 14, 10)] == [False, False, True]
    assert job.missing == 0


def test_other_names_are_passed_over() -> None:
    storage = stored(f"jobs/{JOB}/out/client", key(0))

    assert found(watch(flight(0)), storage) == [key(0)]


def test_a_straggler_in_front_does_not_cost_a_list_of_everything() -> None:
    storage = stored(*[key(call) for call in range(1, 5000)])
    job = watch(flight(0), flight(4999), flight(5000))

    names, pages = list_outcomes(storage, JOB, job.wanted())

    assert pages == storage.lists == 2
    assert [name for _, _, name in job.match(names)] == [key(4999)]


@given(st.sets(st.integers(0, 3000)), st.sets(st.integers(0, 3000), min_size=1))
def test_a_list_shows_all_that_is_wanted(there: set[int], wanted: set[int]) -> None:
    storage = stored(*[key(call) for call in there])

    names, _ = list_outcomes(storage, JOB, sorted(wanted))

    assert {call for call, _, _ in names} >= there & wanted


def test_only_a_list_that_began_later_can_show_a_loss() -> None:
    expired, doomed, read, new = flight(0), flight(1), flight(2), flight(3)
    job = watch(expired, doomed, read, new)
    expired.lease, new.lease, read.lease = 10.0, 30.0, 10.0
    doomed.doomed, doomed.judged = RuntimeError(), 15.0
    job.match([(2, "", key(2))])

    assert list(job.lost(9.0)) == []
    assert list(job.lost(12.0)) == [expired]
    assert list(job.lost(20.0)) == [expired, doomed]
