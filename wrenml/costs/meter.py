"""Counts what jobs use while they run."""

from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import replace

from wrenml.costs.cost import Cost, Place, Usage, cost_of

__all__ = ["Meter", "Requests"]

_KINDS = {
    "put_object": "put",
    "copy_object": "put",
    "create_multipart_upload": "put",
    "upload_part": "put",
    "complete_multipart_upload": "put",
    "list_objects_v2": "list",
    "get_object": "get",
    "head_object": "get",
}
_LAST_WRITE = 0.03  # seconds: the write of an outcome and Lambda's answer come after the last that is measured
_JOB = "jobs/"


class Requests:
    """Requests to a bucket, counted by job.

    A request for a key below ``jobs/<job>/`` is that job's; the others, for blobs say, are of the job that is
    asked about next, since blobs are written just before the job that needs them.
    """

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}
        self._lock = threading.Lock()

    def count(self, operation: str, key: str) -> None:
        """Take note of a request.

        Parameters
        ----------
        operation : str
            The client's method, such as ``put_object``. Those that cost nothing are passed over.
        key : str
            Of the object, or the prefix that is listed.
        """
        kind = _KINDS.get(operation)
        if kind is None:
            return
        job = key[len(_JOB) :].partition("/")[0] if key.startswith(_JOB) else ""
        with self._lock:
            self._counts.setdefault(job, Counter())[kind] += 1

    def of(self, job: str) -> Usage:
        """What a job has requested so far, and whatever was requested for nobody in particular before."""
        with self._lock:
            counts = self._counts.setdefault(job, Counter())
            counts.update(self._counts.pop("", {}))
            return Usage(puts=counts["put"], lists=counts["list"], gets=counts["get"])


class Meter:
    """What one job uses.

    Parameters
    ----------
    job : str
        Its id.
    place : Place
        Where its calls run.
    requests : Requests, optional
        Where this client's requests to the bucket are counted. Default: they are not.
    limit : float, optional
        Dollars the job may cost. Default: any.
    """

    def __init__(self, job: str, place: Place, requests: Requests | None = None, limit: float | None = None) -> None:
        self.place = place
        self.limit = limit
        self._job = job
        self._requests = requests
        self._gb_seconds = 0.0
        self._invocations = 0
        self._ended = 0
        self._frames = 0
        self._reads = 0
        self._stored = 0

    def invoked(self) -> None:
        """Take note that Lambda has taken an invocation."""
        self._invocations += 1

    def ran(self, seconds: float, memory_mb: int | None = None, *, size: int = 0, reads: bool = False) -> None:
        """Take note of an outcome that a worker wrote.

        Parameters
        ----------
        seconds : float
            What its environment is billed for, since its start, the request or the invocation's last outcome.
        memory_mb : int, optional
            What the calls wanted. Default: no matter.
        size : int, default 0
            Of the outcome, bytes.
        reads : bool, default False
            Whether the environment had to read the function.
        """
        self._bill(seconds, memory_mb)
        self._frames += 1
        self._reads += reads
        self._stored += size

    def ended(self, memory_mb: int | None = None, *, seconds: float = _LAST_WRITE) -> None:
        """Take note that an invocation is over.

        Parameters
        ----------
        memory_mb : int, optional
            What its calls wanted. Default: no matter.
        seconds : float, default 0.03
            How long it lasted after its last outcome.
        """
        self._bill(seconds, memory_mb)
        self._ended += 1

    def _bill(self, seconds: float, memory_mb: int | None) -> None:
        billed = math.ceil(round(1000 * seconds, 3)) / 1000  # by the millisecond
        self._gb_seconds += billed * self.place.function_mb(memory_mb) / 1024

    @property
    def usage(self) -> Usage:
        """What was used so far, by this client and by the workers."""
        worker = Usage(self._gb_seconds, self._invocations, self._frames, 0, self._reads, self._stored)
        return worker if self._requests is None else worker + self._requests.of(self._job)

    @property
    def cost(self) -> Cost:
        """What that comes to."""
        return cost_of(self.usage, self.place)

    def affords(self, *, call_limit: float | None = None) -> bool:
        """Whether one more invocation, with those under way, is likely to stay within the limit.

        Those under way are taken to cost what those that are over did on average; where none is, what they
        cost if they last as long as they may.

        Parameters
        ----------
        call_limit : float, optional
            The longest that an invocation may last, seconds. Default: as long as the function may.
        """
        if self.limit is None:
            return True
        usage = self.usage
        spent = cost_of(usage, self.place).dollars
        if self._ended:
            each = cost_of(replace(usage, invocations=self._ended), self.place).dollars / self._ended
        else:
            seconds = min(call_limit or math.inf, self.place.timeout)
            each = cost_of(Usage(gb_seconds=seconds * self.place.memory_mb / 1024, invocations=1), self.place).dollars
        under_way = self._invocations - self._ended
        return spent + (under_way + 1) * each <= self.limit or (not self._invocations and spent < self.limit)
