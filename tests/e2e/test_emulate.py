from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import boto3
import pytest

from wrenml.cli import main

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as ends:

        def begin(*arguments: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-m", "wrenml", "emulate", *arguments], stdout=subprocess.PIPE, text=True
            )
            ends.enter_context(process)
            ends.callback(process.terminate)
            return process

        yield begin


def client(environment: dict[str, str], service: str) -> Any:  # noqa: ANN401 - boto3 makes its client classes at run time
    session = boto3.session.Session(
        environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], region_name=environment["AWS_REGION"]
    )
    return session.client(service, endpoint_url=environment["AWS_ENDPOINT_URL"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(start: Start, number: int) -> None:
    process = start("--json", "--user", "me", "--latency", "s3=0.01")
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    assert client(said["environment"], "sts").get_caller_identity()["Arn"].endswith("user/me")
    process.send_signal(number)
    assert process.wait(30) == 0


def test_the_shell_can_read_it(start: Start) -> None:
    process = start()
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or not lines[-1].startswith("export AWS_SECRET_ACCESS_KEY="):
        lines.append(process.stdout.readline())
    script = "".join(lines) + 'echo "$AWS_ENDPOINT_URL"'
    shown = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown.startswith("http://127.0.0.1:")


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["emulate", "--port", str(taken.getsockname()[1])]) == 2
    assert "Give another --port" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [["--port", "99999"], ["--latency", "s3"], ["--latency", "s3=-1"], ["--latency", "=1"]]
)
def test_what_cannot_be_meant(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["emulate", *wrong])
    assert caught.value.code == 2
    assert wrong[1] in capsys.readouterr().err
