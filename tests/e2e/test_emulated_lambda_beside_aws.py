"""The emulated Lambda beside AWS's own runtime interface emulator, byte for byte.

Its program is in the wheel of the package aws-sam-cli, under ``samcli/local/rapid``; ``WRENML_RIE`` says where it lies.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.lambdas import HANDLER
from wrenml.testing.emulator.functions import FunctionVersion
from wrenml.testing.emulator.plane import DataPlane

RIE = os.environ.get("WRENML_RIE", "")

pytestmark = pytest.mark.skipif(not RIE, reason="WRENML_RIE names no runtime interface emulator")

Invoke = Callable[[bytes], bytes]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "handler.py").write_text(HANDLER)
    return tmp_path


@pytest.fixture
def theirs(package: Path, eventually: Callable[..., None]) -> Iterator[Invoke]:
    ports = free_ports(2)
    addresses = [f"127.0.0.1:{port}" for port in ports]
    command = [RIE, "--runtime-interface-emulator-address", addresses[0], "--runtime-api-address", addresses[1]]
    variables = {**os.environ, "AWS_LAMBDA_FUNCTION_TIMEOUT": "20"}
    program = subprocess.Popen(
        [*command, sys.executable, "-m", "awslambdaric", "handler.handle"], cwd=package, env=variables
    )

    def invoke(payload: bytes) -> bytes:
        url = f"http://{addresses[0]}/2015-03-31/functions/function/invocations"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, payload), timeout=30) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.read()

    eventually(lambda: listens(ports[0]))
    yield invoke
    program.kill()
    program.wait()


@pytest.fixture
def ours(package: Path) -> Iterator[Invoke]:
    plane = DataPlane(lambda *_: None, jailed=False)
    plane.publish(FunctionVersion(name="f", package=package, timeout=20, isolated=False))
    yield lambda payload: plane.invoke("f", payload).body
    plane.close()


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    "event",
    [
        {"do": "run", "code": "answer = 1"},
        {"do": "fail"},
        {"do": "run", "code": "import sys; sys.exit(3)"},
        {"do": "run", "code": "import os; os._exit(0)"},
        {"do": "run", "code": "import os; os.kill(os.getpid(), 9)"},
        {"do": "run", "code": "answer = 'x' * 7_000_000"},
        {"do": "missing"},
    ],
)
def test_answers_are_the_same(theirs: Invoke, ours: Invoke, event: dict[str, str]) -> None:
    payload = json.dumps(event).encode()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda invoke: [invoke(payload), invoke(b"{}")], [theirs, ours]))

    for one, other in zip(*answers, strict=True):
        assert without_ids(one) == without_ids(other)


def test_a_package_that_does_not_load(package: Path, theirs: Invoke, ours: Invoke) -> None:
    (package / "handler.py").write_text("import nowhere\n")

    assert without_ids(theirs(b"{}")) == without_ids(ours(b"{}"))


def without_ids(body: bytes) -> bytes:
    return re.sub(rb'[0-9a-f]{8}-[0-9a-f-]{27}|"pid": \d+', b"", body)
