"""Lambda as an invoker: sends requests, finds their outcomes in the bucket, and notices which will not come.

::

    invoke ──▶ crew: Sender ──Event──▶ Lambda ──▶ worker ──▶ jobs/<job>/out/<call>
                  │                       └──▶ failure record          │
                  ▼                                   │                ▼
               JobWatch ◀── the watch thread ◀────────┴──── list ── read (crew) ──▶ collect: frames, losses

What is in storage decides: a lease that is over or a failure record only counts when a list that began later shows no
outcome.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from functools import partial

from wrenml.crew import Crew
from wrenml.errors import (
    AuthenticationError,
    ConfigError,
    CredentialsExpiredError,
    KeyNotFoundError,
    StorageError,
    StorageUnavailableError,
    WorkerLost,
    WrenmlError,
)
from wrenml.invoke.aws.flight import Flight
from wrenml.invoke.aws.pace import Pace
from wrenml.invoke.aws.records import Records
from wrenml.invoke.aws.sending import LambdaClient, Sender, Window
from wrenml.invoke.aws.target import Target
from wrenml.invoke.aws.watching import JobWatch, list_outcomes
from wrenml.invoke.base import Event, FrameArrived, Limits, Name, RequestOver, Throttled, WorkerGone
from wrenml.outcome import frame_extent, read_frame
from wrenml.storage.base import Objects
from wrenml.wire import Request
from wrenml.worker.pipe import Stored

__all__ = ["AwsInvoker"]

_log = logging.getLogger("wrenml")

_SENDERS = 64
_READERS = 32
_RECORDS_FIRST = 1.0  # seconds of silence before failure records are looked for
_RECORDS_LAST = 15.0
_RECORDS_GROWTH = 1.5
_UNREACHED_LAST = 10.0
_OFF = 10.0  # seconds that a clock may be wrong by without anybody minding
# An asynchronous event may have 1 MB; what is not arguments is well below this, the carried job spec included.
_ENVELOPE_BYTES = 48 << 10
_PAYLOAD_BYTES = 1_000_000


class AwsInvoker:
    """Starts work on Lambda.

    Parameters
    ----------
    target : Target
        What is invoked.
    client : LambdaClient
        Of Lambda.
    storage : Objects
        Where outcomes appear.
    failures : Objects
        Where Lambda's failure records appear.
    concurrency : int
        How many invocations may run at a time.
    """

    batches = False
    carries = (_PAYLOAD_BYTES - _ENVELOPE_BYTES) * 3 // 4

    def __init__(
        self, target: Target, client: LambdaClient, storage: Objects, failures: Objects, concurrency: int
    ) -> None:
        self._target = target
        self._storage = storage
        self._sizes = sorted(target.functions)
        self.window = Window(concurrency)
        self._stopped = threading.Event()
        self._sender = Sender(client, target, self.window, self._stopped, self._throttled)
        memory = {name: size for size, name in target.functions.items()}
        self._records = Records(failures, memory, target.time() - _OFF, target.time)
        self._records_due = 0.0
        self._records_pause = _RECORDS_FIRST
        self._senders = Crew(_SENDERS, "wrenml-send")
        self._readers = Crew(_READERS, "wrenml-read")
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._watching = threading.Condition(lock)
        self._flights: dict[Name, Flight] = {}
        self._watches: dict[str, JobWatch] = {}
        self._events: deque[Event] = deque()
        self._woken = False
        self._unreached = 0.0
        self._thread: threading.Thread | None = None

    # For the monitor

    def room(self, *, deep: bool) -> int:  # noqa: ARG002  # the protocol's signature
        """How many more invocations the window takes."""
        return max(0, self.window.width - len(self._flights))

    def invoke(self, request: Request, spec: bytes, limits: Limits) -> None:  # noqa: ARG002  # the spec travels in the request, or lies in storage
        """Queue a request to be sent.

        Raises
        ------
        RuntimeError
            If threads cannot be started.
        """
        seconds = self._target.timeout
        if limits.timeout is not None:
            seconds = min(seconds, request.count * limits.timeout)
        flight = Flight(request._replace(owner=self._target.owner), limits, "", seconds)
        try:
            flight.function = self._function(limits.memory_mb)
        except ConfigError as error:
            with self._changed:
                self._tell(WorkerGone(flight.name, None, error, retry=False))
            return
        with self._changed:
            self._flights[flight.name] = flight
        try:
            self._senders.run(partial(self._send, flight))
        except RuntimeError:
            self.finish(flight.name)
            raise

    def _function(self, memory_mb: int | None) -> str:
        wanted = self._sizes[0] if memory_mb is None else memory_mb
        size = next((size for size in self._sizes if size >= wanted), None)
        if size is None:
            raise ConfigError(
                f"memory_mb={memory_mb}: the stack has no function with so much; its sizes are "
                f"{', '.join(map(str, self._sizes))} MB. Add one: wrenml deploy --memory …"
            )
        return self._target.functions[size]

    def wait(self, timeout: float | None) -> None:
        """Wait until there is something to collect, or `wake` is called."""
        with self._changed:
            self._changed.wait_for(lambda: self._woken or self._events, timeout)
            self._woken = False

    def collect(self) -> Sequence[Event]:
        """Take what happened since the last time."""
        with self._changed:
            events = list(self._events)
            self._events.clear()
        return events

    def cancel(self, name: Name, call: int | None) -> None:
        """Expect nothing more of a request; workers find out from the job's state."""
        if call is not None:
            return
        with self._changed:
            flight = self._flights.get(name)
            if flight is not None:
                self._forget(flight)
                self._tell(RequestOver(name, flight.stop))

    def refuse(self, name: Name, key: str) -> None:
        """Take note that an outcome is not authentic: it is read once more, then removed and its call lost."""
        call = int(key.rpartition("/")[2].partition(".")[0])
        with self._changed:
            flight = self._flights.get(name)
            if flight is None:
                return
            part = flight.part_of(call)
            first = part not in flight.refused
            flight.refused.add(part)
            self._watch_of(flight).expect(flight, part)
            self._watching.notify()
        self._readers.run(partial(self._read if first else self._remove, flight, part, key))

    def finish(self, name: Name) -> bool:
        """Let go of a request; False if parts of it are missing, since one was refused."""
        with self._changed:
            flight = self._flights.get(name)
            if flight is not None and flight.missing:
                return False
            if flight is not None:
                self._forget(flight)
            return True

    def wake(self) -> None:
        """Make `wait` return."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """Send and read nothing more. What was sent goes on, and its outcomes stay in the bucket."""
        self._stopped.set()
        with self._changed:
            self._flights.clear()
            self._watches.clear()
            self._watching.notify()
            self._changed.notify_all()
        self._senders.close(drop=True)
        self._readers.close(drop=True)
        if self._thread is not None:
            self._thread.join()

    # Sending

    def _send(self, flight: Flight) -> None:
        with self._changed:
            if flight.over:
                return
        try:
            self._expect(flight)
            error = self._sender.send(flight, lambda: len(self._flights))
        except Exception as failed:  # noqa: BLE001  # what nobody speaks for would be waited for until its lease ends
            _log.exception("wrenml: an invocation of job %s could not be sent", flight.request.job)
            error = WorkerLost(f"the invocation could not be sent: {failed!r}")
        if error is not None:
            retry = isinstance(error, WorkerLost)
            with self._changed:
                if not flight.over:
                    self._forget(flight)
                    self._tell(WorkerGone(flight.name, None, error, retry=retry))

    def _throttled(self, flight: Flight) -> None:
        with self._changed:
            self._tell(Throttled(flight.name, self.window.width))

    def _expect(self, flight: Flight) -> None:
        now = time.monotonic()
        with self._changed:
            if flight.over:
                return
            if not self._watches:
                self._records_pause = _RECORDS_FIRST
                self._records_due = now + _RECORDS_FIRST
            watch = self._watch_of(flight)
            alone = not watch.missing
            watch.add(flight)
            watch.pace.sent(flight.request.count, now, alone=alone)
            if self._thread is None:
                thread = threading.Thread(target=self._watch, name="wrenml-watch", daemon=True)
                thread.start()
                self._thread = thread
            self._watching.notify()

    # Watching

    def _watch(self) -> None:
        while (watches := self._wait_for_due()) is not None:
            try:
                for job, watch in watches.items():
                    self._look(job, watch)
                if self._records_due <= time.monotonic():
                    self._look_for_records()
            except (StorageUnavailableError, CredentialsExpiredError) as error:
                self._unreachable(error)
            except WrenmlError as error:
                self._give_up(error)
            except Exception as error:  # noqa: BLE001  # nobody else looks for outcomes
                _log.exception("wrenml: looking for outcomes failed")
                self._give_up(error)
            else:
                self._unreached = 0.0

    def _wait_for_due(self) -> dict[str, JobWatch] | None:
        """Wait until it is time to look for something; return where, or None once nothing is to be read."""
        with self._changed:
            # Asked with the lock held: `close` wakes who waits, not who is about to.
            while not self._stopped.is_set():
                due, now = self._due(), time.monotonic()
                if due is not None and due <= now:
                    return {job: watch for job, watch in self._watches.items() if watch.pace.due <= now}
                self._watching.wait(None if due is None else due - now)
        return None

    def _due(self) -> float | None:
        """When to look next; None while nothing is waited for."""
        if not self._watches:
            return None
        return min(self._records_due, *[watch.pace.due for watch in self._watches.values()])

    def _look(self, job: str, watch: JobWatch) -> None:
        began = time.monotonic()
        with self._changed:
            wanted = watch.wanted()
        names, pages = list_outcomes(self._storage, job, wanted)
        with self._changed:
            found = watch.match(names)
            for flight in list(watch.lost(began)):
                self._forget(flight)
                self._tell(flight.loss())
            watch.pace.looked(pages, len(found), len(watch.flights), time.monotonic())
            if watch.over and self._watches.get(job) is watch:
                del self._watches[job]
        for flight, part, key in found:
            self._readers.run(partial(self._read, flight, part, key))

    def _read(self, flight: Flight, part: int, key: str) -> None:
        watch = self._watches.get(flight.request.job)
        if watch is None:
            return
        try:
            frame = read_frame(self._storage, key)
        except (KeyNotFoundError, StorageUnavailableError, CredentialsExpiredError):
            with self._changed:
                watch.again(part)
            return
        except WrenmlError as error:
            self._give_up(error)
            return
        except Exception as error:  # noqa: BLE001  # as above
            _log.exception("wrenml: the outcome at %s could not be read", key)
            self._give_up(error)
            return
        with self._changed:
            if flight.over:
                return
            extent = frame_extent(frame)
            self._tell(FrameArrived(flight.name, frame, Stored(key, 0, extent.total)))
            watch.pace.ran(extent.seconds)
            if watch.arrived(flight, part):
                self._tell(RequestOver(flight.name, flight.stop))

    # Losses

    def _look_for_records(self) -> None:
        with self._changed:
            functions = {flight.function for flight in self._flights.values() if flight.lease is not None}
            self._records_due = time.monotonic() + self._records_pause
            self._records_pause = min(self._records_pause * _RECORDS_GROWTH, _RECORDS_LAST)
        for record in self._records.look(sorted(functions)):
            with self._changed:
                flight = self._flights.get(record.name)
                if flight is None:  # it is over: what is new is that its key is known
                    self._tell(WorkerGone(record.name, None, record.cause, exposed=True))
                    continue
                flight.doomed = record.cause
                flight.judged = time.monotonic()
                watch = self._watches.get(flight.request.job)
                if watch is not None:
                    watch.pace.due = min(watch.pace.due, flight.judged)
                    self._watching.notify()

    def _remove(self, flight: Flight, _part: int, key: str) -> None:
        try:
            self._storage.delete([key])
        except WrenmlError as error:
            _log.warning("wrenml: %s is no authentic outcome, and cannot be removed: %s", key, error)
        with self._changed:
            if not flight.over:
                self._forget(flight)
                refused = AuthenticationError(f"what lay at {key} was not written by a worker of this job.")
                self._tell(WorkerGone(flight.name, None, refused))

    def _unreachable(self, error: StorageError) -> None:
        if not self._unreached:
            _log.warning("wrenml: waiting, for nothing can be read: %s", error)
        self._unreached = min(max(1.0, self._unreached * 2), _UNREACHED_LAST)
        self._stopped.wait(self._unreached)

    def _give_up(self, error: Exception) -> None:
        """End every flight for a reason that waiting does not mend."""
        with self._changed:
            for flight in list(self._flights.values()):
                self._forget(flight)
                self._tell(WorkerGone(flight.name, None, error, retry=False))
            self._watches.clear()

    # Both; with the lock held

    def _watch_of(self, flight: Flight) -> JobWatch:
        job = flight.request.job
        watch = self._watches.get(job)
        if watch is None:
            watch = self._watches[job] = JobWatch(Pace(self._sizes[0] / 1024, time.monotonic(), self._target.prices))
        return watch

    def _forget(self, flight: Flight) -> None:
        flight.over = True
        self._flights.pop(flight.name, None)
        watch = self._watches.get(flight.request.job)
        if watch is not None:
            watch.drop(flight)

    def _tell(self, event: Event) -> None:
        self._events.append(event)
        self._changed.notify_all()
