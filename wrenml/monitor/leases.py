"""Which client runs the calls of a job in a bucket again: of several that are attached, one at a time.

Each time, one object `jobs/<job>/lease/<epoch>` is written if there is none of that epoch. It names the new job, so the
next client knows whom to wait for.
"""

from __future__ import annotations

import json

from wrenml import auth
from wrenml.errors import JobBusyError, JobNotFoundError
from wrenml.monitor.records import read_job
from wrenml.storage.base import Storage
from wrenml.wire import lease_key

__all__ = ["claim"]

_LABEL = "lease"


def claim(storage: Storage, root: bytes, job: str, again: str) -> None:
    """Take the right to run calls of a job again.

    Parameters
    ----------
    storage : Storage
        Where the job lies.
    root : bytes
        The root key.
    job : str
        The job.
    again : str
        Id of the new job that runs its calls.

    Raises
    ------
    JobBusyError
        If another client has it, whose new job is not over.
    AuthenticationError
        If no client of this stack wrote the record of the last one.
    """
    key = auth.label_key(auth.job_key(root, job), _LABEL)
    epochs = sorted(int(name.rpartition("/")[2]) for name in storage.list(lease_key(job, 0)[:-1]))
    if epochs:
        _check_over(storage, root, job, _read(storage, key, job, epochs[-1]))
    text = json.dumps({"job": again}).encode()
    signed = auth.tag(key, _LABEL.encode(), job.encode(), text)
    epoch = epochs[-1] + 1 if epochs else 0
    if not storage.put(lease_key(job, epoch), [signed, text], if_absent=True):
        raise _busy(job, _read(storage, key, job, epoch))


def _read(storage: Storage, key: bytes, job: str, epoch: int) -> str:
    data = bytes(storage.get(lease_key(job, epoch)))
    signed, text = data[: auth.TAG_SIZE], data[auth.TAG_SIZE :]
    auth.require(key, signed, (_LABEL.encode(), job.encode(), text), f"a lease of job {job}")
    return str(json.loads(text)["job"])


def _check_over(storage: Storage, root: bytes, job: str, other: str) -> None:
    try:
        record = read_job(storage, root, other)
    except JobNotFoundError:  # its client ended before it had written it
        return
    if len(record.found) < record.total and record.client_alive:
        raise _busy(job, other)


def _busy(job: str, other: str) -> JobBusyError:
    return JobBusyError(
        f"calls of job {job} are being run again by another client, as job {other}: attach to that one "
        f"(attach({other!r})), or try again when it is over."
    )
