"""The worker where nobody sees its processes: on Lambda, an event in, outcomes to storage.

::

    event ──▶ Remote.handle ──Request──▶ Keeper ──pipe──▶ child: runs the calls
                   │                        │  ▲             │
                   │  late, stale, newer?   │  └─ questions ─┤   answered from storage
                   ▼                        ▼                │
              says so in an outcome       Parts ◀─ outcomes ─┘
                                            └──commit, if absent──▶ storage

Nothing is reported to whoever sent the event but counts: storage is the only truth.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from wrenml.errors import (
    AuthenticationError,
    CallTimeout,
    StorageUnavailableError,
    VersionMismatchError,
    WireError,
    WorkerLost,
    WrenmlError,
)
from wrenml.outcome import Status
from wrenml.processes import age
from wrenml.storage import Storage, open_storage
from wrenml.wire import PROTOCOL, JobSpec, Request, blob_key, decode_request, decode_spec
from wrenml.worker.cancelling import Cancellation
from wrenml.worker.endings import Limits, Reason
from wrenml.worker.keeper import Bounds, Keeper, Stop
from wrenml.worker.parts import Parts

__all__ = ["Remote"]

_RESERVE = 4.0  # seconds before the platform ends the process: for stacks, the child's end and the last write
_SHARE = 0.25  # of a short invocation's time, at most, for the same
_MB_PER_CPU = 1769
_KEPT_SPECS = 16


class Remote:
    """One environment: its child, its storages and the job specs it has seen.

    Parameters
    ----------
    folder : str, optional
        For what the child writes. Default: a folder of this process in ``TMPDIR`` or ``/tmp``.
    memory_mb : int, optional
        What all processes of the environment may use together. Default: not known.
    open_with : callable
        Opens a storage from its URL and its bucket's owner. Default: `wrenml.storage.open_storage`.
    path : sequence of str, optional
        Folders the child imports from, beside the interpreter's own. Default: those of this process.
    """

    def __init__(
        self,
        folder: str | None = None,
        *,
        memory_mb: int | None = None,
        open_with: Callable[[str, str], Storage] | None = None,
        path: Sequence[str] | None = None,
    ) -> None:
        folder = folder or f"{os.environ.get('TMPDIR', '/tmp')}/wrenml-{os.getpid()}"  # noqa: S108
        self._keeper = Keeper(
            folder,
            memory_mb=memory_mb,
            path=[entry for entry in sys.path if entry] if path is None else path,
            threads=max(1, (memory_mb or 0) // _MB_PER_CPU),
        )
        self._open = open_with or _open_owned
        self._name = os.urandom(8)
        self._storages: dict[tuple[str, str], Storage] = {}
        self._specs: dict[str, tuple[bytes, JobSpec]] = {}
        self._boot = 0.0  # seconds that were billed before the first request

    @classmethod
    def on_lambda(cls) -> Remote:
        """The environment that Lambda's variables describe, its child already starting."""
        size = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
        remote = cls(memory_mb=int(size) if size.isdecimal() else None)
        remote._keeper.start()
        remote._boot = age()
        return remote

    def handle(self, event: Mapping[str, object], remaining_ms: Callable[[], int]) -> dict[str, object]:
        """Run the request that an event is.

        Parameters
        ----------
        event : mapping
            A request, as `wrenml.wire.encode_request` makes it, decoded from JSON.
        remaining_ms : callable
            Milliseconds until the platform ends this process: ``context.get_remaining_time_in_millis``.

        Returns
        -------
        dict
            How many outcome objects were ``committed``, were there before (``duplicates``) or came too
            ``late``; ``{"refused": reason}`` for a request that is not to be run any more.

        Raises
        ------
        WireError
            If the event is not a request, or a newer one than can be answered by an outcome.
        StorageError
            If outcomes could not be written.
        """
        began, self._boot = time.monotonic() - self._boot, 0.0
        left = remaining_ms() / 1000
        ends = time.monotonic() + left - min(_RESERVE, left * _SHARE)
        try:
            request = decode_request(event)
        except VersionMismatchError as error:
            return self._answer_newer(event, error, ends)
        refused = _too_late(request)
        if refused:
            return {"refused": refused}
        parts = Parts(request, self._storage(request), self._name, ends, began)
        calls = range(request.first, request.first + request.count)
        try:
            spec, limits = self._spec(request)
        except StorageUnavailableError as error:
            parts.fail(calls, error, Status.LOST)
        except WrenmlError as error:
            parts.fail(calls, error)
        else:
            cancelled = Cancellation(request, self._storage(request))
            if cancelled():
                return {"refused": "cancelled"}
            bounds = Bounds(limits, min(ends, _last_moment(request)), cancelled)
            self._run(request, calls, spec, bounds, parts)
        return _counts(parts)

    def _storage(self, request: Request) -> Storage:
        place = request.storage, request.owner
        if place not in self._storages:
            self._storages[place] = self._open(*place)
        return self._storages[place]

    def _answer_newer(self, event: Mapping[str, object], error: VersionMismatchError, ends: float) -> dict[str, object]:
        request = _envelope(event)
        if request is None:
            raise error
        parts = Parts(request, self._storage(request), self._name, ends)
        parts.fail(range(request.first, request.first + request.count), error)
        return _counts(parts)

    def _spec(self, request: Request) -> tuple[bytes, Limits]:
        digest = request.spec
        if digest not in self._specs:
            data = request.carried or bytes(self._storage(request).get(blob_key(digest)))
            if sha256(data).hexdigest() != digest:
                raise AuthenticationError("the stored job spec is not the one that the request names")
            while len(self._specs) >= _KEPT_SPECS:
                self._specs.pop(next(iter(self._specs)))
            self._specs[digest] = data, decode_spec(data)
        data, spec = self._specs[digest]
        return data, Limits(spec.timeout, last=request.largest)

    def _run(self, request: Request, calls: range, spec: bytes, bounds: Bounds, parts: Parts) -> None:
        storage = self._storage(request)
        waiting = deque([calls])
        suspects: set[int] = set()
        while waiting:
            some = waiting.popleft()
            stop = self._keeper.run(_only(request, some), spec, bounds, parts, storage)
            if stop.cause is None:
                again = [range(stop.next_call, some.stop)]
            elif stop.reason == Reason.CANCELLED:
                return
            elif stop.reason is not None and stop.reason.what == "deadline":
                self._out_of_time(stop, request, parts)
                return
            else:
                again = _after_death(stop, some, parts, suspects, alone=request.part == 1)
            waiting.extendleft(rest for rest in reversed(again) if rest)

    @staticmethod
    def _out_of_time(stop: Stop, request: Request, parts: Parts) -> None:
        cause = stop.cause or CallTimeout()
        # Only a call that had all the time there was is to blame for having needed more.
        if stop.suspect == request.first:
            parts.fail([stop.suspect], cause, output=stop.output)
        elif stop.suspect is not None:
            parts.fail([stop.suspect], cause, Status.LOST, stop.output)
        unstarted = WorkerLost(f"the invocation's time was over before this call could start or end. {cause}")
        parts.fail(range(request.first, request.first + request.count), unstarted, Status.LOST)

    def kill(self) -> None:
        """End the child at once, whatever it runs; for another thread than that which `handle` was called in."""
        self._keeper.kill()

    def close(self) -> None:
        """End the child."""
        self._keeper.close()


