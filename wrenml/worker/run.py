"""Runs the calls of one request and gathers their outcomes into frames: the loop that every backend shares."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Sequence
from pickle import dumps
from sys import modules
from time import monotonic_ns, time
from typing import NamedTuple, Protocol

from wrenml.errors import StorageError
from wrenml.failures import short_repr
from wrenml.outcome import RECORD, Status, seal_frame
from wrenml.pickling.results import dumps_result
from wrenml.storage.base import Buffer
from wrenml.wire import Request
from wrenml.worker import context
from wrenml.worker.failing import explain
from wrenml.worker.job import Environment, LoadedJob
from wrenml.worker.marks import CURRENT, LIMIT, STARTED
from wrenml.worker.seeding import seed_call

__all__ = ["Aftermath", "Emit", "Runner"]

# A frame is sent when this much time has passed since the last one, or at once after a call that took a while.
_FLUSH_NS = 2_000_000
_SLOW_NS = 300_000
_LARGE = 1 << 18
_PLAIN = frozenset((int, float, bool, type(None), str, bytes))
_LOG_CHARACTERS = 4096
pack_record = RECORD.pack
SUCCESS = Status.SUCCESS
_PEAK_KB = 1024 if sys.platform == "darwin" else 1


class Emit(Protocol):
    """Takes a sealed frame away."""

    def __call__(self, head: bytes, bodies: Sequence[Buffer], next_call: int, *, over: bool) -> None:
        """Send or store a frame.

        Parameters
        ----------
        head : bytes
            Everything before the bodies; empty when there is no outcome to report.
        bodies : sequence of buffers
            What follows the head.
        next_call : int
            The first call that was not run, if the request is over.
        over : bool
            Whether this is the request's last frame.
        """


class Aftermath(NamedTuple):
    """What is notable after a call: its output and the output's length in bytes, and whether the process may go on."""

    output: tuple[str, int] | None
    clean: bool


