from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wrenml import Executor, FutureList, default_executor, local_executor
from wrenml.cli import main
from wrenml.cli.reading import Jobs
from wrenml.costs import FREE
from wrenml.errors import CallTimeout, CostLimitReached
from wrenml.events import CallsSettled, Event, JobEnded, JobStarted
from wrenml.testing import samples
from wrenml.testing.mocked import MockedAWS

pytest_plugins = ["wrenml.testing.plugin"]

PATIENCE = 60


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@pytest.fixture
def aws(wrenml_aws_module: MockedAWS) -> MockedAWS:
    return wrenml_aws_module


@pytest.fixture
def executor(aws: MockedAWS) -> Executor:
    executor = default_executor()
    executor.map(samples.square, [1]).results(timeout=PATIENCE)  # environments exist
    aws.reset_requests()
    return executor


def test_what_a_map_costs_is_counted(aws: MockedAWS, executor: Executor) -> None:
    began = time.monotonic()
    futures = executor.map(nap, [0.3] * 8)
    futures.results(timeout=PATIENCE)
    executor.shutdown()
    cost, used = futures.cost, aws.requests
    assert cost.requests["invoke"] == 8
    assert cost.requests["put"] == used["s3.PutObject"]
    assert cost.requests["list"] == used["s3.ListObjectsV2"]
    # What workers read beside it, the state of a job say, is all that is not counted.
    assert cost.requests["get"] == aws.requests_of("client")["s3.GetObject"] <= used["s3.GetObject"]
    gb = 1769 / 1024
    assert 8 * gb * 0.3 < cost.gb_seconds < 8 * gb * (time.monotonic() - began)
    assert cost.items["compute"] == pytest.approx(cost.gb_seconds * 0.0000166667)
    assert cost.dollars == pytest.approx(sum(cost.items.values()))
    assert (cost.region, cost.arch) == ("us-east-1", aws.deployment.arch)
    summary = futures.summary()
    assert (summary.dollars, summary.gb_seconds) == (cost.dollars, cost.gb_seconds)
    assert "dollars" in futures._repr_html_()


def test_costs_are_told_before_meanwhile_and_after(executor: Executor) -> None:
    events: list[Event] = []
    executor.observe(events.append)  # type: ignore[arg-type]  # its parameter has no name
    executor.map(nap, [0.01] * 3, name="told").results(timeout=PATIENCE)
    executor.map(nap, [0.01] * 3, name="told").results(timeout=PATIENCE)
    executor.shutdown()
    [first, second] = [event for event in events if isinstance(event, JobStarted)]
    assert first.estimate.startswith("under $0.0001 for each second a call lasts, at most $0.0")
    assert second.estimate.startswith("about $0.00")
    spent = [event.spent for event in events if isinstance(event, CallsSettled)]
    assert all(spent)
    [one, two] = [event.cost for event in events if isinstance(event, JobEnded)]
    assert 0 < one.dollars < 0.01  # cold starts count, too
    assert 0 < two.dollars < 0.01


def test_a_dry_run_says_what_it_would_cost(executor: Executor, capsys: pytest.CaptureFixture[str]) -> None:
    futures = executor.map(nap, [1] * 1000, dry_run=True, timeout=60)
    assert "  cost       $0.029 for each second a call lasts, at most $1.7" in capsys.readouterr().err
    assert futures.cost == FREE


def test_a_limit_of_cost_stops_submitting(aws: MockedAWS, executor: Executor) -> None:
    limit = 0.0003
    futures = executor.map(nap, [0.05] * 40, max_cost=limit, timeout=1)
    results = futures.results(errors="return", timeout=PATIENCE)
    done = [one for one in results if one == 0.05]
    failed = [one for one in results if isinstance(one, CostLimitReached)]
    assert len(done) + len(failed) == 40
    assert done
    assert len(failed) > 10
    assert aws.requests["lambda.Invoke"] == len(done)
    assert futures.cost.dollars <= 2 * limit  # looking for outcomes costs, too, and takes as long as they do
    assert "max_cost=0.0003 dollars are spent" in str(failed[0])
    again = futures.retry_failed()
    assert sum(one == 0.05 for one in again.results(errors="return", timeout=PATIENCE)) > len(done)


