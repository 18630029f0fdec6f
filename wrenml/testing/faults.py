"""Faults with names: objects that fail where they are pickled, unpickled or called, and invokers that misbehave.

::

    argument or result                    call                        invoker
    ├── ErrorAtPickle                     ├── RaiseInCall             ├── DroppingInvoker      requests get lost
    ├── ErrorAtUnpickle                   ├── ExitInCall              ├── DuplicatingInvoker   everything happens twice
    ├── CrashAtPickle                     ├── CrashInCall             └── ReorderingInvoker    news arrives in any order
    ├── CrashAtUnpickle                   └── KilledWorker
    ├── ExitAtUnpickle                        (the first times only)
    └── HugeResult

The objects do nothing before the moment they are named after, so they may be made anywhere.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import random
import signal
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from wrenml.errors import WorkerCrashed
from wrenml.invoke.base import Event, FrameArrived, Invoker, Limits, Name, WorkerGone
from wrenml.wire import Request

__all__ = [
    "CrashAtPickle",
    "CrashAtUnpickle",
    "CrashInCall",
    "DroppingInvoker",
    "DuplicatingInvoker",
    "ErrorAtPickle",
    "ErrorAtUnpickle",
    "ExitAtUnpickle",
    "ExitInCall",
    "HugeResult",
    "KilledWorker",
    "RaiseInCall",
    "ReorderingInvoker",
]

R = TypeVar("R")

_PROMPT = 0.7  # how likely news is given out rather than kept for the next time


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raise_at_unpickle(message: str) -> object:
    raise pickle.UnpicklingError(message)


def _crash_at_unpickle() -> object:
    _kill()
    raise AssertionError("unreachable")


class ErrorAtPickle:
    """Raises `pickle.PicklingError` when it is pickled: as an argument in the client, as a result in the worker.

    Parameters
    ----------
    message : str
        Of the exception.
    """

    def __init__(self, message: str = "refused at pickling") -> None:
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        raise pickle.PicklingError(self.message)


class ErrorAtUnpickle:
    """Pickles well, and raises `pickle.UnpicklingError` when it is unpickled.

    Parameters
    ----------
    message : str
        Of the exception.
    """

    def __init__(self, message: str = "refused at unpickling") -> None:
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        return _raise_at_unpickle, (self.message,)


class CrashAtPickle:
    """Kills the process that pickles it: good as a result, deadly as an argument."""

    def __reduce__(self) -> tuple[Any, ...]:
        _kill()
        raise AssertionError("unreachable")


class CrashAtUnpickle:
    """Kills the process that unpickles it: good as an argument, deadly as a result."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _crash_at_unpickle, ()


class ExitAtUnpickle:
    """Raises `SystemExit` in the process that unpickles it.

    Parameters
    ----------
    code : int
        The exit code.
    """

    def __init__(self, code: int = 3) -> None:
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.exit, (self.code,)


