"""Futures of calls: the standard library's, settled in bulk and decoded when read.

The futures of a job share one condition, so that ten thousand of them cost neither ten thousand locks nor a wake-up
each. A settled future holds its outcome as bytes until somebody asks; then it is checked, unpickled and kept.
"""

from __future__ import annotations

import concurrent.futures
import mmap
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures._base import CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED, PENDING
from itertools import accumulate
from types import TracebackType
from typing import NamedTuple, Protocol, TypeVar, cast

from wrenml.errors import CallCancelled

__all__ = ["Block", "Bodies", "Future", "Owner", "Raw"]

R = TypeVar("R")

Bodies = bytes | bytearray | memoryview | mmap.mmap

_CANCELLED = (CANCELLED_AND_NOTIFIED, CANCELLED)
_OVER = (FINISHED, *_CANCELLED)


class Raw(NamedTuple):
    """An outcome as it arrived: the bodies of its frame, where in them it lies, and what else its owner keeps."""

    bodies: Bodies | None
    start: int
    stop: int
    origin: object
    failure: dict[str, object] | None = None


class Block:
    """The results of neighbouring calls as they arrived: shared by their futures, split up when they are read.

    Parameters
    ----------
    first : int
        The first call.
    sizes : list of int
        Length of each call's result, bytes.
    bodies : buffer
        The results, one after another.
    origin : object
        What the owner keeps of the frame.
    """

    __slots__ = ("_ends", "_unread", "bodies", "first", "origin", "sizes")

    def __init__(self, first: int, sizes: list[int], bodies: Bodies | None, origin: object) -> None:
        self.first = first
        self.sizes = sizes
        self.bodies = bodies
        self.origin = origin
        self._ends: list[int] | None = None
        self._unread = len(sizes)

    def range(self, call: int) -> tuple[int, int]:
        """Where one of the results lies among the bodies."""
        ends = self._ends
        if ends is None:
            ends = self._ends = list(accumulate(self.sizes, initial=0))
        place = call - self.first
        return ends[place], ends[place + 1]

    def raw(self, call: int) -> Raw:
        """The outcome of one of the calls."""
        start, stop = self.range(call)
        return Raw(self.bodies, start, stop, self.origin)

    def count_read(self) -> None:
        """Take note that one of the results was read; when all are, their bytes are let go."""
        self._unread -= 1
        if not self._unread:
            self.bodies = None


class Owner(Protocol):
    """The job a future belongs to, as the future sees it."""

    id: str
    condition: threading.Condition

    def decode(self, call: int, raw: Raw | Block) -> tuple[object, BaseException | None]:
        """Check and unpickle an outcome: its result, or its exception."""

    def cancel(self, calls: Iterable[int]) -> int:
        """Cancel calls that are not settled; return how many were."""

    def reference(self, call: int) -> tuple[Callable[..., object], tuple[object, ...]]:
        """How to make the future again in another process."""


