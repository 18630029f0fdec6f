"""Clients in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_started: list[subprocess.Popen[str]] = []


def start(script: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start a script as a program of its own, in a process group of its own."""
    path = Path(os.environ["HOME"]) / f"client{os.urandom(4).hex()}.py"
    path.write_text(script)
    process = subprocess.Popen(
        [sys.executable, str(path), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        process_group=0,
    )
    _started.append(process)
    return process


def end_all() -> None:
    """End the clients that a failing test has left."""
    while _started:
        process = _started.pop()
        if process.poll() is None:
            process.kill()
            process.communicate()


def client(script: str, *arguments: str, timeout: float = 60, **variables: str) -> str:
    """Run a script to its end; return what it printed."""
    with start(script, *arguments, **variables) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
    assert process.returncode == 0, err
    return out
