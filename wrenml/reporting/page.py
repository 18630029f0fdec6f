"""A report: one HTML file without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from statistics import quantiles

from wrenml.monitor.records import Found, Record
from wrenml.monitor.spending import cost_of_record
from wrenml.observe.text import plural, span
from wrenml.reporting.summing import View, is_failed, message
from wrenml.reporting.svg import picture
from wrenml.reporting.times import CallTimes, times_of

__all__ = ["page"]

_SLOWEST = 10
_FAILURES = 50
_STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #66727f; --line: #dde3e9; --back: #fff;
  --sent: #c3ccd5; --run: #2f6fb0; --fail: #c23b3b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ee; --soft: #98a4b0; --line: #343d47; --back: #14191f;
  --sent: #4a545f; --run: #5a9bdc; --fail: #e06c6c; } }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: var(--ink); background: var(--back);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; } .soft { color: var(--soft); }
table { border-collapse: collapse; } td, th { padding: .2rem 1.2rem .2rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; font-size: 11px; } svg text { fill: var(--soft); } svg path { fill: none; }
svg .sent { stroke: var(--sent); } svg .running { stroke: var(--run); } svg .failed { stroke: var(--fail); }
svg .axis { stroke: var(--line); } svg .area { fill: var(--run); opacity: .6; }
.key { border-left: .9em solid; padding-left: .4em; margin-right: 1.2em; }
.bad { color: var(--fail); } pre { overflow-x: auto; font-size: 12px; } summary { cursor: pointer; }
"""


def page(records: Sequence[Record], *, alive: Sequence[bool | None]) -> str:
    """Write the report of some jobs.

    Parameters
    ----------
    records : sequence of Record
        Of the jobs.
    alive : sequence of (bool or None)
        Whether anybody is at work on each; None for what its record tells.

    Returns
    -------
    str
        HTML.
    """
    title = ", ".join(dict.fromkeys(record.manifest.name for record in records))
    bodies = (_job(record, View.of(record, alive=each)) for record, each in zip(records, alive, strict=True))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>wrenml: {escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n{''.join(bodies)}</body></html>\n"
    )


def _job(record: Record, view: View) -> str:
    calls = times_of(record)
    failures = [found for _, found in sorted(record.found.items()) if is_failed(found)]
    state = f'<span class="{"soft" if view.state in ("done", "running") else "bad"}">{view.state}</span>'
    parts = [
        f'<h1>{escape(view.name)} · {state}</h1><p class="soft">job {view.id}, {escape(view.started)}</p>',
        _table((), _facts(record, view, calls)),
    ]
    if calls:
        parts += [_over_time(calls), _durations(calls), _slowest(calls)]
    if failures:
        parts.append(_failed(failures, view.id))
    return "\n".join(parts) + "\n"


def _facts(record: Record, view: View, calls: Sequence[CallTimes]) -> Iterable[Sequence[str]]:
    counts = (("succeeded", view.succeeded), ("failed", view.failed), ("cancelled", view.cancelled))
    told = ", ".join(f"{count:,} {word}" for word, count in (*counts, ("without outcome", view.missing)) if count)
    yield "calls", f"{view.calls:,}: {told or 'none'}"
    again = sum(found.outcome.attempt > 1 for found in record.found.values())
    if again:
        yield "run again", f"{plural(again, 'call')} whose worker was lost"
    reused = sum(not found.outcome.attempt and not is_failed(found) for found in record.found.values()) - view.cancelled
    if reused > 0:
        yield "reused", plural(reused, "result")
    if view.wall_seconds and view.call_seconds:
        yield "time", view.took
    workers = len({each.worker for each in calls})
    yield "workers", f"{workers:,}, {view.backend}, Python {view.python}, at most {view.peak_mb:,.0f} MB"
    cost = cost_of_record(record)
    if cost.priced_on:
        yield "cost", f"{cost}: {cost.gb_seconds:,.2f} GB-s in {cost.region}"
    if view.tags:
        yield "tags", ", ".join(f"{name}={value}" for name, value in sorted(view.tags.items()))


def _over_time(calls: Sequence[CallTimes]) -> str:
    names = {"sent": "waiting", "run": "running", "fail": "failed"}
    key = "".join(
        f'<span class="key" style="border-color: var(--{each})">{name}</span>' for each, name in names.items()
    )
    return f"<h2>Over time</h2><p>{key}</p>\n{picture(calls)}"


def _durations(calls: Sequence[CallTimes]) -> str:
    waits, runs = [each.started - each.sent for each in calls], [each.seconds for each in calls]
    rows = [
        (name, *map(span, _spread(values))) for name, values in (("from sent to started", waits), ("running", runs))
    ]
    return "<h2>How long</h2>" + _table(("", "shortest", "half up to", "90 % up to", "longest"), rows)


def _spread(values: Sequence[float]) -> tuple[float, float, float, float]:
    if len(values) == 1:
        return (values[0],) * 4
    tenths = quantiles(values, n=10, method="inclusive")
    return min(values), tenths[4], tenths[8], max(values)


def _slowest(calls: Sequence[CallTimes]) -> str:
    slowest = sorted(calls, key=lambda each: -each.seconds)[:_SLOWEST]
    rows = [(f"{each.call:,}", span(each.seconds), each.worker, "new" if each.cold else "") for each in slowest]
    return "<h2>Slowest calls</h2>" + _table(("call", "ran", "worker", ""), rows)


def _failed(failures: Sequence[Found], job: str) -> str:
    left = len(failures) - _FAILURES
    more = (
        f'<p class="soft">… and {left:,} more: <code>wrenml show {job} --json</code> lists all</p>' if left > 0 else ""
    )
    return "<h2>Failures</h2>" + "\n".join(map(_failure, failures[:_FAILURES])) + more


def _failure(found: Found) -> str:
    extra = found.outcome.extra
    argument = f"<p>argument: <code>{escape(str(extra['argument']))}</code></p>" if "argument" in extra else ""
    text = escape(str(extra.get("traceback", "")).rstrip())
    return (
        f"<details><summary>call {found.outcome.call:,}: <span class='bad'>{escape(message(found))}</span></summary>"
        f"{argument}<pre>{text}</pre></details>"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"] if head else []
    lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return "<table>" + "\n".join(lines) + "</table>"
