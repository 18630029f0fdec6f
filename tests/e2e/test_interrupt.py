from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

CLIENT = """
import sys
import threading
from wrenml import {backend}_executor, wait

def forever(gate):
    with open(gate, "w") as file:
        file.write("started")
    threading.Event().wait()

if __name__ == "__main__":
    ex = {backend}_executor()
    gates = [sys.argv[1]] * 5
    {line}
"""


def waits(pid: int) -> bool:
    """Whether the main thread of a process sleeps, and goes on to."""
    status = Path(f"/proc/{pid}/task/{pid}/status")
    if not status.exists():  # another system than Linux
        return True
    states = []
    for _ in range(2):
        states.append(re.findall(r"^(?:State|\w*ctxt_switches):\s+(\S+)", status.read_text(), re.MULTILINE))
        threading.Event().wait(0.05)
    return states[0][0] == "S" and states[0] == states[1]


@pytest.mark.parametrize(
    ("backend", "line", "said"),
    [
        ("local", "ex.map(forever, gates).results()", r"is cancelled after 0 of 5 calls: `wrenml show \w{8}`"),
        ("local", "ex.map(forever, gates).exceptions()", r"interrupted; job \w{16} is cancelled"),
        ("local", "list(ex.imap(forever, gates))", r"interrupted; job \w{16} is cancelled"),
        ("local", "[future.result() for future in ex.map(forever, gates)]", ""),
        ("local", "wait(ex.map(forever, gates))", ""),
        ("local", "with ex: futures = ex.map(forever, gates)", ""),
        ("inline", "ex.map(forever, gates)", ""),
    ],
)  # fmt: skip
def test_ctrl_c_ends_a_client_at_once(
    backend: str, line: str, said: str, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    gate = tmp_path / "gate"
    script = tmp_path / "client.py"
    script.write_text(CLIENT.format(backend=backend, line=line))
    os.mkfifo(gate)
    with subprocess.Popen([sys.executable, script, gate], text=True, stderr=subprocess.PIPE) as client:
        assert gate.read_text().startswith("started")
        eventually(lambda: waits(client.pid))  # an interrupt that comes before that meets no verb of ours
        client.send_signal(signal.SIGINT)
        _, err = client.communicate(timeout=30)
    assert client.returncode in (1, -signal.SIGINT)
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert err.count("Traceback") == 1
    assert re.search(said, err)
