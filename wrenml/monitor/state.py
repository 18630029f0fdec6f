"""The record that says which calls of a job in a bucket are cancelled: one object, however many calls.

It decides over outcomes: a worker that did not see it in time may still have written one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from wrenml import auth
from wrenml.errors import KeyNotFoundError
from wrenml.storage.base import Storage
from wrenml.wire import state_key

__all__ = ["cancel_token", "read_state", "write_state"]

_LABEL = "state"


def cancel_token(key: bytes) -> bytes:
    """What only a client of the job can reveal; requests carry its digest."""
    return auth.label_key(key, "cancel")


def write_state(storage: Storage, key: bytes, job: str, cancelled: Iterable[int]) -> None:
    """Store which calls are cancelled.

    Parameters
    ----------
    storage : Storage
        Where the job lies.
    key : bytes
        The job's key.
    job : str
        Its id.
    cancelled : iterable of int
        Calls.
    """
    state = {"token": cancel_token(key).hex(), "cancelled": _runs(cancelled)}
    text = json.dumps(state).encode()
    signed = auth.tag(auth.label_key(key, _LABEL), _LABEL.encode(), job.encode(), text)
    storage.put(state_key(job), [signed, text])


def _runs(calls: Iterable[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for call in sorted(calls):
        if runs and runs[-1][1] == call:
            runs[-1][1] += 1
        else:
            runs.append([call, call + 1])
    return runs


def read_state(storage: Storage, key: bytes, job: str) -> set[int]:
    """Read which calls are cancelled.

    Raises
    ------
    AuthenticationError
        If no client of this stack wrote the record.
    """
    try:
        data = bytes(storage.get(state_key(job)))
    except KeyNotFoundError:
        return set()
    signed, text = data[: auth.TAG_SIZE], data[auth.TAG_SIZE :]
    parts = (_LABEL.encode(), job.encode(), text)
    auth.require(auth.label_key(key, _LABEL), signed, parts, f"the state of job {job}")
    return {call for start, stop in json.loads(text)["cancelled"] for call in range(start, stop)}
