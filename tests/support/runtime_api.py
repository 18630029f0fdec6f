"""Lambda's side of one execution environment: the Runtime API on loopback, and a process that asks it for work."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_PATH = "/2018-06-01/runtime/"
_ARN = "arn:aws:lambda:us-east-1:123456789012:function:wrenml-2048"


@dataclass(frozen=True)
class Invocation:
    """An event and the time it may take, seconds."""

    number: int
    event: Mapping[str, object]
    timeout: float


@dataclass(frozen=True)
class Answer:
    """What the runtime posted: ``response`` or ``error``, and its JSON."""

    kind: str
    body: Any


class RuntimeApi:
    """Hands out events and takes answers, over HTTP on 127.0.0.1."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.invocations: queue.Queue[Invocation | None] = queue.Queue()
        self.answers: queue.Queue[Answer] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def address(self) -> str:
        """Host and port, as ``AWS_LAMBDA_RUNTIME_API`` holds them."""
        return f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.invocations.put(None)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(api: RuntimeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            api.asked.set()
            invocation = api.invocations.get()
            if invocation is None:
                self.close_connection = True
                return
            headers = {
                "Lambda-Runtime-Aws-Request-Id": f"request-{invocation.number}",
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + invocation.timeout) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": _ARN,
                "Content-Type": "application/json",
            }
            self._reply(200, json.dumps(invocation.event).encode(), headers)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            api.answers.put(Answer(self.path.removeprefix(_PATH).rpartition("/")[2], body))
            self._reply(202, b"{}")

        def _reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Keep quiet."""

    return Handler


class LambdaEnvironment:
    """One process of AWS's runtime client, running a handler as Lambda does.

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
        self.api = RuntimeApi()
        self._number = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", handler],
            cwd=task,
            env={"AWS_LAMBDA_RUNTIME_API": self.api.address, "LAMBDA_TASK_ROOT": str(task), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def invoke(self, event: Mapping[str, object], timeout: float = 60.0) -> Answer:
        """Run one event; fail if nothing comes back in its time."""
        self._number += 1
        self.api.invocations.put(Invocation(self._number, event, timeout))
        return self.api.answers.get(timeout=timeout)

    def close(self) -> str:
        """End the environment as Lambda does, by killing it; return what it logged."""
        self._process.kill()
        output, _ = self._process.communicate()
        self.api.close()
        return output.decode(errors="replace")
