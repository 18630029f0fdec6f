"""Attaching to jobs: in another process, on another day, or after the client was killed."""

from __future__ import annotations

import threading

from wrenml.errors import WorkerLost
from wrenml.futurelist import FutureList
from wrenml.futures import Future, Raw
from wrenml.monitor.deliver import call_back, settle_many
from wrenml.monitor.job import Job
from wrenml.monitor.records import Record, frames_of, read_job, read_outcomes
from wrenml.monitor.spending import recount
from wrenml.options import Options
from wrenml.session import Session, open_sessions
from wrenml.wire import blob_key

__all__ = ["attach"]

_FIRST_PAUSE = 0.02
_LAST_PAUSE = 1.0
_LAST_PAUSE_AFAR = 5.0  # where looking costs money


def attach(session: Session, job_id: str) -> FutureList[object]:
    """The futures of a job, wherever it was started.

    Outcomes that are in storage are there at once. If the job's client is still at work its further outcomes follow;
    if it is gone, the calls without an outcome fail as lost, and `FutureList.retry_failed` runs them.

    Raises
    ------
    JobNotFoundError
        If there is no such job.
    AuthenticationError
        If its records were not written with this session's key.
    """
    live = _running_here(session, job_id)
    # Taken before the records are read: what is settled meanwhile is in one or the other.
    waiting: dict[int, Future[object]] = {}
    if live is not None:
        if isinstance(live.futures, list):
            return FutureList(live.futures, live)
        waiting = dict(live.futures or {})
        live.write()
    record = read_job(session.storage, session.root.key, job_id)
    job = _rebuilt(session, record)
    futures: list[Future[object]] = [Future(job, call) for call in range(record.total)]
    job.futures = futures
    for call, future in sorted(waiting.items()):
        futures[call : call + 1] = [future]
        if call < record.total:
            job.calls.settle(call)
    _settle(job, record)
    if record.client_alive or (live is not None and not live.over):
        arguments = (session, job, record, live)
        threading.Thread(target=_follow, args=arguments, name="wrenml-follow", daemon=True).start()
    else:
        _lose_rest(job, record)
    return FutureList(futures, job)


def _running_here(session: Session, job_id: str) -> Job | None:
    """The job as the session of this process that started it holds it."""
    for each in (session, *open_sessions()):
        live = each.jobs.get(job_id)
        if live is not None and each.storage.url == session.storage.url:
            return live
    return None


def _rebuilt(session: Session, record: Record) -> Job:
    spec = bytes(session.storage.get(blob_key(record.manifest.spec)))
    job = session.job_from(record.manifest, spec, Options(), own=False)
    for chunk in record.chunks:
        job.arguments.restore(chunk)
    job.calls.add(record.total, held=True)
    job.closed = True
    return job


def _settle(job: Job, record: Record) -> None:
    fresh = [found for call, found in sorted(record.found.items()) if job.calls.settle(call)]
    if job.meter is not None:
        recount(job.meter, frames_of(fresh))
    call_back(settle_many(job, [(found.outcome.call, found.raw()) for found in fresh]))


def _lose_rest(job: Job, record: Record) -> None:
    lost = WorkerLost(
        f"the client of job {job.id} (process {record.manifest.pid} on {record.manifest.host}) ended before this call "
        "had an outcome; `futures.retry_failed()` runs it."
    )
    failure: dict[str, object] = {"kind": "lost", "type": "wrenml.errors.WorkerLost", "message": str(lost)}
    rest = [call for call in range(job.calls.total) if job.calls.settle(call)]
    call_back(settle_many(job, [(call, Raw(b"", 0, 0, lost, failure)) for call in rest]))


def _follow(session: Session, job: Job, record: Record, live: Job | None) -> None:
    pause = _FIRST_PAUSE
    ended = threading.Event()
    while job.calls.unsettled:
        alive = record.client_alive or (live is not None and not live.over)
        before = job.calls.settled
        read_outcomes(session.storage, record)
        _settle(job, record)
        if not alive:
            _lose_rest(job, record)
            return
        last = _LAST_PAUSE_AFAR if job.remote else _LAST_PAUSE
        pause = _FIRST_PAUSE if job.calls.settled > before else min(pause * 1.5, last)
        ended.wait(pause)
