"""``wrenml verify``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial

from wrenml.aws.deployment import Deployment
from wrenml.aws.session import Session
from wrenml.cli.exits import Exit
from wrenml.cli.places import place_of
from wrenml.cli.probes import Probe, probes
from wrenml.cloud import open_stack
from wrenml.costs import FREE, Cost
from wrenml.executor import Executor
from wrenml.executors import aws_executor
from wrenml.futurelist import FutureList
from wrenml.observe.text import plural, span
from wrenml.options import MapOptions

__all__ = ["run_verify"]

_PATIENCE = 300.0  # seconds, for all together


@dataclass(frozen=True, slots=True)
class _Result:
    """How a probe came out; `seconds` is how long its last outcome took."""

    name: str
    calls: int
    ok: bool
    wrong: str
    seconds: float


def run_verify(arguments: argparse.Namespace) -> int:
    """Run calls on a deployed stack whose outcomes are known, and compare."""
    stack, region, profile = place_of(arguments)
    deployment, _, _ = open_stack(stack, Session(profile=profile, region=region))
    results = []
    cost = FREE
    began = time.monotonic()
    with aws_executor(stack, region=region, profile=profile, progress=False) as executor:
        for result, spent in _verify(executor, deployment):
            results.append(result)
            cost += spent
            if not arguments.json:
                _print(_line(result))
    return _report(arguments, deployment, results, cost, time.monotonic() - began)


def _verify(executor: Executor, deployment: Deployment) -> Iterator[tuple[_Result, Cost]]:
    began = time.monotonic()
    sent = [(probe, _send(executor, probe)) for probe in probes(deployment.memory_mb)]
    for probe, futures in sent:
        wrong = _wrong(futures, probe.check, began + _PATIENCE)
        yield _Result(probe.name, len(futures), not wrong, wrong, time.monotonic() - began), futures.cost
    _, first = sent[0]
    wrong = _wrong(first, partial(_read_back, executor), began + _PATIENCE)
    yield _Result("results read back from the bucket", 0, not wrong, wrong, time.monotonic() - began), FREE


def _send(executor: Executor, probe: Probe) -> FutureList[object]:
    options: MapOptions = {**probe.options, "name": f"verify: {probe.name}"}
    return executor.map(probe.fn, probe.items, **options)


def _read_back(executor: Executor, futures: FutureList[object]) -> str:
    # From storage alone, as another process would.
    again = executor.attach(futures.id).results(timeout=_PATIENCE)
    return "" if again == futures.results() else "other results than before"


def _wrong(futures: FutureList[object], check: Callable[[FutureList[object]], str], until: float) -> str:
    try:
        futures.exceptions(timeout=max(0.0, until - time.monotonic()))
        return check(futures)
    except TimeoutError as error:
        futures.cancel()
        return f"no outcome: {error}"
    except Exception as error:  # noqa: BLE001  # whatever it is, it is not what was expected
        return f"{type(error).__name__}: {error}"


def _report(
    arguments: argparse.Namespace, deployment: Deployment, results: list[_Result], cost: Cost, took: float
) -> int:
    failed = [result for result in results if not result.ok]
    calls = sum(result.calls for result in results)
    if arguments.json:
        report = {
            "ok": not failed,
            "stack": deployment.stack,
            "version": deployment.alias,
            "region": deployment.region,
            "calls": calls,
            "seconds": took,
            "cost": asdict(cost),
            "probes": [asdict(result) for result in results],
        }
        _print(json.dumps(report, indent=2))
    else:
        where = f"{deployment.stack} {deployment.alias} in {deployment.region}"
        verdict = f"{len(failed)} of {len(results)} came out wrong" if failed else "all as it should be"
        _print(f"\n{plural(calls, 'call')} on {where} in {span(took)}: {verdict}; cost {cost}")
        if failed:
            _print("`wrenml doctor` looks for the cause; `wrenml jobs` lists the jobs, `wrenml logs JOB` what they say")
    return Exit.FAILED if failed else Exit.DONE


def _line(result: _Result) -> str:
    verdict = "ok    " if result.ok else "WRONG "
    text = f"{verdict}  {result.name.ljust(34)}  {span(result.seconds)}"
    return text if result.ok else f"{text}\n        {' '.join(result.wrong.split())[:300]}"


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
