"""Keeps one child: starts it, feeds it a request, watches it, replaces it."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wrenml.errors import WireError, WrenmlError
from wrenml.storage.base import Objects
from wrenml.wire import Request
from wrenml.worker.blobs import Blobs
from wrenml.worker.endings import Limits, Reason, ending
from wrenml.worker.marks import DUMP_SIGNAL
from wrenml.worker.parts import Parts
from wrenml.worker.pipe import pack_request
from wrenml.worker.relay import ChildGone, Line, Message
from wrenml.worker.supervisor import Child, Death, Lifeline

__all__ = ["Bounds", "Keeper", "Stop"]

_TICK = 0.25  # seconds between looks at what the child writes
_PATIENCE = 5.0  # seconds a child may take nothing of what it has asked for
_NEARLY = 0.9  # of the memory there is: who is killed while using this much was killed for it
_PEAK_KB = 1024 if sys.platform == "darwin" else 1


class Bounds(NamedTuple):
    """What ends a request.

    Parameters
    ----------
    limits : Limits
        Of each call.
    ends : float
        The monotonic time at which the child is killed, whatever it does.
    cancelled : callable
        Tells whether nobody wants its outcomes any more.
    """

    limits: Limits
    ends: float
    cancelled: Callable[[], bool] = lambda: False


class Stop(NamedTuple):
    """How far a request came; with a cause, its child died.

    Parameters
    ----------
    next_call : int
        The first call without an outcome.
    cause : Exception, optional
        Why the child died.
    final : bool
        Whether that is for good the outcome of the call that ran.
    suspect : int, optional
        The call that ran, if one did.
    reason : Reason, optional
        Why the child was killed.
    output : str
        The last it wrote.
    fresh : bool
        Whether it had run nothing before.
    """

    next_call: int
    cause: Exception | None = None
    final: bool = False
    suspect: int | None = None
    reason: Reason | None = None
    output: str = ""
    fresh: bool = True


@dataclass(slots=True)
class _Run:
    """A request under way: `base` is the number of the call before its first in the child's life."""

    request: Request
    base: int
    key: bytes
    bounds: Bounds
    parts: Parts
    storage: Objects
    next_call: int
    reason: Reason | None = None

    def call(self, number: int) -> int:
        return self.request.first + number - self.base - 1


class Keeper:
    """One child process at a time.

    Parameters
    ----------
    folder : str
        For the child's own folder and unpacked archives.
    memory_mb : int, optional
        The memory of this environment. Default: not known.
    path : sequence of str
        Folders the child imports from. Default: none but the interpreter's own.
    threads : int
        For each native library that runs threads of its own. Default: 1.
    """

    def __init__(
        self, folder: str, *, memory_mb: int | None = None, path: Sequence[str] = (), threads: int = 1
    ) -> None:
        self._folder = folder
        self._memory_mb = memory_mb
        self._path = path
        self._threads = threads
        self._lifeline = Lifeline()
        self._blobs = Blobs(folder, (memory_mb or 0) << 18)
        self._child: Child | None = None

    def start(self) -> tuple[Child, Line]:
        """Start the child, if none is there."""
        if self._child is None:
            self._child = Child(
                "", f"{self._folder}/workers", self._folder, self._lifeline,
                path=self._path, threads=self._threads,
            )  # fmt: skip
            self._line = Line(self._child.sock)
            self._number = 0
            self._specs: set[str] = set()
        return self._child, self._line

    def run(self, request: Request, spec: bytes, bounds: Bounds, parts: Parts, storage: Objects) -> Stop:
        """Run a request until it is over or the child is gone.

        Parameters
        ----------
        request : Request
            What to run.
        spec : bytes
            Its job spec.
        bounds : Bounds
            What ends it early.
        parts : Parts
            Is given the outcomes.
        storage : Objects
            What the child's questions are answered from.
        """
        child, line = self.start()
        fresh = not self._number
        # The child seals with a key of its own: the invocation's stays with its supervisor.
        run = _Run(request, self._number, os.urandom(32), bounds, parts, storage, request.first)
        self._number += request.count
        parcel = pack_request(request._replace(key=run.key), b"" if request.spec in self._specs else spec)
        self._specs.add(request.spec)
        try:
            line.send(parcel, _PATIENCE)
            while not self._step(child, line, run):
                pass
        except (ChildGone, WireError) as gone:
            if isinstance(gone, WireError):
                child.kill()
            return self._gone(child, run, fresh=fresh)
        except BaseException:
            # What it still sends belongs to a request that nobody waits for.
            child.kill()
            self._bury(child)
            raise
        return Stop(run.next_call)

    def _step(self, child: Child, line: Line, run: _Run) -> bool:
        message = line.receive(self._watch(child, run))
        if message is None:
            return False
        if message.question is not None:
            self._answer(line, run.storage, message)
            return False
        if message.head:
            run.parts.add_frame(run.key, message.head, message.bodies)
        run.next_call = message.next_call
        return message.over

    def _watch(self, child: Child, run: _Run) -> float:
        """End a child that has reached a limit; return how long it may be left alone, seconds."""
        if run.reason is not None:
            return _TICK
        now = time.monotonic()
        child.stop_flood()
        bounds = run.bounds
        if now >= bounds.ends:
            self._end(child, run, Reason.deadline(child.stacks(DUMP_SIGNAL)))
            return _TICK
        if bounds.cancelled():
            self._end(child, run, Reason.CANCELLED)
            return _TICK
        wait = min(_TICK, bounds.ends - now)
        since, limit = child.running_since, bounds.limits.timeout
        if limit is None or since is None or child.running <= run.base:
            return wait
        if now - since >= limit:
            self._end(child, run, Reason.out_of_time(child.stacks(DUMP_SIGNAL)))
            return _TICK
        return min(wait, since + limit - now)

    @staticmethod
    def _end(child: Child, run: _Run, reason: Reason) -> None:
        run.reason = reason
        child.kill()

    def _answer(self, line: Line, storage: Objects, message: Message) -> None:
        key, start, stop = message.question or ("", 0, None)
        try:
            file, size = self._blobs.open(storage, key, start, stop)
        except WrenmlError as error:
            line.refuse(error, _PATIENCE)
            return
        try:
            line.answer(file, size)
        finally:
            os.close(file)

    def _gone(self, child: Child, run: _Run, *, fresh: bool) -> Stop:
        number = child.running if child.running_since is not None else 0
        suspect = run.call(number) if number > run.base else None
        death = self._bury(child)
        if run.reason is None:
            run.reason = self._out_of_memory(death)
        limits = run.bounds.limits._replace(memory_mb=self._memory_mb)
        # What exits while it loads a job does so each time; what is killed then may fare better in another process.
        cause, final = ending(run.reason, death, limits, running=suspect is not None or death.signal is None)
        return Stop(run.next_call, cause, final, suspect, run.reason, death.output, fresh)

    def _bury(self, child: Child) -> Death:
        self._child = None
        return child.bury()

    def _out_of_memory(self, death: Death) -> Reason | None:
        if death.signal != signal.SIGKILL or self._memory_mb is None:
            return None
        peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // _PEAK_KB
        return Reason.out_of_memory(peak_kb) if peak_kb >= _NEARLY * 1024 * self._memory_mb else None

    def kill(self) -> None:
        """End the child at once, from any thread: to its request it is gone."""
        child = self._child
        if child is not None:
            child.kill()

    def close(self) -> None:
        """End the child: it runs its finalizers if it is idle."""
        if self._child is not None:
            self._bury(self._child)
        self._blobs.close()
        self._lifeline.close()
