"""Functions on the data plane of the emulated Lambda, whose one handler does what its event says."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from wrenml.testing.emulator.execution.answers import Answer
from wrenml.testing.emulator.functions import EventInvoke, FunctionVersion
from wrenml.testing.emulator.plane import DataPlane

HANDLER = """
import os, subprocess, sys, time

calls = 0

def handle(event, context):
    global calls
    calls += 1
    return globals()[event.get("do", "echo")](event, context)

def echo(event, context):
    print("echo", event.get("say", ""))
    return {"event": event, "calls": calls, "pid": os.getpid()}

def about(event, context):
    client = context.client_context
    return {
        "id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "left": context.get_remaining_time_in_millis(),
        "client": client and client.custom,
        "environment": dict(os.environ),
        "path": sys.path,
        "cwd": os.getcwd(),
    }

def run(event, context):
    names = {"context": context}
    exec(event["code"], names)
    return names.get("answer")

def fail(event, context):
    raise ValueError("as told")

def fail_once(event, context):
    if not os.path.exists(event["marker"]):
        open(event["marker"], "w").close()
        raise ValueError("the first time")
    return "the second time"

def note(event, context):
    with open(os.path.join(event["folder"], f"{context.aws_request_id}-{time.time_ns()}"), "w") as file:
        file.write(str(os.getpid()))

def wait(event, context):
    note(event, context)
    while not os.path.exists(os.path.join(event["folder"], "go")):
        time.sleep(0.005)
    return os.getpid()

def child(event, context):
    return subprocess.run([sys.executable, "-c", event["code"]]).returncode
"""

_names = count()


class Result(NamedTuple):
    """The answer to an invocation, its body and log tail decoded."""

    status: int
    headers: dict[str, str]
    body: Any
    log: str

    @property
    def failed(self) -> bool:
        return self.headers.get("X-Amz-Function-Error") == "Unhandled"


def _result(answer: Answer) -> Result:
    body = json.loads(answer.body) if answer.body else None
    log = b64decode(answer.headers.get("X-Amz-Log-Result", "")).decode()
    return Result(answer.status, dict(answer.headers), body, log)


class EmulatedFunction:
    """A function of a name of its own, invoked with events as Python values."""

    def __init__(self, plane: DataPlane, package: Path, pool: ThreadPoolExecutor, **settings: object) -> None:
        self.plane = plane
        self.name = f"function-{next(_names)}"
        self.package = package
        self._pool = pool
        self._settings = settings
        self.publish()

    def publish(self, **changes: object) -> FunctionVersion:
        settings = {"timeout": 30, **self._settings, **changes}
        make: Any = FunctionVersion
        version: FunctionVersion = make(name=self.name, package=self.package, **settings)
        self.plane.publish(version)
        return version

    def __call__(self, do: str = "echo", **event: object) -> Result:
        return self.invoke(json.dumps({"do": do, **event}).encode())

    def run(self, code: str) -> Result:
        """Execute code in the handler; what it calls ``answer`` is the result."""
        return self("run", code=code)

    def invoke(self, payload: bytes = b"", **how: object) -> Result:
        invoke: Any = self.plane.invoke
        answer = invoke(self.name, payload, **{"log_tail": how.get("kind") is None, **how})
        return _result(answer)

    def start(self, do: str, **event: object) -> Future[Result]:
        """Invoke in a thread."""
        return self._pool.submit(self, do, **event)

    def send(self, do: str = "echo", qualifier: str | None = None, **event: object) -> str:
        """Invoke asynchronously; return the request's id."""
        result = self.invoke(json.dumps({"do": do, **event}).encode(), kind="Event", qualifier=qualifier)
        assert result.status == 202
        return result.headers["x-amzn-RequestId"]

    def events(self, qualifier: str = "$LATEST", **settings: object) -> None:
        make: Any = EventInvoke
        self.plane.configure_events(self.name, qualifier, make(**settings))

    @property
    def attempts(self) -> list[int]:
        return [report.attempt for report in self.plane.books.reports if report.function == self.name]


NewFunction = Callable[..., EmulatedFunction]


class LambdaEnvironment:
    """One environment, warm from event to event, of a package that sees whatever this Python has installed.

    Parameters
    ----------
    task : Path
        The folder of the deployed package.
    variables : mapping
        The environment variables of the function.
    handler : str
        Module and function.
    """

    def __init__(self, task: Path, variables: Mapping[str, str], handler: str = "handler.handle") -> None:
        self._log: list[str] = []
        self._plane = DataPlane(_no_record, write_log=lambda *said: self._log.extend(said[2]), jailed=False)
        self._version = FunctionVersion(
            name="wrenml-1024", package=task, memory_mb=1024, environment=variables, handler=handler, isolated=False
        )
        self._published: set[float] = set()

    def invoke(self, event: Mapping[str, object], timeout: float = 60.0) -> Result:
        """Run one event; those with another timeout have another environment."""
        if timeout not in self._published:
            self._plane.publish(replace(self._version, version=str(timeout), timeout=timeout))
            self._published.add(timeout)
        return _result(self._plane.invoke("wrenml-1024", json.dumps(event).encode(), qualifier=str(timeout)))

    def close(self) -> str:
        """End the environment as Lambda does, by killing it; return what it logged."""
        self._plane.close()
        return "\n".join(self._log)


def _no_record(_bucket: str, _key: str, _content: bytes) -> None:
    raise NotImplementedError("nothing here is asynchronous")