class HugeResult:
    """A call whose result is this many bytes; its argument is ignored.

    Parameters
    ----------
    size : int
        Bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, _argument: object = None) -> bytes:
        """Return the bytes: a pattern of 251 different ones, so that a shift shows."""
        block = bytes(range(251))
        return (block * (self.size // len(block) + 1))[: self.size]


class RaiseInCall:
    """A call that raises.

    Parameters
    ----------
    error : BaseException
        What it raises.
    """

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, _argument: object = None) -> None:
        """Raise."""
        raise self.error


class ExitInCall:
    """A call that ends its process.

    Parameters
    ----------
    code : int
        The exit code.
    hard : bool
        Whether by `os._exit`, which nothing can catch, or by `sys.exit`.
    """

    def __init__(self, code: int, *, hard: bool = False) -> None:
        self.code = code
        self.hard = hard

    def __call__(self, _argument: object = None) -> None:
        """Exit."""
        if self.hard:
            os._exit(self.code)
        sys.exit(self.code)


class CrashInCall:
    """A call that crashes its process, as a bug in native code would.

    Parameters
    ----------
    how : {"segfault", "abort", "kill"}
        By reading address zero, by `os.abort`, or by SIGKILL.
    """

    def __init__(self, how: str = "segfault") -> None:
        self.how = how

    def __call__(self, _argument: object = None) -> None:
        """Crash."""
        if self.how == "segfault":
            ctypes.string_at(0)
        elif self.how == "abort":
            os.abort()
        _kill()


class KilledWorker(Generic[R]):
    """A function whose worker is killed with SIGKILL the first times that it is called.

    Parameters
    ----------
    function : callable
        What it calls when it is not killed.
    folder : str
        An empty folder, where the kills are counted for each argument: it must outlive the workers.
    times : int
        How often each argument's worker is killed.
    only : container, optional
        The arguments that kill; all by default.
    """

    def __init__(
        self, function: Callable[[object], R], folder: str, times: int = 1, only: Sequence[object] | None = None
    ) -> None:
        self.function = function
        self.folder = folder
        self.times = times
        self.only = only

    def __call__(self, argument: object) -> R:
        """Be killed, or call the function."""
        if self.only is None or argument in self.only:
            for time in range(self.times):
                path = os.path.join(self.folder, f"{argument!r}.{time}")
                try:
                    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                except FileExistsError:
                    continue
                _kill()
        return self.function(argument)


class _Around:
    """An invoker around another one."""

    def __init__(self, inner: Invoker) -> None:
        self.inner = inner
        self.batches = inner.batches
        self.carries = inner.carries
        self.requests: list[Request] = []

    def room(self, *, deep: bool) -> int:
        """As the inner invoker's."""
        return self.inner.room(deep=deep)

    def invoke(self, request: Request, spec: bytes, limits: Limits) -> None:
        """Note the request, and send it."""
        self.requests.append(request)
        self.inner.invoke(request, spec, limits)

    def wait(self, timeout: float | None) -> None:
        """As the inner invoker's."""
        self.inner.wait(timeout)

    def collect(self) -> Sequence[Event]:
        """As the inner invoker's."""
        return self.inner.collect()

    def cancel(self, name: Name, call: int | None) -> None:
        """As the inner invoker's."""
        self.inner.cancel(name, call)

    def refuse(self, name: Name, key: str) -> None:
        """As the inner invoker's."""
        self.inner.refuse(name, key)

    def finish(self, name: Name) -> bool:
        """As the inner invoker's."""
        return self.inner.finish(name)

    def wake(self) -> None:
        """As the inner invoker's."""
        self.inner.wake()

    def close(self) -> None:
        """As the inner invoker's."""
        self.inner.close()


class DroppingInvoker(_Around):
    """An invoker that loses requests: none of their calls is started, and their worker is declared gone.

    Parameters
    ----------
    inner : Invoker
        Gets the requests that are not lost.
    drops : callable
        Told each request; True loses it.
    """

    def __init__(self, inner: Invoker, drops: Callable[[Request], bool]) -> None:
        super().__init__(inner)
        self._drops = drops
        self._gone: list[Event] = []

    def invoke(self, request: Request, spec: bytes, limits: Limits) -> None:
        """Note the request; send or lose it."""
        if not self._drops(request):
            super().invoke(request, spec, limits)
            return
        self.requests.append(request)
        name = (request.job, request.first, request.attempt)
        self._gone.append(WorkerGone(name, None, WorkerCrashed("the request was lost")))
        self.wake()

    def collect(self) -> Sequence[Event]:
        """What happened, the losses first."""
        gone, self._gone = self._gone, []
        return [*gone, *self.inner.collect()]


class DuplicatingInvoker(_Around):
    """An invoker that runs each request twice where there is room, and reports each outcome twice."""

    def invoke(self, request: Request, spec: bytes, limits: Limits) -> None:
        """Send the request, and once more if the inner invoker has room for another."""
        super().invoke(request, spec, limits)
        if self.inner.room(deep=True):
            self.inner.invoke(request, spec, limits)

    def collect(self) -> Sequence[Event]:
        """What happened, each frame twice."""
        return [
            event for one in self.inner.collect() for event in ([one, one] if isinstance(one, FrameArrived) else [one])
        ]


class ReorderingInvoker(_Around):
    """An invoker that holds news back and gives it out in any order, that of one invocation among itself kept.

    Parameters
    ----------
    inner : Invoker
        Runs the requests.
    seed : int
        Of the order.
    """

    def __init__(self, inner: Invoker, seed: int) -> None:
        super().__init__(inner)
        self._random = random.Random(seed)
        self._held: dict[Name, deque[Event]] = {}

    def collect(self) -> Sequence[Event]:
        """Part of what happened; all that is left when nothing new has happened."""
        news = self.inner.collect()
        for event in news:
            self._held.setdefault(event.name, deque()).append(event)
        given: list[Event] = []
        while self._held and (not news or self._random.random() < _PROMPT):
            name = self._random.choice(list(self._held))
            given.append(self._held[name].popleft())
            if not self._held[name]:
                del self._held[name]
        if self._held:
            self.wake()
        return given
