"""``wrenml doctor``."""

from __future__ import annotations

import argparse
import json
import operator
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict

from wrenml.aws.session import Session
from wrenml.cli.exits import Exit
from wrenml.cli.places import place_of
from wrenml.config import Settings, load_settings
from wrenml.deploy.doctor import examine_stack
from wrenml.deploy.health import Finding, Verdict, bad, fine
from wrenml.deploy.here import examine_folders, examine_settings
from wrenml.errors import WrenmlError
from wrenml.folders import working_dir
from wrenml.local import local_executor

__all__ = ["run_doctor"]

_PATIENCE = 60.0  # seconds
_WIDTH = 16


def run_doctor(arguments: argparse.Namespace) -> int:
    """Look for what keeps maps from running."""
    findings = []
    for finding in _examine(arguments):
        findings.append(finding)
        if not arguments.json:
            _print(_line(finding))
    failed = sum(finding.verdict == Verdict.FAILED for finding in findings)
    warnings = sum(finding.verdict == Verdict.WARNING for finding in findings)
    if arguments.json:
        _print(json.dumps({"ok": not failed, "checks": [asdict(finding) for finding in findings]}, indent=2))
    elif failed:
        _print(f"\n{failed} of {len(findings)} checks failed: maps will not run as they should")
    else:
        noted = f", {warnings} with a warning" if warnings else ""
        _print(f"\n{len(findings)} checks, none failed{noted}")
    return Exit.FAILED if failed else Exit.DONE


def _examine(arguments: argparse.Namespace) -> Iterator[Finding]:
    settings = load_settings(os.environ, working_dir())
    yield from examine_settings(settings)
    named = arguments.stack or arguments.region or arguments.profile
    if settings.backend == "aws" or named:
        stack, region, profile = place_of(arguments)
        yield from examine_stack(Session(profile=profile, region=region), stack)
        return
    yield from examine_folders(settings, os.environ)
    yield _call(settings)


def _call(settings: Settings) -> Finding:
    began = time.monotonic()
    try:
        with local_executor(workers=1, progress=False, timeout=_PATIENCE) as executor:
            executor.submit(operator.neg, 1).result(_PATIENCE)
    except (WrenmlError, TimeoutError, OSError) as error:
        text = f"a call in a worker process of {settings.cache_dir} failed: {error}"
        return bad("worker", text, "run the same in this process, to see more: WRENML_BACKEND=inline")
    return fine("worker", f"started, ran a call and ended in {time.monotonic() - began:.2f} s")


def _line(finding: Finding) -> str:
    verdict = {"ok": "ok     ", "warning": "WARNING", "failed": "FAILED "}[finding.verdict]
    text = f"{verdict}  {finding.check.ljust(_WIDTH)}  {finding.text}"
    return f"{text}\n{' ' * (len(verdict) + _WIDTH + 4)}→ {finding.remedy}" if finding.remedy else text


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
