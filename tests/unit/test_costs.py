from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrenml.costs import Cost, Meter, Place, Requests, Usage, cost_of, estimate, in_dollars, prices_of

X86 = Place("us-east-1", "x86_64", 2048)
ARM = Place("us-east-1", "arm64", 2048)
JOB = "0123456789abcdef"

# 1,000 calls of 10 s in 2 GB, each environment new and billed 1 s for its start.
COMPUTE = Usage(gb_seconds=20_000 + 2_000, invocations=1000)
INLINE = COMPUTE + Usage(puts=1000, gets=2000, lists=30)
OBJECTS = COMPUTE + Usage(puts=2000, gets=3000, lists=30)


@pytest.mark.parametrize(("place", "warm", "cold"), [(X86, 0.3333, 0.0333), (ARM, 0.2667, 0.0267)])
def test_the_reference_map(place: Place, warm: float, cold: float) -> None:
    cost = cost_of(INLINE, place)
    assert cost.items["compute"] == pytest.approx(warm + cold, abs=1e-4)
    assert cost_of(Usage(gb_seconds=20_000), place).dollars == pytest.approx(warm, abs=5e-5)
    assert cost.items["invocations"] == pytest.approx(0.0002)
    assert cost.items["requests"] == pytest.approx(0.0060, abs=1e-4)
    assert cost_of(OBJECTS, place).items["requests"] == pytest.approx(0.0114, abs=1e-4)
    assert cost.items["logs"] == pytest.approx(0.0006)
    low, high = (0.37, 0.38) if place is X86 else (0.30, 0.31)
    assert low <= round(cost.dollars, 2) <= round(cost_of(OBJECTS, place).dollars, 2) <= high


def test_the_reference_map_is_what_is_estimated() -> None:
    before = estimate(1000, X86, seconds=10, at_once=1000)
    assert before.low == before.high
    assert before.high.dollars == pytest.approx(cost_of(INLINE, X86).dollars, rel=1e-4)
    assert before.high.requests == {"invoke": 1000, "put": 1003, "list": 30, "get": 2000}
    assert str(before) == "about $0.373, if calls last 10 s as before"


def test_an_estimate_without_measurements_is_a_range() -> None:
    before = estimate(1000, X86, limit=60)
    assert (before.seconds, before.limit) == (None, 60)
    assert before.high.gb_seconds == 2 * 1000 * (60 + 1)
    assert before.second.dollars == pytest.approx(0.0333, abs=1e-4)
    assert before.low.dollars < before.second.dollars + 0.02 < before.high.dollars
    assert str(before) == "$0.033 for each second a call lasts, at most $2.04 (all reach the limit of 60 s)"


def test_no_invocation_outlasts_the_function() -> None:
    before = estimate(1000, X86, chunksize=100, at_once=1)
    assert before.high.gb_seconds == 2 * (10 * 900 + 1)
    assert before.high.requests["invoke"] == 10


def test_nothing_costs_nothing() -> None:
    before = estimate(0, X86)
    assert (before.low.dollars, before.high.dollars) == (0, 0)
    assert cost_of(Usage(), X86).dollars == 0


def test_dear_regions_are_dearer_and_what_is_not_known_is_said() -> None:
    usual = prices_of("eu-central-1", "x86_64")
    assert usual.gb_second == prices_of("us-east-1", "x86_64").gb_second == 0.0000166667
    assert prices_of("us-east-1", "arm64").gb_second == pytest.approx(0.8 * usual.gb_second, rel=1e-4)
    for region in ("af-south-1", "ap-east-1", "eu-south-1", "me-south-1"):
        for arch in ("x86_64", "arm64"):
            assert prices_of(region, arch).gb_second > 1.15 * prices_of("us-east-1", arch).gb_second
        assert "Lambda" not in prices_of(region, "x86_64").assumed
    assert prices_of("us-east-1", "x86_64").assumed == ()
    moon = prices_of("moon-north-1", "x86_64")
    assert moon.assumed == ("Lambda", "S3", "logs")
    assert moon.gb_second == usual.gb_second
    assert cost_of(Usage(), Place("moon-north-1", "arm64", 128)).assumed == moon.assumed


@given(*[st.builds(Usage, *[st.integers(0, 10**6)] * 6)] * 2)
def test_costs_add_up(one: Usage, two: Usage) -> None:
    both = cost_of(one + two, ARM)
    assert both.dollars == pytest.approx(cost_of(one, ARM).dollars + cost_of(two, ARM).dollars)
    assert both.dollars == pytest.approx(sum(both.items.values()))