def test_an_environment_that_lambda_ended_at_its_limit_is_billed_whole(aws: MockedAWS, executor: Executor) -> None:
    aws.fail_next(by="timeout")
    futures = executor.map(nap, [0.01], infra_retries=0)
    [error] = futures.exceptions(timeout=PATIENCE)
    assert isinstance(error, CallTimeout)
    assert futures.cost.gb_seconds == pytest.approx(900 * 1769 / 1024, rel=0.01)


def test_a_stream_ends_where_its_money_does(executor: Executor) -> None:
    def endless() -> Iterator[float]:
        while True:
            yield 0.05

    results = executor.imap(nap, endless(), window=4, max_cost=0.0002, timeout=1)
    assert next(results) == 0.05
    with pytest.raises(CostLimitReached):
        list(results)


def test_a_job_read_back_costs_what_its_workers_did(executor: Executor) -> None:
    futures = executor.map(nap, [0.2] * 4)
    futures.results(timeout=PATIENCE)
    executor.shutdown()
    other = default_executor()
    read = other.attach(futures.id)
    read.results(timeout=PATIENCE)
    assert read.cost.gb_seconds == pytest.approx(futures.cost.gb_seconds, rel=0.01)
    assert read.cost.requests["invoke"] == 4
    assert math.isclose(read.cost.items["compute"], futures.cost.items["compute"], rel_tol=0.01)


def test_local_calls_cost_nothing() -> None:
    with local_executor(workers=1) as executor:
        futures = executor.map(samples.square, range(9), max_cost=0.01)
        assert futures.results(timeout=PATIENCE) == [x * x for x in range(9)]
    assert (futures.cost, futures.summary().dollars) == (FREE, 0.0)


class TestCommand:
    @pytest.fixture
    def jobs(self, executor: Executor) -> list[FutureList[float]]:
        jobs = [executor.map(nap, [0.01 * (k + 1)] * 2, name=f"job {k}") for k in range(2)]
        for job in jobs:
            job.results(timeout=PATIENCE)
        executor.shutdown()
        return jobs

    def test_of_a_job(self, jobs: list[FutureList[float]], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["cost", jobs[0].id[:8]]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"job {jobs[0].id} · job 0 · under $0.0001\n  compute      $0.00000")
        assert "2 put, 0 list" in out
        assert main(["cost", jobs[0].id, "--json"]) == 0
        [entry] = json.loads(capsys.readouterr().out)["jobs"]
        assert (entry["id"], entry["calls"], entry["cost"]["requests"]["invoke"]) == (jobs[0].id, 2, 2)
        assert entry["cost"]["gb_seconds"] == pytest.approx(jobs[0].cost.gb_seconds, rel=0.01)

    def test_of_all_jobs(self, jobs: list[FutureList[float]], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["cost", "--since", "1h", "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert {job.id for job in jobs} <= {entry["id"] for entry in report["jobs"]}
        each = [entry["cost"]["dollars"] for entry in report["jobs"]]
        assert report["cost"]["dollars"] == pytest.approx(sum(each))
        assert main(["cost"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split() == ["JOB", "STARTED", "CALLS", "GB-S", "COST", "NAME"]
        assert any(line.startswith(f"{len(report['jobs'])} jobs in s3://") for line in lines)
        assert main(["cost", "--since", "0s"]) == 0
        assert capsys.readouterr().out.startswith("0 jobs in s3://")

    def test_the_bucket_is_not_listed_whole(self, aws: MockedAWS, jobs: list[FutureList[float]]) -> None:
        known = Jobs()
        aws.reset_requests()
        found = list(known.ids())
        assert {job.id for job in jobs} <= set(found)
        assert len(found) == len(set(found))
        assert aws.requests == {"s3.ListObjectsV2": len(found) + 1}

    def test_show_says_it_too(self, jobs: list[FutureList[float]], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["show", jobs[1].id]) == 0
        assert "  cost     under $0.0001: 0." in capsys.readouterr().out


def test_local_jobs_cost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("WRENML_BACKEND", "local")
    with local_executor(workers=1) as executor:
        job = executor.map(samples.square, range(3))
        job.results(timeout=PATIENCE)
    assert main(["cost", job.id]) == 0
    assert "  calls on the backend local cost nothing" in capsys.readouterr().out
    assert main(["cost"]) == 0
    assert ": $0\n" in capsys.readouterr().out