class Runner:
    """Runs requests one after another in this process.

    Parameters
    ----------
    environment : Environment
        Loads jobs.
    emit : Emit
        Is given each sealed frame.
    marks : sequence of int
        Where the running call is noted, and the limit read (`wrenml.worker.marks`).
    after : callable
        Called after each call; None says that there is nothing to note.
    worker : bytes
        Eight bytes that name this process in outcomes.
    interactive : bool
        Whether Ctrl-C is meant for the client, whose process this is, and not for the call.
    """

    def __init__(
        self,
        environment: Environment,
        emit: Emit,
        marks: memoryview | list[int],
        after: Callable[[], Aftermath | None],
        worker: bytes = bytes(8),
        *,
        interactive: bool = False,
    ) -> None:
        self._interactive = interactive
        self._environment = environment
        self._emit = emit
        self._marks = marks
        self._after = after
        self._worker = worker
        self._number = 0
        self._cold = True
        self._offset = time() - monotonic_ns() / 1e9
        self._clear()

    def _clear(self) -> None:
        self._records: list[bytes] = []
        self._extras: list[bytes] = []
        self._bodies: list[Buffer] = []
        self._body_bytes = 0

    def run(self, request: Request, spec: bytes | None = None) -> bool:
        """Run a request's calls in order; False if the process must be replaced before it runs another.

        Parameters
        ----------
        request : Request
            Its job spec and arguments are checked against their digests before anything is unpickled.
        spec : bytes, optional
            The job spec, where it came with the request.
        """
        before = context.current()
        here = context.CurrentCall(request.job, request.first, request.attempt, request.depth + 1)
        context.enter(here)
        try:
            self._environment.expect(request.inputs)
            args, job = self._environment.arguments(request), self._environment.job(request, spec)
        except BaseException as error:  # noqa: BLE001  # whatever fails here is the outcome of every call
            self._number += request.count
            extra = explain(error)
            for call in range(request.first, request.first + request.count):
                self._fail(call, extra)
            self._flush(request, request.first + request.count, over=True)
            context.leave(before)
            return True
        try:
            return self._run(request, job, memoryview(args), here)
        finally:
            context.leave(before)

    def _run(self, request: Request, job: LoadedJob, args: memoryview, here: context.CurrentCall) -> bool:
        marks, offsets, after = self._marks, request.offsets, self._after
        number, call = self._number, request.first
        self._number += request.count
        flushed = monotonic_ns()
        for i in range(request.count):
            number += 1
            started = monotonic_ns()
            marks[STARTED] = started
            marks[CURRENT] = number
            if number >= marks[LIMIT]:
                break
            here.call = call
            self._call(call, job, args[offsets[i] : offsets[i + 1]], started)
            call += 1
            found = after()
            if found is not None:
                if found.output is not None:
                    self._attach(found.output)
                if not found.clean:
                    marks[STARTED] = 0
                    self._flush(request, call, over=True)
                    return False
            now = monotonic_ns()
            if now - started > _SLOW_NS or now - flushed > _FLUSH_NS or self._body_bytes > _LARGE:
                if i + 1 < request.count:
                    self._flush(request, call, over=False)
                flushed = now
        marks[STARTED] = 0
        self._flush(request, call, over=True)
        return True

    def _call(self, call: int, job: LoadedJob, packed: memoryview, started: int) -> None:
        retries = 0
        seed = job.spec.seed
        while True:
            unpickled = started
            argument: object = None
            try:
                if seed is not None or "random" in modules:
                    seed_call(seed, call)
                argument = self._environment.loads(packed)
                unpickled = monotonic_ns()
                value = job.call(argument)
                ran = monotonic_ns()
                if type(value) in _PLAIN:
                    body = dumps(value, 5)
                    size = len(body)
                    self._bodies.append(body)
                else:
                    bodies = dumps_result(value)
                    size = sum(map(len, bodies))
                    self._bodies.extend(bodies)
            except BaseException as error:  # the user's exception is this call's outcome
                if self._interactive and isinstance(error, KeyboardInterrupt):
                    raise
                if retries < job.spec.retries and isinstance(error, job.retry_on):
                    retries += 1
                    continue
                extra = explain(error, short_repr(argument) if unpickled > started else None)
                self._fail(call, extra, retries, started, unpickled)
                return
            self._body_bytes += size
            self._records.append(
                pack_record(
                    call, SUCCESS, min(retries, 255) if retries else 0, 0, 0, self._offset + started * 1e-9,
                    ran - unpickled, (unpickled - started) // 1000, size,
                )
            )  # fmt: skip
            return

    def _fail(
        self, call: int, extra: tuple[dict[str, object], bytes], retries: int = 0, started: int = 0, unpickled: int = 0
    ) -> None:
        text, body = json.dumps(extra[0] | {"tries": retries + 1}).encode(), extra[1]
        now = monotonic_ns()
        started = started or now
        self._records.append(
            pack_record(
                call, Status.FAILURE, min(retries, 255), 0, len(text), self._offset + started * 1e-9,
                now - max(unpickled, started), max(unpickled - started, 0) // 1000, len(body),
            )
        )  # fmt: skip
        self._extras.append(text)
        self._bodies.append(body)
        self._body_bytes += len(body)

    def _attach(self, output: tuple[str, int]) -> None:
        """Add what a call printed to its outcome: the end of it to the extras, all that was kept behind the body."""
        call, status, retries, pad, extra_size, started, ran, unpickled, size = RECORD.unpack(self._records[-1])
        extra = json.loads(self._extras.pop()) if extra_size else {}
        text, total = output
        kept = text.encode(errors="replace")
        extra |= {"log": text[-_LOG_CHARACTERS:], "log_bytes": total, "capture": len(kept)}
        encoded = json.dumps(extra).encode()
        self._extras.append(encoded)
        self._bodies.append(kept)
        self._body_bytes += len(kept)
        self._records[-1] = RECORD.pack(
            call, status, retries, pad, len(encoded), started, ran, unpickled, size + len(kept)
        )

    def _flush(self, request: Request, next_call: int, *, over: bool) -> None:
        records, extras, bodies = self._records, self._extras, self._bodies
        if not records:
            self._emit(b"", bodies, next_call, over=over)
            return
        self._clear()
        try:
            self._emit(self._seal(request, records, extras, bodies), bodies, next_call, over=over)
        except StorageError:
            self._flush_apart(request, records, extras, bodies)
            self._emit(b"", (), next_call, over=over)

    def _flush_apart(
        self, request: Request, records: list[bytes], extras: list[bytes], bodies: Sequence[Buffer]
    ) -> None:
        """Emit one by one what could not be stored together; what cannot be stored alone is a failure."""
        whole = memoryview(b"".join(bodies))
        texts = iter(extras)
        for record in records:
            call, *_, text_size, _, _, _, size = RECORD.unpack(record)
            text = [next(texts)] if text_size else []
            try:
                self._emit(self._seal(request, [record], text, [whole[:size]]), [whole[:size]], call + 1, over=False)
            except StorageError as error:
                self._fail(call, explain(error))
                head = self._seal(request, self._records, self._extras, self._bodies)
                bodies = self._bodies
                self._clear()
                self._emit(head, bodies, call + 1, over=False)
            whole = whole[size:]

    def _seal(
        self, request: Request, records: Sequence[bytes], extras: Sequence[bytes], bodies: Sequence[Buffer]
    ) -> bytes:
        head = seal_frame(
            request.key,
            request.job,
            (request.first, request.attempt),
            b"".join(records),
            b"".join(extras),
            bodies,
            peak_kb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // _PEAK_KB,
            cold=self._cold,
            sent=request.sent,
            stored=time(),
            worker=self._worker,
        )
        self._cold = False
        return head
