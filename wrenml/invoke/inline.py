"""Calls run in this very process, one after another: for debugging, and inside calls."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from wrenml.invoke.base import Event, FrameArrived, Limits, Name, RequestOver
from wrenml.outcome import HEAD_SIZE, RECORD
from wrenml.storage.base import Buffer, Storage
from wrenml.wire import Request
from wrenml.worker.job import Environment
from wrenml.worker.marks import NEVER
from wrenml.worker.pipe import INLINE_BYTES, Stored
from wrenml.worker.run import Runner

__all__ = ["InlineInvoker"]


class InlineInvoker:
    """Runs a request when its outcomes are collected, in the thread that asks.

    Parameters
    ----------
    storage : Storage
        Where outcomes are put.
    """

    batches = True
    carries = INLINE_BYTES

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._requests: deque[tuple[Request, bytes]] = deque()
        self._events: list[Event] = []
        self._name: Name = ("", 0, 0)
        self._levels: list[tuple[Environment, Runner]] = []
        self._level = 0

    def room(self, *, deep: bool) -> int:  # noqa: ARG002  # the protocol's signature
        """One request at a time, so that each call's outcome is there before the next starts."""
        return 0 if self._requests else 1

    def invoke(self, request: Request, spec: bytes, limits: Limits) -> None:  # noqa: ARG002  # the protocol's signature
        """Take a request; it is run by `collect`."""
        self._requests.append((request, spec))

    def wait(self, timeout: float | None) -> None:
        """Return at once: nothing goes on elsewhere."""

    def collect(self) -> Sequence[Event]:
        """Run what was sent, and return how it ended."""
        if self._requests:
            request, spec = self._requests.popleft()
            environment, runner = self._enter()
            before, self._name = self._name, (request.job, request.first, request.attempt)
            try:
                runner.run(request, spec)
            finally:
                environment.restore_variables()
                self._name = before
                self._level -= 1
        events, self._events = self._events, []
        return events

    def _enter(self) -> tuple[Environment, Runner]:
        """What runs a request: a call that maps over this very executor needs another than the one it runs in."""
        if self._level == len(self._levels):
            environment = Environment(self._storage, "")
            runner = Runner(environment, self._emit, [0, 0, NEVER], lambda: None, interactive=True)
            self._levels.append((environment, runner))
        self._level += 1
        return self._levels[self._level - 1]

    def _emit(self, head: bytes, bodies: Sequence[Buffer], next_call: int, *, over: bool) -> None:
        if head:
            job, _, _ = self._name
            # A request's frames are outcomes of different calls: each lies under its own first one.
            frame = b"".join([head, *bodies])
            first = RECORD.unpack_from(head, HEAD_SIZE)[0]
            commit = self._storage.commit(job, first, [frame], attempt=None, writer="inline")
            self._events.append(FrameArrived(self._name, frame, Stored(commit.key, commit.start, commit.stop)))
        if over:
            self._events.append(RequestOver(self._name, next_call))

    def cancel(self, name: Name, call: int | None) -> None:
        """Nothing runs while anybody could cancel it."""

    def refuse(self, name: Name, key: str) -> None:
        """A worker's report is all there is to read."""

    def finish(self, name: Name) -> bool:  # noqa: ARG002  # the protocol's signature
        """Nothing is kept of a request that is over."""
        return True

    def wake(self) -> None:
        """Nobody waits."""

    def close(self) -> None:
        """Run the finalizers."""
        for environment, _ in self._levels:
            environment.finish()
