"""Outcomes that the client writes itself: for calls that were cancelled, given up or never sent."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import NamedTuple

from wrenml import auth
from wrenml.errors import CallCancelled
from wrenml.monitor.job import Job
from wrenml.outcome import RECORD, Status, seal_frame
from wrenml.worker.failing import explain

__all__ = ["CLIENT", "JOURNAL", "ClientFrame", "client_frame"]

CLIENT = "client"
JOURNAL = "journal"


class ClientFrame(NamedTuple):
    """A frame for a run of neighbouring calls."""

    first: int
    data: bytes


def client_frame(job: Job, calls: list[int], cause: BaseException) -> Iterator[ClientFrame]:
    """Make the frames that give these calls the same failure, tagged under the client's own key."""
    text, body = explain(cause)
    if isinstance(cause, CallCancelled):
        text["kind"] = "cancelled"
    extra = json.dumps(text).encode()
    key = auth.label_key(job.key, CLIENT)
    now = time.time()
    run: list[int] = []
    for call in [*calls, None]:
        if run and call != run[-1] + 1:
            records = b"".join([RECORD.pack(c, Status.FAILURE, 0, 0, len(extra), now, 0, 0, len(body)) for c in run])
            bodies = [body] * len(run)
            head = seal_frame(
                auth.invocation_key(key, run[0], 0), job.id, (run[0], 0), records, extra * len(run), bodies,
                sent=now, stored=now, worker=bytes(8),
            )  # fmt: skip
            yield ClientFrame(run[0], b"".join([head, *bodies]))
            run = []
        if call is not None:
            run.append(call)
