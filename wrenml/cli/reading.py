"""Jobs as the command line sees them: found by a part of their id, and summed up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from wrenml.auth import job_key
from wrenml.aws.session import Session
from wrenml.cloud import open_stack
from wrenml.config import load_settings, root_key_path
from wrenml.errors import AuthenticationError, ConfigError, JobNotFoundError
from wrenml.folders import working_dir
from wrenml.monitor.manifest import Manifest, read_manifest
from wrenml.monitor.records import Found, Record, read_job
from wrenml.outcome import Status
from wrenml.rootkey import load_root_key
from wrenml.storage import LocalStorage, Storage
from wrenml.storage.base import is_remote

__all__ = ["Jobs", "View", "is_cancelled", "message"]

LAST = "last"
_LISTED = 5


@dataclass(frozen=True, slots=True)
class View:
    """What a job comes to; durations in seconds, memory in MB."""

    id: str
    name: str
    state: str  # running, done, failed, cancelled, lost
    calls: int
    succeeded: int
    failed: int
    cancelled: int
    missing: int
    started: str
    wall_seconds: float
    call_seconds: float
    peak_mb: float
    backend: str
    python: str
    host: str
    pid: int
    tags: dict[str, str]

    @classmethod
    def of(cls, record: Record) -> View:
        """Sum up a job."""
        manifest, found = record.manifest, record.found.values()
        outcomes = [one.outcome for one in found]
        cancelled = sum(is_cancelled(one) for one in found)
        failed = sum(outcome.status != Status.SUCCESS for outcome in outcomes) - cancelled
        missing = record.total - len(outcomes)
        stored = max((outcome.timings.stored for outcome in outcomes), default=manifest.created)
        return cls(
            id=manifest.job,
            name=manifest.name,
            state=_state(record, failed, cancelled, missing),
            calls=record.total,
            succeeded=len(outcomes) - failed - cancelled,
            failed=failed,
            cancelled=cancelled,
            missing=missing,
            started=datetime.fromtimestamp(manifest.created, UTC).astimezone().isoformat(timespec="seconds"),
            wall_seconds=max(stored - manifest.created, 0.0),
            call_seconds=sum(outcome.timings.ran for outcome in outcomes),
            peak_mb=max((outcome.peak_mb for outcome in outcomes), default=0.0),
            backend=manifest.backend,
            python=manifest.python,
            host=manifest.host,
            pid=manifest.pid,
            tags=dict(manifest.tags),
        )


def _state(record: Record, failed: int, cancelled: int, missing: int) -> str:
    if missing:
        return "running" if record.client_alive else "lost"
    if failed:
        return "failed"
    return "cancelled" if cancelled else "done"


def is_cancelled(found: Found) -> bool:
    """Whether a call was cancelled."""
    return found.outcome.extra.get("kind") == "cancelled"


def message(found: Found) -> str:
    """A failure in one line: the exception's type and what it says."""
    extra = found.outcome.extra
    name = str(extra.get("type", "an exception")).removeprefix("builtins.")
    text = " ".join(str(extra.get("message", "")).split())
    return f"{name}: {text}" if text else name


class Jobs:
    """The jobs that the settings are about: of a deployed stack, or the local ones of this user."""

    def __init__(self) -> None:
        # Settings are read for their own sake too: a bad one should not wait for the next map to be noticed.
        settings = load_settings(os.environ, working_dir())
        self.storage: Storage
        if settings.backend == "aws":
            session = Session(profile=settings.profile, region=settings.region)
            _, self.storage, root = open_stack(settings.stack, session)
            self.root = root.key
            self.folder = self.storage.url
        else:
            self.folder = settings.cache_dir
            self.storage = LocalStorage(self.folder)
            self.root = load_root_key(root_key_path(os.environ, "local")).key

    def ids(self, prefix: str = "") -> Iterator[str]:
        """Ids of all jobs, or of those that begin so."""
        if is_remote(self.storage):
            yield from self._ids_in_bucket(prefix)
            return
        for key in self.storage.list(f"jobs/{prefix}"):
            job, _, rest = key.removeprefix("jobs/").partition("/")
            if rest == "manifest":
                yield job

    def _ids_in_bucket(self, prefix: str) -> Iterator[str]:
        """One list a job, instead of one for each thousand of its objects."""
        after = ""
        while (key := next(iter(self.storage.list(f"jobs/{prefix}", after=after)), None)) is not None:
            job = key.removeprefix("jobs/").partition("/")[0]
            yield job
            after = f"jobs/{job}0"  # behind all that begins with "jobs/<job>/"

    def manifests(self) -> tuple[list[Manifest], int]:
        """What is known of each job, the newest first, and how many were written with another key."""
        manifests, refused = [], 0
        for job in self.ids():
            try:
                manifests.append(read_manifest(self.storage, job, job_key(self.root, job)))
            except (AuthenticationError, JobNotFoundError):
                refused += 1
        return sorted(manifests, key=lambda manifest: manifest.created, reverse=True), refused

    def read(self, job: str) -> Record:
        """Read a job.

        Parameters
        ----------
        job : str
            Its id, the beginning of one, or ``"last"``.

        Raises
        ------
        JobNotFoundError
            If there is none.
        ConfigError
            If there are several.
        """
        return read_job(self.storage, self.root, self._find(job))

    def _find(self, job: str) -> str:
        if job == LAST:
            manifests, _ = self.manifests()
            if manifests:
                return manifests[0].job
            raise JobNotFoundError(f"there is no job in {self.storage.url} yet; `wrenml demo` runs one.")
        found = list(self.ids(job)) if job.isalnum() else []
        if not found:
            raise JobNotFoundError(
                f"there is no job {job!r} in {self.storage.url}; `wrenml jobs` lists what there is. Jobs of inline "
                "executors are gone with their process."
            )
        if len(found) > 1 and job not in found:
            raise ConfigError(f"{job!r} may be any of {', '.join(found[:_LISTED])}: give more of the id.")
        return job if job in found else found[0]

    def call(self, record: Record, call: int) -> Found | None:
        """The outcome of a call; None if it has none yet.

        Raises
        ------
        JobNotFoundError
            If the job has no such call.
        """
        if call >= record.total:
            raise JobNotFoundError(
                f"job {record.manifest.job} has no call {call}: it has {record.total:,}, numbered from 0."
            )
        return record.found.get(call)
