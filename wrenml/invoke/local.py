"""Local worker processes: started on demand, kept warm, replaced when they die.

::

    monitor ──invoke──▶ Worker.child's pipe ──▶ child ──frame──▶ segment file in storage
       ▲                                          │
       └──collect── replies, deaths ◀─────pipe────┘        supervision: limits, floods, work taken back
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from wrenml.errors import StorageError, WireError, WorkerCrashed
from wrenml.invoke.base import Event, FrameArrived, Limits, Name, RequestOver, WorkerGone
from wrenml.invoke.starting import Starter
from wrenml.storage.base import IN_MEMORY, Storage
from wrenml.wire import Request, outcome_prefix
from wrenml.worker.child import DUMP_SIGNAL
from wrenml.worker.endings import Reason, ending, sealed_failure
from wrenml.worker.oom import SystemKills
from wrenml.worker.pipe import INLINE_BYTES, Inbox, Reply, Stored, pack_request
from wrenml.worker.supervisor import Child

__all__ = ["LocalInvoker", "Sent", "Worker"]

_READ_BYTES = 1 << 16
_SEGMENTS = 4  # of which it is known how far they were reported; what is reported twice counts once
_TICK = 0.1  # seconds between looks at memory and floods
_ALERT = 1.0  # seconds after the last request in which waiting is in ticks, so that a new request need not interrupt it
_LOAD_SECONDS = 120.0  # how much longer than a call loading a job may take, where calls have a limit
_STEAL_AFTER = 0.02  # seconds a call must have run before the calls behind it are given to an idle worker


@dataclass(slots=True, eq=False)
class Sent:
    """A request that a worker has; `base` is the number of the call before its first."""

    name: Name
    request: Request
    base: int
    limits: Limits
    stop: int

    def call(self, number: int) -> int | None:
        """The call that has this number in the worker's life, if it is one of this request."""
        index = number - self.base - 1
        return self.request.first + index if 0 <= index < self.request.count else None


@dataclass(slots=True, eq=False)
class Worker:
    """A child, what it was sent, and why it was killed, if it was."""

    child: Child
    inbox: Inbox = field(default_factory=Inbox)
    sent: deque[Sent] = field(default_factory=deque)
    head_since: float = 0.0
    specs: set[str] = field(default_factory=set)
    number: int = 0
    draining: bool = False
    ending: bool = False
    reason: Reason | None = None
    reported: dict[str, int] = field(default_factory=dict)  # where its last frames end, by segment

    def segment(self, sent: Sent) -> str:
        """Key of the object to which this worker appends the outcomes of a request."""
        return outcome_prefix(sent.name[0]) + self.child.name.hex()

    def under_way(self) -> tuple[Limits, float]:
        """The limits of what the worker is at, and since when it is at it.

        What it is at may be the second request, if the reply to the first was not read yet, or no call yet: then
        loading the job has a limit of its own.
        """
        number, since = self.child.running, self.child.running_since
        if since is not None:
            for sent in self.sent:
                if sent.call(number) is not None:
                    return sent.limits, since
        head = self.sent[0].limits
        return head._replace(timeout=None if head.timeout is None else head.timeout + _LOAD_SECONDS), self.head_since

    def stored(self, sent: Sent, reply: Reply) -> Stored:
        """Where a frame lies, which is taken note of."""
        key = self.segment(sent)
        if reply.in_memory:
            key += IN_MEMORY
        self.reported[key] = reply.stop
        if len(self.reported) > _SEGMENTS:
            del self.reported[next(iter(self.reported))]
        return Stored(key, reply.start, reply.stop)


