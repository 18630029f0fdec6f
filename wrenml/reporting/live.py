"""What is reported of the futures that somebody holds."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future as StandardFuture
from typing import Any

from wrenml.errors import ConfigError
from wrenml.futures import Future
from wrenml.monitor.job import Job
from wrenml.monitor.records import Record, read_outcomes
from wrenml.reporting.page import page
from wrenml.reporting.timeline import draw
from wrenml.reporting.times import times_of

__all__ = ["report_of", "timeline_of"]


def timeline_of(futures: Iterable[Future[Any]]) -> Any:  # noqa: ANN401  # matplotlib has no types
    """Draw the calls of futures, numbered as these are.

    Raises
    ------
    ConfigError
        If none has run.
    NotSupportedError
        If there is no matplotlib.
    """
    futures = list(futures)
    places = {(id(future.owner), future.index): place for place, future in enumerate(futures)}
    jobs = _jobs(futures)
    calls = [
        each._replace(call=places[id(job), each.call])
        for job in jobs
        for each in times_of(_record(job))
        if (id(job), each.call) in places
    ]
    return draw(sorted(calls), ", ".join(dict.fromkeys(f"{job.manifest.name} {job.id}" for job in jobs)))


def report_of(futures: Iterable[Future[Any]]) -> str:
    """Write the report of the jobs of futures, as they are now.

    Raises
    ------
    ConfigError
        If they belong to none.
    """
    jobs = _jobs(futures)
    if not jobs:
        raise ConfigError("these futures belong to no job, so there is nothing to report")
    return page([_record(job) for job in jobs], alive=[not job.over for job in jobs])


def _jobs(futures: Iterable[StandardFuture[Any]]) -> list[Job]:
    owners = {id(owner): owner for future in futures if isinstance(owner := getattr(future, "owner", None), Job)}
    return list(owners.values())


def _record(job: Job) -> Record:
    record = Record(job.manifest, job.key, total=job.calls.total)
    read_outcomes(job.storage, record)
    return record
