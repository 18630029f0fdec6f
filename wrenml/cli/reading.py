"""Jobs as the command line sees them: found by a part of their id."""

from __future__ import annotations

import os
from collections.abc import Iterator

from wrenml.auth import job_key
from wrenml.aws.session import Session
from wrenml.cloud import open_stack
from wrenml.config import load_settings, root_key_path
from wrenml.errors import AuthenticationError, ConfigError, JobNotFoundError
from wrenml.folders import working_dir
from wrenml.monitor.manifest import Manifest, read_manifest
from wrenml.monitor.records import Found, Record, read_job
from wrenml.rootkey import load_root_key
from wrenml.storage import LocalStorage, Storage
from wrenml.storage.base import is_remote

__all__ = ["Jobs"]

LAST = "last"
_LISTED = 5


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
