"""`dry_run=True`: what a map would send, measured by packing it, and nothing sent or stored."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from wrenml import modules
from wrenml.errors import CallCancelled, NotSupportedError
from wrenml.futurelist import FutureList
from wrenml.futures import Future, Raw
from wrenml.monitor.deliver import settle_many
from wrenml.monitor.job import Job, Plan
from wrenml.monitor.manifest import Manifest, new_job_id
from wrenml.options import Options
from wrenml.pickling import PackedItems
from wrenml.session import Session
from wrenml.shipping import shipped_files
from wrenml.storage.base import Buffer

__all__ = ["dry_run"]

_WHY = "dry_run=True: the call was not sent; map without dry_run to run it"


def dry_run(
    session: Session, fn: Callable[..., object], items: Sequence[object], options: Options, name: str
) -> FutureList[Any]:
    """Print what a map would send; return futures that have all failed, because nothing was.

    Parameters
    ----------
    session : Session
        Would run the calls.
    fn : callable
        The map's function.
    items : sequence
        Its elements.
    options : Options
        Of the map.
    name : str
        The function's.

    Returns
    -------
    FutureList
        One future for each element; each has failed with `CallCancelled`.
    """
    blobs: dict[bytes, int] = {}

    def count(digest: bytes, data: Sequence[Buffer]) -> None:
        blobs[digest] = sum(memoryview(part).nbytes for part in data)

    packer = session.packer({}, put=count)
    with packer.snapshot():
        function = packer.dumps(fn)
        packed = packer.dumps_many(items)
    lines = [
        f"wrenml: dry run of {options.name or name}: nothing is sent",
        f"  calls      {_calls(packed)}",
        f"  requests   {_requests(len(items), options, session)}",
        f"  function   {_size(len(function))}",
        f"  arguments  {_arguments(packed)}",
    ]
    if blobs:
        lines.append(f"  stored     {_size(sum(blobs.values()))} in {len(blobs):,} large objects, each once")
    archive = modules.collect(packer.modules, exclude=options.exclude_modules) if session.backend != "inline" else None
    if archive is not None:
        lines.append(f"  modules    {_size(len(archive.data))}: {', '.join(archive.names)}")
    files = shipped_files(options.files)
    if files:
        lines.append(f"  files      {_size(sum(map(os.path.getsize, files.values())))}: {', '.join(files)}")
    stored = len(function) + len(packed.data) + sum(blobs.values())
    cost = session.spending.estimate(options.name or name, len(items), options, session.workers, stored_bytes=stored)
    lines.append(f"  cost       {cost or f'none: {session.backend} calls cost nothing'}")
    sys.stderr.write("\n".join(lines) + "\n")
    return _unsent(session, len(items), options.name or name)


def _calls(packed: PackedItems) -> str:
    bad = sorted(packed.errors)
    count = f"{len(packed.offsets) - 1:,}"
    return f"{count}, of which {len(bad):,} cannot be pickled, the first with index {bad[0]}" if bad else count


def _requests(calls: int, options: Options, session: Session) -> str:
    at_once = min(options.max_in_flight or session.workers, session.workers)
    chunk = options.chunksize or (1 if session.backend == "aws" else None)
    if chunk == 1:
        return f"{calls:,}, {at_once:,} at a time"
    if chunk is not None:
        return f"{-(-calls // chunk):,} of {chunk:,} calls, {at_once:,} at a time"
    return f"at most {calls:,}, {at_once:,} at a time; short calls travel together"


def _arguments(packed: PackedItems) -> str:
    offsets = packed.offsets
    sizes = [offsets[i + 1] - offsets[i] for i in range(len(offsets) - 1)]
    if not sizes:
        return "none"
    largest = max(range(len(sizes)), key=sizes.__getitem__)
    return f"{_size(sum(sizes))}, the largest {_size(sizes[largest])} with index {largest}"


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004  # the step from unit to unit
            return f"{count:.0f} bytes" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


class _NoPort:
    """The executor of a job that was never sent."""

    def cancel(self, job: Job, calls: Iterable[int]) -> int:  # noqa: ARG002  # the protocol's signature
        return 0

    def reference(self, job: Job, call: int) -> NoReturn:  # noqa: ARG002  # the protocol's signature
        raise TypeError("a future of a dry run cannot be pickled: no process could find its call")

    def put_blob(self, digest: str, data: Buffer) -> None:
        """Nothing is stored."""

    def run_again(self, job: Job, calls: list[int]) -> NoReturn:  # noqa: ARG002  # the protocol's signature
        raise NotSupportedError("a dry run has nothing to run again; map without dry_run")

    def output(self, job: Job, call: int) -> str:  # noqa: ARG002  # the protocol's signature
        return ""


def _unsent(session: Session, count: int, name: str) -> FutureList[Any]:
    manifest = Manifest(job=new_job_id(), name=f"{name} (dry run)", spec="", backend=session.backend)
    job = Job(manifest, b"", b"", session.storage, Plan(), _NoPort())
    futures: list[Future[object]] = [Future(job, call) for call in range(count)]
    job.futures = futures
    job.calls.add(count, held=True)
    job.closed = True
    error = CallCancelled(_WHY)
    raw = Raw(b"", 0, 0, error, {"kind": "cancelled", "type": "wrenml.errors.CallCancelled", "message": _WHY})
    for call in range(count):
        job.calls.settle(call)
    job.tally = replace(job.tally, failed=count)
    settle_many(job, [(call, raw) for call in range(count)])
    job.ended = job.started
    return FutureList(futures, job)
