"""An invocation as the client sees it: sent at some time, with a lease, and parts of it still to come."""

from __future__ import annotations

from dataclasses import dataclass, field

from wrenml.errors import WorkerLost, WorkerOutOfMemory
from wrenml.invoke.base import Name, WorkerGone
from wrenml.wire import Request
from wrenml.worker.endings import Limits

__all__ = ["Flight"]


@dataclass(slots=True, eq=False)
class Flight:
    """One request on its way.

    Parameters
    ----------
    request : Request
        Without its times, which it gets when it is really sent.
    limits : Limits
        Of its calls.
    function : str
        Which is invoked.
    seconds : float
        How long the invocation may take once it has started.
    missing : set of int
        First calls of the parts whose outcomes have not come.
    lease : float, optional
        Monotonic seconds; when it is lost unless its outcomes are there.
    doomed : Exception, optional
        Why no further outcomes are expected.
    refused : set of int
        Parts of which an outcome was refused once.
    """

    request: Request
    limits: Limits
    function: str
    seconds: float
    missing: set[int] = field(default_factory=set)
    lease: float | None = None
    doomed: Exception | None = None
    judged: float = 0.0
    refused: set[int] = field(default_factory=set)
    over: bool = False

    @property
    def name(self) -> Name:
        """As the monitor calls it."""
        return self.request.job, self.request.first, self.request.attempt

    @property
    def stop(self) -> int:
        """The call after the last."""
        return self.request.first + self.request.count

    @property
    def parts(self) -> range:
        """The first calls of its parts."""
        return range(self.request.first, self.stop, max(1, self.request.part))

    def part_of(self, call: int) -> int:
        """The first call of the part that a call belongs to."""
        return call - (call - self.request.first) % self.parts.step

    def loss(self) -> WorkerGone:
        """What is told of it when no outcome is expected any more."""
        cause = self.doomed
        if cause is None:
            lost = WorkerLost("the worker gave no sign of these calls until their lease was over.")
            return WorkerGone(self.name, None, lost)
        # Another call may well do with the memory that one had too little of; other faults are not the call's.
        alone = self.request.count == 1 and isinstance(cause, WorkerOutOfMemory)
        suspect = self.request.first if alone else None
        # The failure record holds the whole request, its key included.
        return WorkerGone(self.name, suspect, cause, blame=type(cause) is not WorkerLost, exposed=True)
