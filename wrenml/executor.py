"""The client: `map` and its relatives.

::

    executor ──fn, items──▶ pickling ──bytes──▶ storage: blobs/<sha256>, jobs/<job>/args   ──▶ worker
       │                                                                                        │
       ├──Request (wire)──▶ invoker ─────────────────────────────────────────────────────▶ verify, loads, fn(item)
       │                                                                                        ▼
       └──Future──▶ monitor ◀───────────── pipe, list, get ──── storage: jobs/<job>/out/ ◀── Outcome (wire)
                       ├─▶ futures   settled, decoded when read
                       └─▶ events    hooks: progress, log
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, Unpack, cast

from wrenml.attaching import attach
from wrenml.concurrent import ConcurrentExecutor
from wrenml.dryrun import dry_run
from wrenml.errors import ConfigError, JobNotFoundError
from wrenml.events import Hook
from wrenml.futurelist import FutureList
from wrenml.futures import Future
from wrenml.imap import stream
from wrenml.monitor.job import Job
from wrenml.monitor.manifest import JOB_ID_LENGTH
from wrenml.opened import OpenJobs, check_callable, name_of
from wrenml.options import MapOptions, Options, resolve_options
from wrenml.references import Ref
from wrenml.session import Session
from wrenml.storage.prefixed import PrefixedStorage
from wrenml.wire import Applied

__all__ = ["Executor"]

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")


class Executor:
    """Applies functions to elements, each application a call that runs elsewhere.

    Make one with `wrenml.default_executor`, `wrenml.local_executor` or `wrenml.inline_executor`. It is a context
    manager, safe to use from several threads, and pickles as its settings; `copy.deepcopy` gives the executor itself,
    so that it can be a parameter of an estimator.

    Parameters
    ----------
    session : Session
        The machinery; several executors may share one.
    options : Options
        Defaults of every map.
    remake : tuple of callable and arguments
        How to make it again from its settings.
    """

    def __init__(
        self, session: Session, options: Options, remake: tuple[Callable[..., Executor], tuple[object, ...]]
    ) -> None:
        self._session = session
        self._options = options
        self._remake = remake
        self._singles = OpenJobs(session, options)

    # Maps

    def map(
        self, fn: Callable[..., R], iterable: Iterable[Any], /, *iterables: Iterable[Any], **options: Unpack[MapOptions]
    ) -> FutureList[R]:
        """Call a function on each element of a finite iterable; return one future for each, at once.

        Parameters
        ----------
        fn : callable
            Pickled by value where it is defined in a script or notebook, with the local modules it needs.
        iterable : iterable
            Its elements are passed verbatim: tuples, dicts and None are values. Several iterables are taken
            together, as by the built-in `map`; with ``strict=True`` they must be of one length.
        **options
            See `wrenml.Options`.

        Returns
        -------
        FutureList
            In the order of the elements. An element that cannot be pickled is a future that has failed.

        Raises
        ------
        FunctionNotSerializable
            If the function cannot be pickled; the message names the variable.
        ConfigError
            If an option has an impossible value, or there are more elements than `max_calls`.
        """
        resolved = resolve_options(cast("Mapping[str, object]", options), base=self._options)
        if not iterables:
            return self._map(fn, iterable, resolved, Applied.ITEM)
        if any(isinstance(other, Mapping | None) for other in iterables):
            raise ConfigError(
                "a dict or None was given as a further iterable. PyWren's environment variables are an option: "
                "extra_env={…}; to map over a dict's keys give list(dict)."
            )
        return self._map(fn, zip(iterable, *iterables, strict=resolved.strict), resolved, Applied.STAR)

    def starmap(
        self, fn: Callable[..., R], iterable: Iterable[Iterable[Any]], /, **options: Unpack[MapOptions]
    ) -> FutureList[R]:
        """Call ``fn(*element)`` for each element; otherwise like `map`."""
        resolved = resolve_options(cast("Mapping[str, object]", options), base=self._options)
        return self._map(fn, iterable, resolved, Applied.STAR)

    def imap(
        self,
        fn: Callable[[T], R],
        iterable: Iterable[T],
        /,
        *,
        window: int | None = None,
        ordered: bool = True,
        **options: Unpack[MapOptions],
    ) -> Iterator[R]:
        """Stream results of a long or endless iterable, holding only a window of it in memory.

        Parameters
        ----------
        fn : callable
            As for `map`.
        iterable : iterable
            Pulled in the caller's thread, no further ahead than the window. If it raises, the exception surfaces
            after the results before it. A generator is closed at the end.
        window : int, optional
            The most elements pulled and not yet yielded. By default it follows the measured time of a call.
        ordered : bool, default True
            False yields results as they are there.
        **options
            See `wrenml.Options`.

        Yields
        ------
        object
            Results. A call's exception is raised in its place, and ends the iteration.
        """
        resolved = resolve_options(cast("Mapping[str, object]", options), base=self._options)
        if window is not None and window < 1:
            raise ConfigError(f"window={window!r}: give 1 or more, or None")
        if resolved.dry_run:
            raise ConfigError("dry_run=True needs all elements at once, and imap() never has them: try it with map()")
        self._session.check_open()

        def start(first: list[T]) -> tuple[Job, set[str]]:
            packer = self._session.packer(seen={})
            function = self._session.pack_function(fn, packer, resolved)
            packer.dumps_many(first)
            job = self._session.new_job(function, packer, resolved, name_of(fn), Applied.ITEM)
            self._session.use_cache(job, fn, resolved)
            return job, packer.modules

        return stream(self._session, start, iterable, window, ordered=ordered)

    def map_reduce(
        self,
        fn: Callable[[T], R],
        iterable: Iterable[T],
        reducer: Callable[[list[R]], Any],
        /,
        **options: Unpack[MapOptions],
    ) -> Future[Any]:
        """Map, then call ``reducer`` with the list of results on a worker; the results do not pass through here."""
        return self.reduce(reducer, self.map(fn, iterable, **options), **options)

    def reduce(
        self, fn: Callable[[list[R]], Any], futures: Iterable[Future[R]], /, **options: Unpack[MapOptions]
    ) -> Future[Any]:
        """Call ``fn`` with the list of the futures' results on a worker, once they are all there."""
        check_callable(fn, futures)
        return self.call_async(cast("Callable[[Any], Any]", fn), list(futures), **options)

    # Single calls

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call ``fn(*args, **kwargs)``; return its future.

        Futures among the arguments, at any depth, are replaced by their results on the worker; the call starts when
        they are there.
        """
        if self._options.dry_run:
            return self._dry_run(fn, [(args, kwargs)], self._options)[0]
        return self._singles.call(fn, (args, kwargs), Applied.KEYWORDS)

    def call_async(self, fn: Callable[[T], R], data: T, /, **options: Unpack[MapOptions]) -> Future[R]:
        """Call ``fn(data)``; return its future (PyWren)."""
        resolved = resolve_options(cast("Mapping[str, object]", options), base=self._options)
        if resolved.dry_run:
            return self._dry_run(fn, [data], resolved)[0]
        return self._singles.call(fn, data, Applied.ITEM, resolved)

    def concurrent(
        self, initializer: Callable[..., object] | None = None, initargs: Iterable[object] = ()
    ) -> ConcurrentExecutor:
        """The standard library's face of this executor, for tools that expect one.

        Its ``map`` returns results, and its futures cannot be cancelled once a worker has the call. Shutting it
        down ends neither this executor nor its workers. See `wrenml.concurrent` for the differences.

        Parameters
        ----------
        initializer : callable, optional
            Called with `initargs` in each worker before the first call; instead of the option `initializer`.
        initargs : iterable
            Its arguments.
        """
        if self._options.dry_run:
            raise ConfigError("dry_run=True means nothing to the standard library's face: try it with map()")
        return ConcurrentExecutor(self._session, self._options, initializer, tuple(initargs))

    # Storage

    def put(self, obj: T) -> Ref[T]:
        """Store an object once; the reference stands for it in the arguments of any call.

        Without this, too, large data that several elements share is stored once.
        """
        self._session.check_open()
        packer = self._session.packer()
        packed = packer.dumps(obj)
        return self._session.put_object(packed, type(obj).__name__, packer.modules)

    @property
    def storage(self) -> PrefixedStorage:
        """Objects of your own, kept until you delete them: data sets, shards. Never unpickled by wrenml."""
        return PrefixedStorage(self._session.storage, "data")

    def attach(self, job_id: str) -> FutureList[Any]:
        """The futures of a job that was started before, by whatever process.

        Raises
        ------
        JobNotFoundError
            If the storage has no such job.
        AuthenticationError
            If it was not written with this user's key.
        """
        self._session.check_open()
        if len(str(job_id)) != JOB_ID_LENGTH:
            raise JobNotFoundError(
                f"there is no job {job_id!r}: give the whole id, {JOB_ID_LENGTH} characters; `wrenml jobs` lists them"
            )
        return attach(self._session, job_id)

    # The end

    @property
    def session(self) -> Session:
        """The machinery; not for users."""
        return self._session

    @property
    def closed(self) -> bool:
        """Whether it was shut down, or belongs to the process that this one was forked from."""
        return self._session.closed

    def observe(self, hook: Hook) -> None:
        """Have a hook told what happens to all jobs from now on (`wrenml.events`)."""
        self._session.monitor.observe(hook)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  # the standard library's signature
        """End the workers.

        Parameters
        ----------
        wait : bool, default True
            Return when all calls have their outcomes. False returns at once; they are waited for in the background,
            as they are where this is called by a future's callback or a hook.
        cancel_futures : bool, default False
            Cancel the calls that have no outcome yet.
        """
        self._singles.close()
        if cancel_futures or (wait and not self._session.monitor.calls_here):
            self._session.close(cancel=cancel_futures)
        else:
            self._session.refuse()
            threading.Thread(target=self._session.close, name="wrenml-shutdown").start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown(cancel_futures=kind is not None and issubclass(kind, KeyboardInterrupt))

    def __reduce__(self) -> tuple[Callable[..., Executor], tuple[object, ...]]:
        return self._remake

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __copy__(self) -> Self:
        return self

    def __repr__(self) -> str:
        session = self._session
        return f"<wrenml executor: {session.backend}, {session.workers} workers, {session.storage.url}>"

    # What the above share

    def _dry_run(self, fn: Callable[..., R], items: list[object], options: Options) -> FutureList[R]:
        self._session.check_open()
        return dry_run(self._session, fn, items, options, name_of(fn))

    def _map(self, fn: Callable[..., R], iterable: Iterable[object], options: Options, applied: str) -> FutureList[R]:
        session = self._session
        session.check_open()
        check_callable(fn, iterable)
        items = list(iterable)
        if len(items) > options.max_calls:
            raise ConfigError(
                f"{len(items):,} elements are more than max_calls={options.max_calls:,}: raise max_calls=, or stream "
                "them with imap()."
            )
        if options.dry_run:
            return self._dry_run(fn, items, options)
        seen: dict[tuple[str, int], Future[object]] = {}
        packer = session.packer(seen)
        with packer.snapshot():
            function = session.pack_function(fn, packer, options)
            packed = packer.dumps_many(items)
        job = session.new_job(function, packer, options, name_of(fn), applied)
        futures: list[Future[object]] = [Future(job, call) for call in range(len(items))]
        job.futures = futures
        session.use_cache(job, fn, options)
        session.add_calls(job, packed, seen, close=True, items=items)
        return FutureList(cast("list[Future[R]]", futures), job)
