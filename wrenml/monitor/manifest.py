"""The record from which another process finds out what a job is."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from wrenml import auth
from wrenml.errors import JobNotFoundError, KeyNotFoundError
from wrenml.storage.base import Storage
from wrenml.wire import manifest_key

__all__ = ["JOB_ID_LENGTH", "Manifest", "new_job_id", "read_manifest", "write_manifest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is known of a job when it starts."""

    job: str
    name: str
    spec: str
    backend: str
    tags: Mapping[str, str] = field(default_factory=dict)
    infra_retries: int = 3
    created: float = field(default_factory=time.time)
    python: str = field(default_factory=lambda: sys.version.partition(" ")[0])
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    place: Mapping[str, object] = field(default_factory=dict)  # where calls cost money: a `wrenml.costs.Place`
    patience: float = 0.0  # seconds without a sign after which nothing is at work on it; 0: ask that process
    most: int = 0  # calls of an invocation; 0: any number
    began: str = ""  # when that process began, so that its id is not taken for another's


JOB_ID_LENGTH = 16


def new_job_id() -> str:
    """Make a job id: 16 hexadecimal digits, random from the first on."""
    return os.urandom(JOB_ID_LENGTH // 2).hex()


def write_manifest(storage: Storage, manifest: Manifest, key: bytes) -> None:
    """Store a manifest, authenticated with the job's key."""
    text = json.dumps(asdict(manifest)).encode()
    signed = auth.tag(auth.label_key(key, "manifest"), b"manifest", manifest.job.encode(), text)
    storage.put(manifest_key(manifest.job), [signed, text])


def read_manifest(storage: Storage, job: str, key: bytes) -> Manifest:
    """Read a manifest.

    Raises
    ------
    JobNotFoundError
        If the storage has no such job.
    AuthenticationError
        If it was not written by a client with the same root key.
    """
    try:
        data = bytes(storage.get(manifest_key(job)))
    except KeyNotFoundError as error:
        raise JobNotFoundError(f"there is no job {job} in {storage.url}; `wrenml jobs` lists them") from error
    signed, text = data[: auth.TAG_SIZE], data[auth.TAG_SIZE :]
    parts = (b"manifest", job.encode(), text)
    auth.require(auth.label_key(key, "manifest"), signed, parts, f"the manifest of job {job}")
    return Manifest(**json.loads(text))
