"""``wrenml debug``: one call, run again in this process."""

from __future__ import annotations

import argparse
import contextlib
import os
import pdb  # noqa: T100 - what this is for
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from hashlib import sha256
from types import TracebackType

from wrenml.cli.exits import Exit
from wrenml.cli.reading import Jobs
from wrenml.errors import InputFailed
from wrenml.failures import short_repr
from wrenml.monitor.arguments import Arguments
from wrenml.monitor.job import Origin
from wrenml.monitor.records import Found, Record, read_job
from wrenml.outcome import Status
from wrenml.references import Ref
from wrenml.wire import Input, Request
from wrenml.worker import context
from wrenml.worker.job import Environment
from wrenml.worker.seeding import seed_call

__all__ = ["run_debug"]

_OURS = ("wrenml.worker.", "wrenml.cli.debug", "wrenml.pickling.")


def run_debug(arguments: argparse.Namespace) -> int:
    """Run a call here; 0 if it succeeds, 1 if it raises."""
    jobs = Jobs()
    record = jobs.read(arguments.job)
    jobs.call(record, arguments.call)
    with _apart():
        return _Rerun(jobs, record, arguments.call).run(debugger=arguments.pdb)


@contextlib.contextmanager
def _apart() -> Iterator[None]:
    """Work in an empty folder, as calls do."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="wrenml-debug-", ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


class _Rerun:
    def __init__(self, jobs: Jobs, record: Record, call: int) -> None:
        self._jobs = jobs
        self._record = record
        self._call = call
        self._environment = Environment(jobs.storage, jobs.folder, lambda: None)

    def run(self, *, debugger: bool) -> int:
        manifest, call = self._record.manifest, self._call
        request = Request(job=manifest.job, first=call, count=1, attempt=1, spec=manifest.spec, key=b"", offsets=(0, 0))
        context.enter(context.CurrentCall(manifest.job, call, 1, 1))
        try:
            loaded = self._environment.job(request)
            seed_call(loaded.spec.seed, call)
            argument = self._argument()
            sys.stderr.write(f"wrenml: {manifest.name}, call {call} of job {manifest.job}: {short_repr(argument)}\n")
            return _ran(loaded.call, argument, debugger=debugger)
        finally:
            self._environment.finish()
            self._environment.restore_variables()
            context.leave(None)

    def _argument(self) -> object:
        manifest = self._record.manifest
        stored = Arguments(manifest.job, b"", self._jobs.storage.put)
        for chunk in self._record.chunks:
            stored.restore(chunk)
        wanted = [entry for entry in stored.inputs(self._call, 1) if not Ref.is_reference(entry)]
        self._environment.expect(tuple(self._input(*entry) for entry in wanted))
        _, data = stored.take(self._call, 1)
        return self._environment.loads(data)

    def _input(self, job: str, call: int) -> Input:
        record = self._record if job == self._record.manifest.job else self._read(job)
        found = record.found.get(call)
        if found is None or found.origin is None or found.outcome.status != Status.SUCCESS:
            raise InputFailed(
                f"call {call} of job {job}, an argument of this call, has no result: `wrenml show {job} {call}`."
            )
        return _located(self._jobs, job, found, found.origin)

    def _read(self, job: str) -> Record:
        return read_job(self._jobs.storage, self._jobs.root, job)


def _located(jobs: Jobs, job: str, found: Found, origin: Origin) -> Input:
    begin = origin.start + origin.frame.bodies_at + found.start
    end = origin.start + origin.frame.bodies_at + found.stop - found.capture_bytes
    body = jobs.storage.get(origin.key, start=begin, stop=end)
    return Input(job, found.outcome.call, origin.key, begin, end, sha256(body).hexdigest())


class _Debugger(pdb.Pdb):
    """Stops at the first line that is not ours, and remembers whether it was left."""

    def __init__(self) -> None:
        super().__init__(skip=[f"{name}*" for name in _OURS])
        self.left = False

    def set_quit(self) -> None:
        self.left = True
        super().set_quit()


def _ran(call: Callable[[object], object], argument: object, *, debugger: bool) -> int:
    watched = _Debugger() if debugger else None
    try:
        result = call(argument) if watched is None else watched.runcall(call, argument)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BaseException as error:  # noqa: BLE001  # whatever the call raises is what was asked for
        sys.stdout.flush()
        shown = _theirs(error.__traceback__)
        traceback.print_exception(error.with_traceback(shown))
        if watched is not None and shown is not None:
            pdb.post_mortem(shown)
        return Exit.FAILED
    if watched is not None and watched.left:
        return Exit.INTERRUPTED
    sys.stdout.write(f"{short_repr(result)}\n")
    return Exit.DONE


def _theirs(frames: TracebackType | None) -> TracebackType | None:
    """The part of a traceback that is not ours."""
    while frames is not None and str(frames.tb_frame.f_globals.get("__name__")).startswith((*_OURS, "bdb", "pdb")):
        frames = frames.tb_next
    return frames
