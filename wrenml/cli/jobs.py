"""``wrenml jobs``, ``show`` and ``logs``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from wrenml.cli.exits import Exit
from wrenml.cli.reading import Jobs
from wrenml.monitor.records import Found, Record, output_of
from wrenml.monitor.spending import cost_of_record
from wrenml.observe.text import plural, span
from wrenml.outcome import Status
from wrenml.reporting.summing import View, is_cancelled, message

__all__ = ["print_table", "run_jobs", "run_logs", "run_show"]

_MESSAGE = 100
_FAILURES = 20
_EXITS = {"done": Exit.DONE, "running": Exit.RUNNING}


def run_jobs(arguments: argparse.Namespace) -> int:
    """List jobs."""
    jobs = Jobs()
    manifests, refused = jobs.manifests()
    views = [View.of(jobs.read(manifest.job)) for manifest in manifests[: arguments.limit]]
    if arguments.json:
        _print(json.dumps([asdict(view) for view in views], indent=2))
        return Exit.DONE
    if not views:
        _print(f"no jobs in {jobs.folder}; `wrenml demo` runs one")
    else:
        rows = [
            (v.id, v.started[:19].replace("T", " "), v.state, f"{v.calls:,}", span(v.wall_seconds), v.name)
            for v in views
        ]
        print_table(("JOB", "STARTED", "STATE", "CALLS", "TOOK", "NAME"), rows)
    if len(manifests) > len(views):
        _print(f"… and {len(manifests) - len(views):,} older ones: --limit shows more")
    if refused:
        _print(f"… and {plural(refused, 'job')} that another key wrote, which cannot be read")
    return Exit.DONE


def run_show(arguments: argparse.Namespace) -> int:
    """Say what became of a job, or of one of its calls."""
    jobs = Jobs()
    record = jobs.read(arguments.job)
    if arguments.call is not None:
        return _show_call(jobs, record, arguments.call, as_json=arguments.json)
    view = View.of(record)
    failures = [found for _, found in sorted(record.found.items()) if _failed(found)]
    if arguments.json:
        _print(json.dumps(asdict(view) | {"failures": [_call_record(found) for found in failures]}, indent=2))
    else:
        _show_job(view, record, failures)
    return _EXITS.get(view.state, Exit.FAILED)


def _show_job(view: View, record: Record, failures: list[Found]) -> None:
    counts = (("succeeded", view.succeeded), ("failed", view.failed), ("cancelled", view.cancelled))
    parts = [f"{count:,} {word}" for word, count in (*counts, ("without outcome", view.missing)) if count]
    retried = sum(found.outcome.attempt > 1 for found in record.found.values())
    _print(f"job {view.id} · {view.name} · {view.state}")
    _print(f"  started  {view.started.replace('T', ' ')} by process {view.pid} on {view.host}")
    _print(f"  calls    {view.calls:,}: {', '.join(parts) or 'none'}")
    if retried:
        _print(f"  retried  {plural(retried, 'call')} whose worker was lost")
    if view.wall_seconds and view.call_seconds:
        _print(f"  time     {view.took}")
    _print(f"  workers  {view.backend}, Python {view.python}, at most {view.peak_mb:,.0f} MB")
    cost = cost_of_record(record)
    if cost.priced_on:
        _print(f"  cost     {cost}: {cost.gb_seconds:,.2f} GB-s in {cost.region}")
    if view.tags:
        _print(f"  tags     {', '.join(f'{name}={value}' for name, value in sorted(view.tags.items()))}")
    if failures:
        _print("")
        rows = [(str(f.outcome.call), span(f.outcome.timings.ran), _clip(message(f))) for f in failures[:_FAILURES]]
        print_table(("CALL", "TOOK", "EXCEPTION"), rows)
        if len(failures) > _FAILURES:
            _print(f"… and {len(failures) - _FAILURES:,} more: --json lists all")
        first = failures[0].outcome.call
        _print(f"\n`wrenml logs {view.id} {first}` shows what call {first} printed and its traceback;")
        _print(f"`wrenml debug {view.id} {first}` runs it here.")
    if view.state == "lost":
        _print(f"\nIts client ended first: executor.attach({view.id!r}).retry_failed() runs the other calls.")


def _show_call(jobs: Jobs, record: Record, call: int, *, as_json: bool) -> int:
    found = jobs.call(record, call)
    state = _state(record, found)
    if as_json:
        known = {"call": call} if found is None else _call_record(found)
        _print(json.dumps({"job": record.manifest.job, "state": state} | known, indent=2))
    else:
        _print(f"call {call} of job {record.manifest.job} · {record.manifest.name} · {state}")
        if found is not None:
            outcome = found.outcome
            _print(f"  attempt  {outcome.attempt}, run again in place {plural(outcome.retries, 'time')}")
            _print(f"  time     {span(outcome.timings.ran)}, and {span(outcome.timings.unpickled)} to unpickle")
            _print(f"  worker   {outcome.worker}, at most {outcome.peak_mb:,.0f} MB")
            if "argument" in outcome.extra:
                _print(f"  argument {outcome.extra['argument']}")
            if _failed(found):
                _print(f"\n{str(outcome.extra.get('traceback', message(found))).rstrip()}")
    return _EXITS.get(state, Exit.FAILED)


def _state(record: Record, found: Found | None) -> str:
    if found is None:
        return "running" if record.client_alive else "lost"
    if is_cancelled(found):
        return "cancelled"
    return "failed" if _failed(found) else "done"


def run_logs(arguments: argparse.Namespace) -> int:
    """Show what calls printed."""
    jobs = Jobs()
    record = jobs.read(arguments.job)
    if arguments.call is None:
        found = [one for _, one in sorted(record.found.items()) if one.capture_bytes or _traceback(one)]
    else:
        one = jobs.call(record, arguments.call)
        found = [] if one is None else [one]
    if arguments.json:
        entries = [
            {"call": f.outcome.call, "output": output_of(jobs.storage, f), "traceback": _traceback(f)} for f in found
        ]
        _print(json.dumps(entries, indent=2))
        return Exit.DONE
    for one in found:
        if arguments.call is None:
            _print(f"── call {one.outcome.call} ──")
        _print((output_of(jobs.storage, one) + _traceback(one)).rstrip("\n"))
    if not found:
        what = "No call" if arguments.call is None else f"Call {arguments.call}"
        sys.stderr.write(f"wrenml: {what} of job {record.manifest.job} has printed anything so far.\n")
    return Exit.DONE


def _traceback(found: Found) -> str:
    return str(found.outcome.extra.get("traceback", "")) if _failed(found) and not is_cancelled(found) else ""


def _failed(found: Found) -> bool:
    return found.outcome.status != Status.SUCCESS


def _call_record(found: Found) -> dict[str, object]:
    outcome = found.outcome
    record: dict[str, object] = {
        "call": outcome.call,
        "attempt": outcome.attempt,
        "retries": outcome.retries,
        "seconds": outcome.timings.ran,
        "started": outcome.timings.started,
        "peak_mb": outcome.peak_mb,
        "worker": outcome.worker,
    }
    names = ("type", "message", "argument", "notes", "traceback") if _failed(found) else ()
    return record | {name: outcome.extra[name] for name in names if name in outcome.extra}


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows below a head, in columns."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        _print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _clip(text: str) -> str:
    return text if len(text) <= _MESSAGE else f"{text[: _MESSAGE - 1]}…"


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