def _after_death(stop: Stop, some: range, parts: Parts, suspects: set[int], *, alone: bool) -> list[range]:
    """Settle what a child's death means for the calls it had; return those to run again."""
    cause = stop.cause or WorkerLost()
    suspect = stop.suspect
    if suspect is None:
        if not stop.fresh:  # it was ending already, after what an earlier request left behind
            return [range(stop.next_call, some.stop)]
        parts.fail(some, cause, Status.FAILURE if stop.final else Status.LOST, stop.output)
        return []
    before, after = range(stop.next_call, suspect), range(suspect + 1, some.stop)
    if not stop.final and not alone and suspect not in suspects:
        # A part is settled as a whole, so its worst call gets its second chance here, by itself.
        suspects.add(suspect)
        return [before, range(suspect, suspect + 1), after]
    parts.fail([suspect], cause, Status.FAILURE if stop.final or not alone else Status.LOST, stop.output)
    return [before, after]


def _open_owned(url: str, owner: str) -> Storage:
    return open_storage(url, bucket_owner=owner or None)


def _only(request: Request, calls: range) -> Request:
    begin = calls.start - request.first
    offsets = request.offsets[begin : begin + len(calls) + 1]
    return request._replace(first=calls.start, count=len(calls), offsets=offsets)


def _too_late(request: Request) -> str:
    now = time.time()
    for name, limit in (("start_by", request.start_by), ("not_after", request.not_after)):
        if limit is not None and now > limit:
            return f"{now - limit:.0f} s past {name}"
    return ""


def _last_moment(request: Request) -> float:
    """When outcomes are no longer wanted, monotonic seconds."""
    if request.not_after is None:
        return float("inf")
    return time.monotonic() + request.not_after - time.time()


def _envelope(event: Mapping[str, object]) -> Request | None:
    """What is needed to answer a request of another protocol; None if it does not say that much."""
    try:
        request = decode_request(
            {"protocol": PROTOCOL, "offsets": (), "args": "", "range": None, "inputs": (), "spec": ""}
            | {name: event[name] for name in ("storage", "owner", "job", "calls", "key", "attempt")}
        )
    except (KeyError, WireError):
        return None
    return request


def _counts(parts: Parts) -> dict[str, object]:
    return {"committed": parts.committed, "duplicates": parts.duplicates, "late": parts.late}
