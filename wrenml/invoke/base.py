"""What a backend is, and what it tells the monitor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from wrenml.storage.base import Buffer
from wrenml.wire import Request
from wrenml.worker.endings import Limits
from wrenml.worker.pipe import Stored

__all__ = ["Event", "FrameArrived", "Invoker", "Limits", "Name", "RequestOver", "Throttled", "WorkerGone"]

Name = tuple[str, int, int]  # of an invocation: job, first call, attempt


class FrameArrived(NamedTuple):
    """Outcomes: a frame, with or without its bodies, and where the whole of it lies."""

    name: Name
    frame: Buffer
    stored: Stored


class RequestOver(NamedTuple):
    """The worker is through with the request, or will run none of its calls from `next_call` on."""

    name: Name
    next_call: int
    final: bool = True


class WorkerGone(NamedTuple):
    """The worker of a request ended before the request was over.

    `suspect` is the call that was running, if known; `blame` whether anybody is to blame at all; `retry` whether
    another worker could do better; `exposed` whether others than the worker may know the request's key.
    """

    name: Name
    suspect: int | None
    cause: Exception
    blame: bool = True
    retry: bool = True
    exposed: bool = False


class Throttled(NamedTuple):
    """The request has to wait, and others too: `window` is how many may be on their way."""

    name: Name
    window: int


Event = FrameArrived | RequestOver | Throttled | WorkerGone


class Invoker(Protocol):
    """Starts work; its outcomes are found in storage, or announced by `collect`.

    Attributes
    ----------
    batches : bool
        Whether several short calls may be handed over at once where nobody asked for that.
    carries : int
        Up to how many bytes of arguments travel in a request.
    """

    batches: bool
    carries: int

    def room(self, *, deep: bool) -> int:
        """How many requests can be sent now; `deep` counts workers that are about to be free."""

    def invoke(self, request: Request, spec: bytes, limits: Limits) -> None:
        """Send a request to a worker."""

    def wait(self, timeout: float | None) -> None:
        """Wait until there may be something to collect, or `wake` is called."""

    def collect(self) -> Sequence[Event]:
        """Take what happened since the last time."""

    def cancel(self, name: Name, call: int | None) -> None:
        """End a running call, or with None all of a request."""

    def refuse(self, name: Name, key: str) -> None:
        """Take note that what lies under a key is no outcome of this request."""

    def finish(self, name: Name) -> bool:
        """Let go of a request that was said to be over; False if outcomes of it are expected again meanwhile."""

    def wake(self) -> None:
        """Make `wait` return."""

    def close(self) -> None:
        """End all workers."""
