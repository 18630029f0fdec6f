"""``wrenml cost``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict

from wrenml.cli.exits import Exit
from wrenml.cli.jobs import print_table
from wrenml.cli.reading import Jobs
from wrenml.costs import FREE, Cost
from wrenml.monitor.records import Record
from wrenml.monitor.spending import cost_of_record
from wrenml.observe.text import plural
from wrenml.reporting.summing import View

__all__ = ["run_cost"]


def run_cost(arguments: argparse.Namespace) -> int:
    """Say what jobs have cost, from what is stored of them."""
    jobs = Jobs()
    found = [(record, cost_of_record(record)) for record in _records(jobs, arguments)]
    total = sum((cost for _, cost in found), FREE)
    if arguments.json:
        entries = [
            {"id": record.manifest.job, "name": record.manifest.name, "calls": record.total, "cost": asdict(cost)}
            for record, cost in found
        ]
        sys.stdout.write(f"{json.dumps({'cost': asdict(total), 'jobs': entries}, indent=2)}\n")
        return Exit.DONE
    if arguments.job is None:
        _tell_all(jobs, found, total)
    else:
        [(record, cost)] = found
        _tell(record, cost)
    return Exit.DONE


def _records(jobs: Jobs, arguments: argparse.Namespace) -> Iterator[Record]:
    if arguments.job is not None:
        yield jobs.read(arguments.job)
        return
    since = time.time() - arguments.since
    manifests, _ = jobs.manifests()
    for manifest in manifests:
        if manifest.created >= since:
            yield jobs.read(manifest.job)


def _tell_all(jobs: Jobs, found: list[tuple[Record, Cost]], total: Cost) -> None:
    rows = []
    for record, cost in found:
        view = View.of(record)
        started, compute = view.started[:19].replace("T", " "), f"{cost.gb_seconds:,.1f}"
        rows.append((view.id, started, f"{view.calls:,}", compute, str(cost), view.name))
    if rows:
        print_table(("JOB", "STARTED", "CALLS", "GB-S", "COST", "NAME"), rows)
    sys.stdout.write(f"{plural(len(found), 'job')} in {jobs.storage.url}: {total}\n")
    _explain(total)


def _tell(record: Record, cost: Cost) -> None:
    manifest = record.manifest
    lines = [f"job {manifest.job} · {manifest.name} · {cost}"]
    if not cost.priced_on:
        lines.append(f"  calls on the backend {manifest.backend} cost nothing")
    else:
        requests = ", ".join(f"{count:,} {kind}" for kind, count in cost.requests.items() if kind != "invoke")
        lines.append(f"  compute      ${cost.items['compute']:.6f}  {cost.gb_seconds:,.2f} GB-s on {cost.arch}")
        lines.append(f"  invocations  ${cost.items['invocations']:.6f}  {cost.requests['invoke']:,}")
        lines.append(f"  requests     ${cost.items['requests']:.6f}  {requests}")
        lines.append(f"  storage      ${cost.items['storage']:.6f}  until it expires")
        lines.append(f"  logs         ${cost.items['logs']:.6f}")
    sys.stdout.write("\n".join(lines) + "\n")
    _explain(cost)


def _explain(cost: Cost) -> None:
    if not cost.priced_on:
        return
    sys.stdout.write(
        f"\nPrices of {cost.region}, {cost.priced_on}, without the free tier. Counted are the invocations that left an "
        "outcome;\nwhat the client listed and read meanwhile is known to it alone (futures.cost).\n"
    )
    if cost.assumed:
        sys.stdout.write(f"Not known for {cost.region}, so as in us-east-1: {', '.join(cost.assumed)}.\n")