class LocalInvoker:
    """Runs requests in worker processes of this machine.

    Parameters
    ----------
    storage : Storage
        Where workers put outcomes and find blobs.
    workers : int
        The most processes at a time.
    folder : str
        For the workers' own folders and unpacked archives.
    starter : Starter, optional
        Starts the workers; it may have begun. Default: one for that storage and folder.
    """

    batches = True
    carries = INLINE_BYTES

    def __init__(self, storage: Storage, workers: int, folder: str, starter: Starter | None = None) -> None:
        self._storage = storage
        self._size = workers
        self._workers: list[Worker] = []
        self._events: list[Event] = []
        self._starter = starter or Starter(folder, storage.url)
        self._kills = SystemKills()
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = os.pipe()
        os.set_blocking(self._waker, False)
        os.set_blocking(self._woken, False)
        self._selector.register(self._waker, selectors.EVENT_READ, None)
        self._ready: list[tuple[selectors.SelectorKey, int]] = []
        self._ticked = 0.0
        self._invoked = 0.0

    # Sending

    def start(self, count: int) -> None:
        """Start workers until there are `count`, or as many as there may be."""
        while len(self._workers) < min(count, self._size):
            self._start()

    def _start(self) -> Worker:
        child = self._starter.start()
        worker = Worker(child)
        self._workers.append(worker)
        self._selector.register(child.sock, selectors.EVENT_READ, worker)
        return worker

    def room(self, *, deep: bool) -> int:
        """How many requests can be sent now; `deep` counts workers that have only one."""
        free = self._size - len(self._workers)
        for worker in self._workers:
            if not worker.draining and not worker.ending and len(worker.sent) <= deep:
                free += 1 + deep - len(worker.sent)
        return free

    def _choose(self) -> Worker:
        best = None
        for worker in self._workers:
            if worker.draining or worker.ending:
                continue
            if not worker.sent:
                return worker
            if best is None or len(worker.sent) < len(best.sent):
                best = worker
        if best is None or len(self._workers) < self._size:
            try:
                return self._start()
            except OSError:
                if best is None:
                    raise
        return best

    def invoke(self, request: Request, spec: bytes, limits: Limits) -> None:
        """Send a request to the worker that has least to do, starting one if there may be more."""
        worker = self._choose()
        self._invoked = time.monotonic()
        name = (request.job, request.first, request.attempt)
        if not worker.sent:
            worker.head_since = self._invoked
        worker.sent.append(Sent(name, request, worker.number, limits, request.first + request.count))
        worker.number += request.count
        parts = pack_request(request, b"" if request.spec in worker.specs else spec)
        worker.specs.add(request.spec)
        try:
            complete = worker.child.send(parts)
        except OSError:
            return  # its end is seen by the selector, and its requests are given back there
        if not complete:
            self._selector.modify(worker.child.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, worker)

    # Collecting

    def wait(self, timeout: float | None) -> None:
        """Wait for replies, the next look at limits, or `wake`."""
        self._ready = self._selector.select(self._patience(timeout))

    def _patience(self, timeout: float | None) -> float | None:
        busy = [worker for worker in self._workers if worker.sent]
        if not busy and time.monotonic() - self._invoked > _ALERT:
            return timeout
        tick = _STEAL_AFTER if self._may_steal() else _TICK
        for worker in busy:
            if worker.sent[0].limits.timeout is not None:
                since = worker.child.running_since
                if since is not None:
                    left = since + worker.sent[0].limits.timeout - time.monotonic()
                    tick = min(tick, max(left, 0.0))
        return tick if timeout is None else min(timeout, tick)

    def refuse(self, name: Name, key: str) -> None:
        """A worker's report is all there is to read."""

    def finish(self, name: Name) -> bool:  # noqa: ARG002  # the protocol's signature
        """Nothing is kept of a request that is over."""
        return True

    def wake(self) -> None:
        """Make `wait` return."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._woken, b"x")

    def collect(self) -> Sequence[Event]:
        """Read what workers sent, bury the dead, look at limits."""
        ready, self._ready = self._ready, []
        for key, mask in ready:
            worker: Worker | None = key.data
            if worker is None:
                self._drain_waker()
            elif worker in self._workers:
                if mask & selectors.EVENT_WRITE:
                    self._send_rest(worker)
                if mask & selectors.EVENT_READ:
                    self._read(worker)
        now = time.monotonic()
        self._check_limits(now)
        self._steal(now)
        events, self._events = self._events, []
        return events

    def _drain_waker(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._waker, 4096)

    def _send_rest(self, worker: Worker) -> None:
        try:
            if worker.child.send_rest():
                self._selector.modify(worker.child.sock, selectors.EVENT_READ, worker)
        except OSError:
            self._selector.modify(worker.child.sock, selectors.EVENT_READ, worker)

    def _read(self, worker: Worker) -> None:
        try:
            data = worker.child.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if worker.reason is Reason.GARBLED and data:
            return
        if data:
            try:
                self._feed(worker, data)
            except WireError:
                self._end(worker, Reason.GARBLED)
        else:
            self._bury(worker)

    def _feed(self, worker: Worker, data: bytes) -> None:
        for reply in worker.inbox.feed(data):
            if not worker.sent:
                raise WireError("a worker that was asked for nothing has replied")
            sent = worker.sent[0]
            if reply.frame:
                self._events.append(FrameArrived(sent.name, reply.frame, worker.stored(sent, reply)))
            if reply.over:
                worker.sent.popleft()
                worker.head_since = time.monotonic()
                self._events.append(RequestOver(sent.name, reply.next_call))
                if not worker.sent and worker.draining:
                    worker.draining = False
                    worker.child.unlimit()

    # Ends

    def _bury(self, worker: Worker) -> None:
        self._selector.unregister(worker.child.sock)
        self._workers.remove(worker)
        number = worker.child.running if worker.child.running_since is not None else None
        leaving = worker.child.leaving
        death = worker.child.bury()
        if worker.reason is None and death.signal == signal.SIGKILL and self._kills.one_more():
            worker.reason = Reason.SYSTEM_MEMORY
        for position, sent in enumerate(worker.sent):
            suspect = None if number is None else sent.call(number)
            if position > 0 or leaving or worker.reason is Reason.CANCELLED:
                self._events.append(WorkerGone(sent.name, None, WorkerCrashed(), blame=False))
                continue
            self._recover(worker, sent)
            cause, final = ending(worker.reason, death, sent.limits, running=suspect is not None)
            if not (final and suspect is not None and self._report(sent, suspect, cause, death.output)):
                self._events.append(WorkerGone(sent.name, suspect, cause))

    def _report(self, sent: Sent, call: int, cause: Exception, output: str) -> bool:
        """Settle a call in its worker's stead; False if that cannot be stored."""
        frame = sealed_failure(sent.request, call, cause, output)
        try:
            commit = self._storage.commit(sent.name[0], call, [frame], attempt=None, writer="supervisor")
        except StorageError:
            return False
        self._events.append(FrameArrived(sent.name, frame, Stored(commit.key, commit.start, commit.stop)))
        self._events.append(WorkerGone(sent.name, None, cause, blame=False))
        return True

    def _recover(self, worker: Worker, sent: Sent) -> None:
        """Report what the worker stored and could not report any more."""
        segment = worker.segment(sent)
        # What cannot be read any more is run again.
        with contextlib.suppress(StorageError):
            for key, start, frame in self._storage.frames(sent.name[0]):
                if key in (segment, segment + IN_MEMORY) and start >= worker.reported.get(key, 0):
                    self._events.append(FrameArrived(sent.name, frame, Stored(key, start, start + len(frame))))

    def _check_limits(self, now: float) -> None:
        look = now - self._ticked >= _TICK
        if look:
            self._ticked = now
        for worker in self._workers:
            if not worker.sent or worker.ending:
                continue
            limits, since = worker.under_way()
            if limits.timeout is not None and now - since >= limits.timeout:
                self._end(worker, Reason.out_of_time(worker.child.stacks(DUMP_SIGNAL)))
            elif look:
                worker.child.stop_flood()
                if limits.memory_mb is not None and (used := worker.child.memory_kb()) > limits.memory_mb * 1024:
                    self._end(worker, Reason.out_of_memory(used))

    def _end(self, worker: Worker, reason: Reason) -> None:
        worker.reason = reason
        worker.ending = True
        worker.child.kill()

    def cancel(self, name: Name, call: int | None) -> None:
        """End the worker that runs this call (or any call of the request); its other calls are given back."""
        for worker in self._workers:
            if worker.sent and worker.sent[0].name == name and not worker.ending:
                running = worker.child.running_since is not None
                if call is None or (running and worker.sent[0].call(worker.child.running) == call):
                    self._end(worker, Reason.CANCELLED)

    # Work taken back

    def _may_steal(self) -> bool:
        busy = [worker for worker in self._workers if worker.sent]
        if not busy:
            return False
        idle = len(self._workers) < self._size or any(not w.sent and not w.ending for w in self._workers)
        return idle and any(self._unstarted(w) for w in busy if not w.draining and not w.ending)

    @staticmethod
    def _unstarted(worker: Worker) -> int:
        return worker.number - worker.child.running if worker.sent else 0

    def _steal(self, now: float) -> None:
        if not self._may_steal():
            return
        for worker in self._workers:
            since = worker.child.running_since
            if worker.draining or worker.ending or since is None or now - since < _STEAL_AFTER:
                continue
            if self._unstarted(worker) < 1:
                continue
            worker.draining = True
            first = worker.child.limit(worker.child.running + 1)
            for sent in worker.sent:
                next_call = max(sent.request.first, sent.request.first + first - sent.base - 1)
                if next_call < sent.stop:
                    sent.stop = next_call
                    self._events.append(RequestOver(sent.name, next_call, final=False))

    def close(self) -> None:
        """Let idle workers run their finalizers and end; kill the others."""
        for worker in self._workers:
            self._selector.unregister(worker.child.sock)
            if worker.sent:
                worker.child.kill()
            with contextlib.suppress(OSError):  # it has ended
                worker.child.sock.shutdown(socket.SHUT_RDWR)
        for worker in self._workers:
            worker.child.bury()
        self._workers.clear()
        self._selector.close()
        os.close(self._waker)
        os.close(self._woken)
        self._starter.close()
