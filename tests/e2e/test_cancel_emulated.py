from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.emulated import aws, emulator
from wrenml.testing.emulator import Emulator

__all__ = ["aws", "emulator"]

CLIENT = """
import signal
import time
from wrenml import default_executor

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started this may ignore it
    with default_executor() as executor:
        futures = executor.map(time.sleep, [0, 300, 300])
        next(futures.as_completed())
        print(futures.id, flush=True)
        futures.exceptions()
"""


@pytest.mark.slow
@pytest.mark.parametrize("alive", [True, False])
def test_a_job_on_lambda_is_cancelled_from_another_process(aws: Emulator, tmp_path: Path, *, alive: bool) -> None:
    stack = aws.install(isolated=False)
    environment = {**os.environ, **aws.environment, "HOME": str(tmp_path)}
    environment |= {"WRENML_BACKEND": "aws", "WRENML_STACK": stack.stack}
    (tmp_path / "client.py").write_text(CLIENT)
    client = subprocess.Popen(
        [sys.executable, tmp_path / "client.py"], env=environment, text=True, stdout=subprocess.PIPE
    )
    limit = threading.Timer(60, client.kill)
    limit.start()
    try:
        assert client.stdout is not None
        job = client.stdout.readline().strip()
        if not alive:
            client.kill()
            client.wait(timeout=30)
        said = _wrenml(environment, "cancel", job)
        assert ("is cancelled: 1 of 3 calls succeeded" if alive else "cancelled 2 calls of job") in said.stdout
        assert client.wait(timeout=30) == (-signal.SIGINT if alive else -signal.SIGKILL)
    finally:
        limit.cancel()
        client.kill()
        client.communicate(timeout=30)
    shown = json.loads(_wrenml(environment, "show", job, "--json").stdout)
    assert (shown["state"], shown["succeeded"], shown["cancelled"]) == ("cancelled", 1, 2)


def _wrenml(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wrenml", *arguments]
    return subprocess.run(command, env=environment, text=True, capture_output=True, timeout=60, check=False)
