"""Why a worker child ended, in words a user can act on; and outcomes of calls it could not report itself."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from wrenml.errors import CallExited, CallTimeout, StorageError, WorkerCrashed, WorkerOutOfMemory
from wrenml.outcome import RECORD, Status, seal_frame
from wrenml.wire import Request
from wrenml.worker.failing import explain
from wrenml.worker.pipe import UNSTORED
from wrenml.worker.supervisor import Death

__all__ = ["Limits", "Reason", "ending", "failure", "sealed_failure"]

_LOG_CHARACTERS = 4096
_FATAL = "Fatal Python error"


class Limits(NamedTuple):
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
    GARBLED: ClassVar[Reason]
    SYSTEM_MEMORY: ClassVar[Reason]

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
Reason.GARBLED = Reason("garbled")
Reason.SYSTEM_MEMORY = Reason("system")


_EXPLAINED: dict[int, str] = {
    signal.SIGKILL: "Something other than wrenml killed it; look at the system's log, and at how much memory is free.",
    signal.SIGTERM: "Something other than wrenml asked it to end.",
    signal.SIGINT: "Something other than wrenml interrupted it.",
}
_NATIVE = (
    "That is a crash in native code: of an extension module, or of what it was given. Where the function calls it "
    "stands below; run the call alone to see whether it is this call's doing."
)


def ending(reason: Reason | None, death: Death, limits: Limits, *, running: bool = True) -> tuple[Exception, bool]:
    """Name the cause of a worker's end, and whether that is the final outcome of the call that ran.

    Parameters
    ----------
    reason : Reason, optional
        Why its supervisor killed it, if it did.
    death : Death
        How it ended.
    limits : Limits
        Those it was under.
    running : bool, default True
        Whether it ran a call; else it was starting, idle or loading a job.
    """
    if reason is not None:
        known = _of_supervisor(reason, limits)
        if known is not None:
            return known
    if UNSTORED in death.output:
        return StorageError(death.output.rpartition(UNSTORED)[2].strip()), False
    if not running:
        return _before_a_call(death), False
    if death.signal is None:
        code = death.code or 0
        what = f"non-zero return code {code}" if code else "return code 0, but without a result"
        return CallExited(
            f"the call ended its process: {what}. It ran to an os._exit, or native code exited; "
            "let the function return or raise instead.",
            code,
        ), True
    text = f"the worker process was ended by {_name(death.signal)} while it ran the call."
    trace = death.output[death.output.find(_FATAL) :] if _FATAL in death.output else ""
    explained = _NATIVE if trace else _EXPLAINED.get(death.signal, "")
    return WorkerCrashed("\n".join(filter(None, (f"{text} {explained}".strip(), trace.strip()))), death.signal), False


def _of_supervisor(reason: Reason, limits: Limits) -> tuple[Exception, bool] | None:
    where = f" It was here:\n{reason.detail.strip()}" if reason.detail.strip() else ""
    if reason.what == "deadline":
        return CallTimeout(
            "the call was out of time: it still ran when the invocation's time was over. Give the function a "
            f"longer timeout, or the call less to do.{where}"
        ), True
    if reason.what == "time":
        return CallTimeout(
            f"the call was out of time: it ran longer than its limit of {limits.timeout:g} s. "
            f"Raise timeout=, or give the call less to do.{where}"
        ), True
    if reason.what == "memory":
        peak = -(-reason.peak_kb // 1024)
        return WorkerOutOfMemory(
            f"the call used {peak} MB, more than its limit of {limits.memory_mb} MB; raise memory_mb= or use less.",
            limits.memory_mb,
            peak,
        ), limits.last
    if reason.what == "system":
        return WorkerOutOfMemory(
            "the system ended the worker process by SIGKILL while it ran the call, because memory was short. Run fewer "
            "calls at a time (workers=, max_in_flight=), use less in each, or limit each with memory_mb=.",
            limits.memory_mb,
        ), False
    if reason.what == "garbled":
        return WorkerCrashed(
            "the worker process was ended, for something other than wrenml wrote to the socket by which it reports. "
            "Let the call write only to what it has opened itself."
        ), False
    return None


def _before_a_call(death: Death) -> WorkerCrashed:
    how = f"was ended by {_name(death.signal)}" if death.signal is not None else f"ended (return code {death.code})"
    said = f" The last it wrote:\n{death.output.strip()}" if death.output.strip() else ""
    return WorkerCrashed(
        f"a worker process {how} before it ran the call, while it started, loaded the function or was idle.{said}",
        death.signal,
    )


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


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
