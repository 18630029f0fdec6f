"""Why a worker child ended, in words a user can act on; and outcomes of calls it could not report itself."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass
from typing import ClassVar

from wrenml.errors import CallExited, CallTimeout, WorkerCrashed, WorkerOutOfMemory
from wrenml.outcome import RECORD, Status, seal_frame
from wrenml.wire import Request
from wrenml.worker.failing import explain
from wrenml.worker.supervisor import Death

__all__ = ["Limits", "Reason", "ending", "failure", "sealed_failure"]

_LOG_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """What the supervisor of a request watches: seconds of one call, MB of resident memory.

    `last` says that there is no larger size for a call that needs more memory.
    """

    timeout: float | None = None
    memory_mb: int | None = None
    last: bool = True


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the supervisor killed a child."""

    what: str
    detail: str = ""
    peak_kb: int = 0

    CANCELLED: ClassVar[Reason]

    @classmethod
    def out_of_time(cls, stacks: str) -> Reason:
        """It ran longer than its limit; `stacks` tells where."""
        return cls("time", stacks)

    @classmethod
    def deadline(cls, stacks: str) -> Reason:
        """The time of the whole invocation is over; `stacks` tells where it was."""
        return cls("deadline", stacks)

    @classmethod
    def out_of_memory(cls, peak_kb: int) -> Reason:
        """It used more memory than its limit."""
        return cls("memory", peak_kb=peak_kb)


Reason.CANCELLED = Reason("cancelled")


def ending(reason: Reason | None, death: Death, limits: Limits) -> tuple[Exception, bool]:
    """Name the cause of a worker's end, and whether that is the final outcome of the call that ran."""
    where = f" It was here:\n{reason.detail.strip()}" if reason is not None and reason.detail.strip() else ""
    if reason is not None and reason.what == "deadline":
        return CallTimeout(
            "the call was out of time: it still ran when the invocation's time was over. Give the function a "
            f"longer timeout, or the call less to do.{where}"
        ), True
    if reason is not None and reason.what == "time":
        return CallTimeout(
            f"the call was out of time: it ran longer than its limit of {limits.timeout:g} s.{where}"
        ), True
    if reason is not None and reason.what == "memory":
        peak = reason.peak_kb // 1024
        return WorkerOutOfMemory(
            f"the call used {peak} MB, more than its limit of {limits.memory_mb} MB; raise memory_mb= or use less.",
            limits.memory_mb,
            peak,
        ), limits.last
    if death.signal is None:
        code = death.code or 0
        what = f"non-zero return code {code}" if code else "return code 0, but without a result"
        return CallExited(f"the call ended its process: {what}", code), True
    try:
        name = signal.Signals(death.signal).name
    except ValueError:
        name = f"signal {death.signal}"
    trace = death.output[death.output.find("Fatal Python error") :] if "Fatal Python error" in death.output else ""
    text = f"the worker process was ended by {name} while it ran the call"
    return WorkerCrashed(f"{text}.\n{trace.strip()}" if trace else f"{text}.", death.signal), False


def failure(call: int, status: int, cause: BaseException, output: str = "") -> tuple[bytes, bytes, bytes]:
    """Record, extra and body of a call that its worker could not report itself.

    Parameters
    ----------
    call : int
        The call.
    status : int
        `Status.FAILURE` or `Status.LOST`.
    cause : BaseException
        Why.
    output : str
        The last that its worker wrote. Default: nothing.
    """
    text, body = explain(cause)
    if output:
        text |= {"log": output[-_LOG_CHARACTERS:], "log_bytes": len(output)}
    extra = json.dumps(text).encode()
    return RECORD.pack(call, status, 0, 0, len(extra), time.time(), 0, 0, len(body)), extra, body


def sealed_failure(request: Request, call: int, cause: Exception, output: str) -> bytes:
    """A frame with the outcome of a call that its worker could not report itself."""
    record, extra, body = failure(call, Status.FAILURE, cause, output)
    head = seal_frame(
        request.key, request.job, (request.first, request.attempt), record, extra, [body],
        sent=request.sent, stored=time.time(), worker=bytes(8),
    )  # fmt: skip
    return head + body
