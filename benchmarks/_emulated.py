"""An emulated AWS in a process of its own, so that its work is not counted as the client's."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

__all__ = ["emulated"]

_PROGRAM = """
import json, sys
from wrenml.testing.emulator import Emulator

settings = json.loads(sys.argv[1])
latency = settings.pop("latency")
with Emulator() as aws:
    aws.install(**settings)
    aws.latency.update(latency)
    print(json.dumps(aws.environment), flush=True)
    for line in sys.stdin:
        if line == "counts\\n":
            print(json.dumps(aws.requests.counts(lambda call: f"{call.service}:{call.operation}")), flush=True)
            aws.requests.clear()
        if line == "moved\\n":
            moved = {"up": sum(call.received for call in aws.requests), "down": sum(call.sent for call in aws.requests)}
            print(json.dumps(moved), flush=True)
        if line == "puts\\n":
            puts = {call.key: call.moment for call in aws.requests.of("PutObject", caller="worker")}
            print(json.dumps(puts), flush=True)
"""


class Emulated:
    """What can be asked of it.

    Parameters
    ----------
    process : Popen
        That it runs in.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def puts(self) -> dict[str, float]:
        """When each write of a worker's came, Unix seconds."""
        return self._ask("puts")

    def moved(self) -> dict[str, float]:
        """Bytes of the bodies of requests ("up") and answers ("down") since requests were counted the last time."""
        return self._ask("moved")

    def counts(self) -> dict[str, float]:
        """How many requests of each kind there were since the last time."""
        return self._ask("counts")

    def _ask(self, what: str) -> dict[str, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        found: dict[str, float] = json.loads(self._process.stdout.readline())
        return found


@contextlib.contextmanager
def emulated(latency: Mapping[str, float], **stack: object) -> Iterator[Emulated]:
    """Start one with a stack; the environment of this process points to it meanwhile.

    Parameters
    ----------
    latency : mapping of str to float
        Seconds that requests take more, as `Emulator.latency` names them.
    **stack
        As `wrenml.testing.emulator.stack.Stack`.
    """
    settings = json.dumps({"latency": dict(latency), "isolated": False, **stack})
    before = dict(os.environ)
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, settings], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            os.environ.update(json.loads(process.stdout.readline()), WRENML_PROGRESS="0")
            yield Emulated(process)
        finally:
            os.environ.clear()
            os.environ.update(before)
            process.stdin.close()
