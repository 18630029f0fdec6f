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

_PATIENCE = 10.0  # seconds; a client that is interrupted stops its workers and stores what it knows
_PAUSE = 0.05


def run_cancel(arguments: argparse.Namespace) -> int:
    """Cancel the calls of a job that have no outcome yet."""
    jobs = Jobs()
    record = jobs.read(arguments.job)
    view = View.of(record)
    if view.state != "running":
        _say(f"job {view.id} is not running: it is {view.state}")
        return Exit.DONE
    if is_remote(jobs.storage):
        with _executor() as executor:
            _say(f"cancelled {plural(executor.attach(view.id).cancel(), 'call')} of job {view.id}")
        return Exit.DONE
    _interrupt(record.manifest)
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


def _interrupt(manifest: Manifest) -> None:
    """Do what Ctrl-C in the terminal of a local job's client does.

    Raises
    ------
    NotSupportedError
        If the client runs on another machine.
    """
    if manifest.host != socket.gethostname():
        raise NotSupportedError(
            f"job {manifest.job} runs on {manifest.host}, and local workers can only be stopped there: type "
            f"`wrenml cancel {manifest.job}` on {manifest.host}."
        )
    if is_alive(manifest.pid, manifest.began):
        with suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(manifest.pid, signal.SIGINT)


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