class Future(concurrent.futures.Future[R]):
    """The future of one call.

    A `concurrent.futures.Future`, so that the standard library's ``wait`` and ``as_completed``, ``asyncio.wrap_future``
    and progress bars accept it. It is pending until its call has an outcome. It can be pickled, and read in another
    process that can reach the storage.
    """

    def __init__(self, owner: Owner | None = None, call: int = 0) -> None:
        if owner is None:
            super().__init__()
        else:
            self._condition = owner.condition
            self._state = PENDING
            self._result = None
            self._exception = None
            self._waiters = []
            self._done_callbacks: list[Callable[[concurrent.futures.Future[R]], object]] = []
        self._owner = owner
        self._call = call
        self._raw: Raw | Block | None = None
        self._decoded = False
        self._traceback: TracebackType | None = None

    @property
    def owner(self) -> Owner | None:
        """The job that the call belongs to."""
        return self._owner

    @property
    def raw(self) -> Raw | None:
        """The outcome as it arrived, without its bodies once they were read; None while there is none."""
        raw = self._raw
        return raw.raw(self._call) if isinstance(raw, Block) else raw

    @property
    def job_id(self) -> str:
        """Id of the job that the call belongs to."""
        return "" if self._owner is None else self._owner.id

    @property
    def index(self) -> int:
        """Number of the call in its job."""
        return self._call

    def result(self, timeout: float | None = None, check_only: bool = False, throw_except: bool = True) -> R:  # noqa: FBT001, FBT002  # PyWren's signature
        """Wait for the call's result and return it.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait; forever by default. Giving up changes nothing for the call.
        check_only : bool, default False
            Do not wait: return None if there is no outcome yet (PyWren).
        throw_except : bool, default True
            False returns None instead of raising the call's exception (PyWren).

        Raises
        ------
        TimeoutError
            If there is no outcome after `timeout` seconds.
        CallCancelled
            If the call was cancelled.
        BaseException
            The call's own exception, with its remote traceback.
        """
        if check_only and not self.done():
            return cast("R", None)
        self._wait(timeout)
        if self._state in _CANCELLED:
            if not throw_except:
                return cast("R", None)
            raise CallCancelled(f"call {self._call} of job {self.job_id} was cancelled")
        if not self._decoded:
            self._decode()
        if self._exception is not None:
            if not throw_except:
                return cast("R", None)
            try:
                # With the traceback it came with, or each reading would add the frames of the one before.
                raise self._exception.with_traceback(self._traceback)
            finally:
                # Or exception, traceback and this frame would keep each other.
                self = None  # type: ignore[assignment]  # noqa: PLW0642
        return cast("R", self._result)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the call's outcome and return its exception; None if it has a result.

        Raises
        ------
        TimeoutError
            If there is no outcome after `timeout` seconds.
        CallCancelled
            If the call was cancelled.
        """
        self._wait(timeout)
        if self._state in _CANCELLED:
            raise CallCancelled(f"call {self._call} of job {self.job_id} was cancelled")
        if not self._decoded:
            self._decode()
        return self._exception

    def cancel(self) -> bool:
        """Cancel the call; False if it has its outcome already. A running call's worker is told, or ended."""
        if self._owner is None:
            return super().cancel()
        if self._owner.cancel([self._call]):
            return True
        return self.cancelled()

    def succeeded(self) -> bool:
        """Whether the call has a result (PyWren)."""
        return self._state == FINISHED and not self._failed()

    def errored(self) -> bool:
        """Whether the call ended with an exception (PyWren)."""
        return self._state == FINISHED and self._failed()

    def _failed(self) -> bool:
        if self._exception is not None:
            return True
        return isinstance(self._raw, Raw) and self._raw.failure is not None

    def _wait(self, timeout: float | None) -> None:
        if self._state in _OVER:
            return
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._condition:
            # The condition is shared by the job, so being woken does not mean being meant.
            while self._state not in _OVER:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"call {self._call} of job {self.job_id} has no outcome after {timeout:g} s")
                self._condition.wait(left)

    def _decode(self) -> None:
        owner, raw = self._owner, self._raw
        if owner is None or raw is None:
            return
        result, exception = owner.decode(self._call, raw)
        with self._condition:
            if self._decoded:
                return  # whoever reads at the same time gets the same object
            self._result = cast("R", result)
            self._exception = exception
            if exception is not None:
                self._traceback = exception.__traceback__
            if isinstance(raw, Block):
                raw.count_read()
            else:
                self._raw = raw._replace(bodies=None)
            self._decoded = True

    def settle(self, raw: Raw | Block | None) -> None:
        """Take an outcome, None for cancelled; called by the owner with the condition held, once."""
        self._raw = raw
        self._state = CANCELLED_AND_NOTIFIED if raw is None else FINISHED
        for waiter in self._waiters:
            if raw is None:
                waiter.add_cancelled(self)
            elif self._failed():
                waiter.add_exception(self)
            else:
                waiter.add_result(self)

    @property
    def is_observed(self) -> bool:
        """Whether settling has to be told to anybody."""
        return bool(self._waiters or self._done_callbacks)

    def settle_unobserved(self, block: Block) -> None:
        """Take a result that came with others: what `settle` does where nobody is to be told."""
        self._raw = block
        self._state = FINISHED

    @property
    def has_callbacks(self) -> bool:
        """Whether anybody asked to be called."""
        return bool(self._done_callbacks)

    def take_callbacks(self) -> list[Callable[[concurrent.futures.Future[R]], object]]:
        """The callbacks to call now that the future is settled; called by the owner without the condition held."""
        callbacks = self._done_callbacks
        self._done_callbacks = []
        return callbacks

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        if self._owner is None:
            raise TypeError("this future belongs to no job, so another process could not find it")
        return self._owner.reference(self._call)

    def __repr__(self) -> str:
        if self._owner is None:
            return super().__repr__()
        state = {PENDING: "pending", CANCELLED_AND_NOTIFIED: "cancelled", FINISHED: "done"}.get(
            self._state, self._state
        )
        if self._state == FINISHED and self._failed():
            state = "failed"
        return f"<Future {self.job_id}[{self._call}] {state}>"
