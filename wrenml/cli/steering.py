"""``wrenml cancel`` and ``wrenml retry``."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import time
from contextlib import suppress

import wrenml
from wrenml.cli.exits import Exit
from wrenml.cli.reading import Jobs
from wrenml.config import load_settings
from wrenml.errors import NotSupportedError
from wrenml.executor import Executor
from wrenml.folders import working_dir
from wrenml.monitor.manifest import Manifest
from wrenml.observe.text import plural
from wrenml.processes import is_alive
from wrenml.reporting.summing import View
from wrenml.storage.base import is_remote

__all__ = ["run_cancel", "run_retry"]

_PATIENCE = 30.0  # seconds; a client that is interrupted stops its workers and stores what it knows
_PAUSE = 0.05


def run_cancel(arguments: argparse.Namespace) -> int:
    """Cancel the calls of a job that have no outcome yet."""
    jobs = Jobs()
    record = jobs.read(arguments.job)
    view, manifest = View.of(record), record.manifest
    if view.state != "running":
        _say(f"job {view.id} is not running: it is {view.state}")
        return Exit.DONE
    here = manifest.host == socket.gethostname() and is_alive(manifest.pid, manifest.began)
    if is_remote(jobs.storage) and not here:
        with _executor() as executor:
            count = executor.attach(view.id).cancel()
        _say(f"cancelled {plural(count, 'call')} of job {view.id}; workers at them stop within 10 s")
        _say(f"if process {manifest.pid} on {manifest.host} still waits for them, interrupt it there")
        return Exit.DONE
    _interrupt(manifest)
    return _await_end(jobs, view)


def _interrupt(manifest: Manifest) -> None:
    """Do to a job's client what Ctrl-C in its terminal does.

    Raises
    ------
    NotSupportedError
        If that is on another machine, or cannot be told from another process.
    """
    if manifest.host != socket.gethostname():
        raise NotSupportedError(
            f"job {manifest.job} runs on {manifest.host}, and local workers can only be stopped there: type "
            f"`wrenml cancel {manifest.job}` on {manifest.host}."
        )
    if not manifest.began:
        raise NotSupportedError(
            f"this system does not tell whether process {manifest.pid} is still the one that started job "
            f"{manifest.job}; if it is, `kill -INT {manifest.pid}` cancels it."
        )
    with suppress(ProcessLookupError):  # it may have ended by itself
        os.kill(manifest.pid, signal.SIGINT)


def _await_end(jobs: Jobs, view: View) -> int:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        after = View.of(jobs.read(view.id))
        if after.state != "running":
            _say(f"job {view.id} is {after.state}: {after.succeeded:,} of {plural(after.calls, 'call')} succeeded")
            return Exit.DONE
        time.sleep(_PAUSE)
    sys.stderr.write(
        f"wrenml: process {view.pid} was interrupted {_PATIENCE:g} s ago, and its job goes on; `kill {view.pid}` ends "
        "it and its workers, and what it has is kept.\n"
    )
    return Exit.RUNNING


def run_retry(arguments: argparse.Namespace) -> int:
    """Run the calls of a job again that failed, were cancelled or lost."""
    view = View.of(Jobs().read(arguments.job))
    if view.state == "running":
        _say(f"job {view.id} is still running; `wrenml cancel {view.id}` stops it")
        return Exit.RUNNING
    if view.succeeded == view.calls:
        _say(f"job {view.id} has nothing to run again: all calls succeeded")
        return Exit.DONE
    with _executor() as executor:
        futures = executor.attach(view.id).retry_failed()
        _say(f"job {futures.id} runs {plural(view.calls - view.succeeded, 'call')} of job {view.id} again")
        wrenml.wait(futures)
        failed = sum(future.cancelled() or future.errored() for future in futures)
    if failed:
        _say(f"{plural(failed, 'call')} failed again: `wrenml show {futures.id}`")
        return Exit.FAILED
    _say("all succeeded")
    return Exit.DONE


def _executor() -> Executor:
    settings = load_settings(os.environ, working_dir())
    return wrenml.local_executor() if settings.backend == "inline" else wrenml.default_executor()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
