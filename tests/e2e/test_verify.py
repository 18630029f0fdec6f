"""What `wrenml doctor`, `verify` and `cost` say of a stack on the emulated AWS."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.emulated import aws, emulator
from wrenml import Executor, aws_executor
from wrenml.cli import main
from wrenml.cli.probes import probes
from wrenml.testing.emulator import Emulator
from wrenml.testing.emulator.faults import Refuse
from wrenml.testing.emulator.stack import Stack
from wrenml.testing.executor.base import PATIENCE

__all__ = ["aws", "emulator"]

SIZE = 256

Eventually = Callable[..., None]


@pytest.fixture(scope="module")
def stack(emulator: Emulator) -> Iterator[Emulator]:
    emulator.install(memory_mb=(SIZE,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WRENML_BACKEND", "aws")
        yield emulator


@pytest.fixture(scope="module")
def executor(stack: Emulator) -> Iterator[Executor]:
    with aws_executor(region=stack.region, progress=False) as executor:
        yield executor


def test_there_are_twenty_calls() -> None:
    assert sum(len(probe.items) for probe in probes([1769, 128])) == 20
    assert len({probe.name for probe in probes([1769])}) == len(probes([1769]))


@pytest.mark.slow
@pytest.mark.usefixtures("stack", "aws")
def test_twenty_calls_come_out_as_they_should(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["verify"])
    out = capsys.readouterr().out
    assert code == 0, out
    *lines, _, last = out.splitlines()
    assert all(line.startswith("ok      ") for line in lines)
    assert len(lines) == len(probes([SIZE])) + 1
    assert last.startswith("20 calls on wrenml v1 in us-east-1 in ")
    assert ": all as it should be; cost $0.00" in last


@pytest.mark.usefixtures("stack")
def test_what_does_not_run_is_named_probe_by_probe(aws: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    aws.faults.add(Refuse(403, "AccessDeniedException"), "Invoke")
    assert main(["verify"]) == 1
    *lines, _, last, _ = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("WRONG ") for line in lines) == len(probes([SIZE])) + 1
    assert sum("AccessDenied" in line for line in lines) == len(probes([SIZE])) + 1
    assert f"{len(probes([SIZE])) + 1} of {len(probes([SIZE])) + 1} came out wrong" in last


@pytest.mark.usefixtures("stack")
class TestDoctor:
    def test_a_stack_in_order(self, aws: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["doctor"]) == 0
        out = capsys.readouterr().out
        assert out.endswith(" checks, none failed\n")
        assert {call.operation for call in aws.requests} == {
            "DeleteObjects", "GetAccountSettings", "GetCallerIdentity", "GetFunctionConfiguration",
            "GetFunctionEventInvokeConfig", "GetObject", "GetParameters", "Invoke", "ListObjectsV2", "PutObject",
        }  # fmt: skip
        assert aws.functions.books.concurrency[0] == 0

    def test_a_clock_that_is_wrong(self, aws: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
        aws.clock_offset = -90
        assert main(["doctor"]) == 1
        assert "FAILED   clock             this machine's clock is 90 s fast" in capsys.readouterr().out

    def test_credentials_that_have_expired(self, aws: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
        aws.expire("client")
        assert main(["doctor"]) == 1
        out = capsys.readouterr().out
        assert "FAILED   credentials       AWS does not accept the credentials (ExpiredToken" in out
        assert "→ sign in" in out


class TestCosts:
    def test_what_is_counted_is_what_is_billed(self, aws: Emulator, executor: Executor, eventually: Eventually) -> None:
        books = aws.functions.books
        reported = len(books.reports)
        futures = executor.map(time.sleep, [0.4] * 6)
        futures.results(timeout=PATIENCE)
        executor.session.monitor.flush(PATIENCE)
        cost = futures.cost
        eventually(lambda: len(books.reports) == reported + 6)
        billed = sum(report.gb_seconds for report in books.reports[reported:])
        # An outcome says what was billed before it was written; what comes after is taken for 0.03 s, and may take
        # longer where many processes share few cores.
        assert 0.7 * billed < cost.gb_seconds < billed + 6 * 0.04 * SIZE / 1024
        requests = aws.requests
        assert cost.requests["invoke"] == requests.count("Invoke")
        assert cost.requests["put"] == requests.count("PutObject")
        assert cost.requests["list"] == requests.count("ListObjectsV2")
        assert cost.requests["get"] == requests.count("GetObject", caller="client")

    def test_a_new_environments_start_is_billed(self, aws: Emulator, eventually: Eventually) -> None:
        aws.install(Stack(name="fresh"), memory_mb=(SIZE,))
        with aws_executor("fresh", progress=False) as executor:
            futures = executor.map(time.sleep, [0.1])
            futures.results(timeout=PATIENCE)
            eventually(lambda: [one for one in aws.functions.books.reports if one.function == f"fresh-{SIZE}"])
            [report] = [one for one in aws.functions.books.reports if one.function == f"fresh-{SIZE}"]
            gb = SIZE / 1024
            warm = gb * report.duration_ms / 1000
            assert report.init_ms > 0
            assert futures.cost.gb_seconds > warm
            assert 0.7 * report.gb_seconds < futures.cost.gb_seconds < report.gb_seconds + 0.04 * gb
