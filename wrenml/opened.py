"""Single calls: those of one function are added to one job, as they come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from wrenml.errors import ConfigError
from wrenml.futures import Future
from wrenml.monitor.job import Job
from wrenml.observe import LARGE_ARGUMENT, warn_repeated_argument
from wrenml.options import Options
from wrenml.session import Session
from wrenml.storage.base import Buffer, size_of

__all__ = ["OpenJobs", "check_callable", "name_of"]

R = TypeVar("R")

_OPEN_JOBS = 16
_REPEATED = 5  # calls that bring the same data before that is worth a warning


class OpenJobs:
    """The jobs of a session that single calls are added to; safe to use from several threads.

    Parameters
    ----------
    session : Session
        Runs the calls.
    options : Options
        Those of calls that bring none of their own. A call with others gets a job to itself.
    make : callable, default `Future`
        Makes the future of a call, given its job and number.
    """

    def __init__(self, session: Session, options: Options, make: Callable[[Job, int], Future[object]] = Future) -> None:
        self._session = session
        self._options = options
        self._make = make
        self._jobs: dict[tuple[bytes, str, str], Job] = {}
        self._large: dict[bytes, int] = {}
        self._lock = threading.RLock()  # inline, a call may add calls

    def call(self, fn: Callable[..., R], item: object, applied: str, options: Options | None = None) -> Future[R]:
        """Add a call.

        Parameters
        ----------
        fn : callable
            What to call.
        item : object
            Its argument or arguments.
        applied : str
            How `item` becomes arguments (`wrenml.wire.Applied`).
        options : Options, optional
            Where they are not those of all.

        Raises
        ------
        SerializationError
            If the function or the item cannot be pickled.
        """
        session = self._session
        session.check_open()
        check_callable(fn, item)
        seen: dict[tuple[str, int], Future[object]] = {}
        packer = session.packer(seen, self._put)
        own = self._options if options is None else options
        with packer.snapshot():
            function = session.pack_function(fn, packer, own)
            packed = packer.dumps_many([item])
        if packed.errors:
            raise packed.errors[0]
        key = (function, applied, ",".join(sorted(packer.modules)))
        with self._lock:
            job = self._jobs.get(key) if own is self._options else None
            if job is None or job.calls.total >= own.max_calls:
                job = session.new_job(function, packer, own, name_of(fn), applied)
                job.futures = {}
                session.use_cache(job, fn, own)
                if own is self._options:
                    self._keep(key, job)
                else:
                    job.closed = True
            future = self._make(job, job.calls.total)
            cast("dict[int, Future[object]]", job.futures)[job.calls.total] = future
            session.add_calls(job, packed, seen, close=False, items=[item])
        return cast("Future[R]", future)

    def _put(self, digest: bytes, data: Sequence[Buffer]) -> None:
        self._session.put_blob(digest.hex(), data)
        size = size_of(data)
        if size >= LARGE_ARGUMENT:
            times = self._large[digest] = self._large.get(digest, 0) + 1
            if times == _REPEATED:
                warn_repeated_argument(size, times)

    def _keep(self, key: tuple[bytes, str, str], job: Job) -> None:
        replaced = self._jobs.pop(key, None)
        if replaced is not None:
            self._session.monitor.close_job(replaced)
        self._jobs[key] = job
        while len(self._jobs) > _OPEN_JOBS:
            self._session.monitor.close_job(self._jobs.pop(next(iter(self._jobs))))

    def close(self) -> None:
        """Have the jobs end with the calls they have."""
        with self._lock:
            jobs = list(self._jobs.values())
            self._jobs.clear()
        for job in jobs:
            self._session.monitor.close_job(job)


def check_callable(fn: object, other: object = None) -> None:
    """Raise unless `fn` can be called; `other` is what stands beside it, and was perhaps meant.

    Raises
    ------
    ConfigError
        If it cannot.
    """
    if not callable(fn):
        swapped = "; the function comes first, then what it is called with" if callable(other) else ""
        raise ConfigError(f"the function is a {type(fn).__name__}, which cannot be called: {fn!r:.80}{swapped}")


def name_of(fn: Callable[..., object]) -> str:
    """What to call a job of this function."""
    inner = getattr(fn, "func", fn)
    return str(getattr(inner, "__name__", type(inner).__name__))