def test_costs_of_several_places_add_up() -> None:
    one, two = cost_of(INLINE, X86), cost_of(OBJECTS, Place("moon-1", "arm64", 128))
    both = one + two + Cost()
    assert Cost() + both == both
    assert both.dollars == pytest.approx(one.dollars + two.dollars) == pytest.approx(sum(both.items.values()))
    assert (both.region, both.arch, both.assumed) == ("several", "several", ("Lambda", "S3", "logs"))
    assert both.requests == {"invoke": 2000, "put": 3000, "list": 60, "get": 5000}


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0"),
        (0.00002, "under $0.0001"),
        (0.0021, "$0.0021"),
        (0.3736, "$0.374"),
        (12.3, "$12.30"),
        (1e4, "$10,000.00"),
    ],
)
def test_amounts_read_well(amount: float, text: str) -> None:
    assert in_dollars(amount) == str(Cost(amount)) == text


class TestMeter:
    def test_billed_by_the_millisecond_rounded_up(self) -> None:
        meter = Meter(JOB, Place("us-east-1", "x86_64", 1024))
        meter.invoked()
        meter.ran(0.0101, size=100)
        assert meter.usage == Usage(gb_seconds=0.011, invocations=1, puts=1, stored_bytes=100)
        meter.ran(1.0, 2048, reads=True, size=50)
        meter.ended(2048)
        assert meter.usage.gb_seconds == pytest.approx(0.011 + 2 * 1.03)
        assert (meter.usage.puts, meter.usage.gets, meter.usage.stored_bytes) == (2, 1, 150)

    def test_a_function_is_billed_whole_whatever_a_call_wants_of_it(self) -> None:
        meter = Meter(JOB, Place("us-east-1", "x86_64", 1024, sizes=(1024, 4096)))
        meter.ran(1.0)
        meter.ran(1.0, 512)
        meter.ran(1.0, 2000)
        assert meter.usage.gb_seconds == 1 + 1 + 4

    def test_requests_go_to_the_job_they_are_for(self) -> None:
        requests = Requests()
        one, two = Meter("a" * 16, X86, requests), Meter("b" * 16, X86, requests)
        requests.count("put_object", "blobs/0123")
        requests.count("put_object", f"jobs/{'a' * 16}/manifest")
        assert one.usage == Usage(puts=2)
        requests.count("list_objects_v2", f"jobs/{'b' * 16}/out/")
        requests.count("get_object", f"jobs/{'b' * 16}/out/0000000000")
        requests.count("delete_objects", f"jobs/{'b' * 16}/out/0000000000")
        assert two.usage == Usage(lists=1, gets=1)
        assert one.usage == Usage(puts=2)
        assert two.cost.requests == {"invoke": 0, "put": 0, "list": 1, "get": 1}

    def test_without_a_limit_everything_is_afforded(self) -> None:
        assert Meter(JOB, X86).affords()

    def test_what_is_not_over_counts_as_long_as_it_may_last(self) -> None:
        # A 60 s call in 2 GB costs 0.2 cents.
        meter = Meter(JOB, X86, limit=0.01)
        sent = 0
        while meter.affords(call_limit=60):
            meter.invoked()
            sent += 1
        assert sent == 4

    def test_then_as_long_as_those_before_it_did(self) -> None:
        meter = Meter(JOB, X86, limit=0.01)
        meter.invoked()
        meter.ran(1.0, size=10)
        meter.ended()
        sent = 1
        while meter.affords(call_limit=60):
            meter.invoked()
            sent += 1
        # Compute, a write, a read, the invocation and its log lines.
        each = 2 * 1.03 * 0.0000166667 + 0.0000054 + 0.0000008
        assert sent == pytest.approx(0.01 / each, rel=0.05)

    def test_the_limit_is_reached_and_not_passed(self) -> None:
        meter = Meter(JOB, X86, limit=0.001)
        while meter.affords():
            meter.invoked()
            meter.ran(2.0, size=10)
            meter.ended()
        assert 0.0009 < meter.cost.dollars <= 0.001

    def test_one_call_is_always_tried(self) -> None:
        meter = Meter(JOB, X86, limit=0.0001)
        assert meter.affords()
        meter.invoked()
        assert not meter.affords()
