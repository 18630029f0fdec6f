"""What an executor holds: a storage, a key, an invoker and a monitor; and how jobs are made from them."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any

from wrenml import auth, modules, wire
from wrenml.cache import CachedCalls, cached_function
from wrenml.errors import ExecutorClosedError
from wrenml.events import JobStarted
from wrenml.futures import Future
from wrenml.inputs import hold, results_among
from wrenml.invoke.base import Invoker
from wrenml.monitor.arguments import Arguments, Chunk
from wrenml.monitor.job import CARRIED_BYTES, Job, Plan
from wrenml.monitor.keeping import Keeper
from wrenml.monitor.leases import claim
from wrenml.monitor.loop import Monitor
from wrenml.monitor.manifest import Manifest, new_job_id
from wrenml.monitor.records import output_of, read_arguments, read_job
from wrenml.monitor.spending import Spending
from wrenml.observe import warn_large_function
from wrenml.options import Options
from wrenml.pickling import PackedItems, Packer
from wrenml.pickling.blobs import PutBlob
from wrenml.pickling.remembered import Remembered
from wrenml.processes import began
from wrenml.references import Ref
from wrenml.rootkey import RootKey
from wrenml.shipping import shipped_files
from wrenml.storage.base import Buffer, Storage
from wrenml.wire import JobSpec, decode_spec, encode_spec
from wrenml.worker import context

__all__ = ["Session", "live_sessions", "open_sessions"]

_live: weakref.WeakSet[Session] = weakref.WeakSet()


class Session:
    """The machinery behind one or more executors.

    Parameters
    ----------
    backend : str
        Its name, as users see it.
    storage : Storage
        Where everything is kept.
    root : RootKey
        The root key.
    invoker : Invoker
        Starts work.
    workers : int
        How many requests run at a time.
    threaded : bool
        Whether calls run elsewhere, so that somebody has to wait for them.
    reopen : callable
        Makes a future again, in whatever process, from the storage's URL, job id and call.

    Attributes
    ----------
    keep_blob : callable
        Stores a content-addressed object for some time.
    patience : callable
        Gives the seconds without a sign after which nobody is at work on a job with such options any more; 0 where
        this process's life tells.
    """

    def __init__(
        self,
        backend: str,
        storage: Storage,
        root: RootKey,
        invoker: Invoker,
        workers: int,
        *,
        threaded: bool,
        reopen: Callable[[str, str, int], Future[object]],
    ) -> None:
        self.backend = backend
        self.storage = storage
        self.root = root
        self.workers = workers
        self.monitor = Monitor(invoker, workers, threaded=threaded)
        self._keeper = Keeper(storage)
        self.jobs: weakref.WeakValueDictionary[str, Job] = weakref.WeakValueDictionary()
        self._travels = threaded
        self._reopen = reopen
        self.keep_blob: Callable[[str, Buffer | Sequence[Buffer]], object] = partial(storage.put, if_absent=True)
        self.patience: Callable[[Options], float] = lambda _: 0.0
        self.spending = Spending()
        self.monitor.observe(self.spending)
        self._stored: set[str] = set()
        self._remembered = Remembered()
        self._pid = os.getpid()
        self._closed = False
        self._refuses = False
        self._lock = threading.Lock()
        _live.add(self)

    # Jobs

    @property
    def closed(self) -> bool:
        """Whether jobs can be made no more."""
        return self._closed or self._refuses or self._pid != os.getpid()

    def check_open(self) -> None:
        """Raise unless jobs can be made."""
        if self._closed or self._refuses:
            raise ExecutorClosedError
        if self._pid != os.getpid():
            raise ExecutorClosedError(
                "this executor was made before the process was forked; make a new one in the forked process"
            )

    def packer(self, seen: dict[tuple[str, int], Future[object]] | None = None, put: PutBlob | None = None) -> Packer:
        """A packer whose blobs go to `put`, by default this session's storage; futures met are put into `seen`."""

        def as_input(obj: object) -> tuple[str, int] | None:
            if isinstance(obj, Ref):
                made.modules |= obj.modules
                return obj.as_input()
            if not isinstance(obj, Future):
                return None
            owner = obj.owner
            if seen is None or not isinstance(owner, Job) or owner.storage.url != self.storage.url:
                raise TypeError("a future of another executor cannot be an argument here; pass its result() instead")
            seen[owner.id, obj.index] = obj
            return owner.id, obj.index

        made = Packer(put or self._put_blob, as_input=as_input)
        return made

    def pack_function(self, fn: Callable[..., object], packer: Packer, options: Options) -> bytes:
        """Pack a map's function with what runs before and after it, or take the pickle known to be the same."""
        if _has_hooks(options):
            return packer.dumps((fn, options.initializer, options.finalizer))
        known = self._remembered.get(fn)
        if known is not None:
            packer.modules |= known[1]
            return known[0]
        before = frozenset(packer.modules)
        packed = packer.dumps(fn)
        if not before:
            self._remembered.put(fn, packed, frozenset(packer.modules))
        return packed

    def _put_blob(self, digest: bytes, data: Sequence[Buffer]) -> None:
        self.put_blob(digest.hex(), data)

    def put_blob(self, digest: str, data: Buffer | Sequence[Buffer]) -> None:
        """Store a content-addressed object, once."""
        if digest not in self._stored:
            self.keep_blob(wire.blob_key(digest), data)
            self._stored.add(digest)

    def put_object(self, packed: bytes, description: str, modules: Iterable[str] = ()) -> Ref[Any]:
        """Store a packed object that refers to these modules; return what stands for it."""
        digest = sha256(packed).hexdigest()
        self.put_blob(digest, packed)
        return Ref(digest, description, frozenset(modules))

    def new_job(self, function: bytes, packer: Packer, options: Options, name: str, applied: str) -> Job:
        """Make a job, without calls yet.

        Parameters
        ----------
        function : bytes
            Packed with `packer`.
        packer : Packer
            Has packed everything that the job's calls are known to need.
        options : Options
            Of the map.
        name : str
            The function's, where the options give none.
        applied : str
            How elements become arguments (`wrenml.wire.Applied`).
        """
        warn_large_function(name, len(function))
        spec = encode_spec(self._spec(function, packer, options, applied))
        manifest = Manifest(
            job=new_job_id(),
            name=options.name or name,
            spec=sha256(spec).hexdigest(),
            backend=self.backend,
            tags=dict(options.tags),
            infra_retries=options.infra_retries,
            patience=self.patience(options),
            place=self.spending.place(options.memory_mb),
            most=self.monitor.most_calls(options.chunksize),
            began=began(os.getpid()),
        )
        job = self.job_from(manifest, spec, options)
        if job.remote and len(spec) > CARRIED_BYTES:  # it does not travel, and has to be there before the worker
            self.put_blob(manifest.spec, spec)
        return job

    def job_from(self, manifest: Manifest, spec: bytes, options: Options, *, own: bool = True) -> Job:
        """Make a job from its records; `own` if its calls are to be run by this session."""
        here = context.current()
        plan = Plan(
            timeout=options.timeout,
            memory_mb=options.memory_mb or (),
            chunksize=options.chunksize,
            max_in_flight=options.max_in_flight,
            depth=0 if here is None else here.depth,
            progress=options.progress,
            speculate=options.speculate,
        )
        key = auth.job_key(self.root.key, manifest.job)
        job = Job(manifest, key, spec, self.storage, plan, self)
        job.meter = self.spending.meter(manifest, options.max_cost)
        if own:
            self.jobs[job.id] = job
            self._keeper.add(job.id)
        return job

    def brings_modules(self, names: set[str]) -> bool:
        """Whether calls that refer to these modules would have to bring local modules along."""
        return self._travels and modules.collect(names) is not None

    def _spec(self, function: bytes, packer: Packer, options: Options, applied: str) -> JobSpec:
        retry_on = packer.dumps(options.retry_on) if options.retries else None
        archive = modules.collect(packer.modules, exclude=options.exclude_modules) if self._travels else None
        if archive is not None:
            self.put_blob(archive.digest, archive.data)
        cloudpickle = sys.modules.get("cloudpickle")
        return JobSpec(
            function=function,
            applied=applied,
            archive=None if archive is None else archive.digest,
            timeout=options.timeout,
            retries=options.retries,
            retry_on=retry_on,
            seed=options.seed,
            env=options.env,
            files=tuple((name, self._ship(path)) for name, path in shipped_files(options.files).items()),
            hooks=_has_hooks(options),
            cloudpickle=None if cloudpickle is None else cloudpickle.__version__,
        )

    def _ship(self, path: str) -> str:
        with open(path, "rb") as file:
            data = file.read()
        digest = sha256(data).hexdigest()
        self.put_blob(digest, data)
        return digest

    # Calls

    def use_cache(self, job: Job, fn: Callable[..., object], options: Options) -> None:
        """Have a job's calls looked up in the cache that the options name, if they name one."""
        if options.cache is not None:
            function = cached_function(fn, options, decode_spec(job.spec))
            seeded = options.seed is not None
            job.cache = CachedCalls(self.storage, self.root.key, options.cache, function, seeded=seeded)
            if job.remote:
                job.cache.later = self.monitor.write_later

    def add_calls(
        self,
        job: Job,
        packed: PackedItems,
        seen: dict[tuple[str, int], Future[object]],
        *,
        close: bool,
        items: Sequence[object] = (),
    ) -> int:
        """Append calls to a job and hand them out as far as their inputs are there; return the first's number.

        Calls on `items` that the job's cache knows are settled at once.
        """
        count = len(packed.offsets) - 1
        blocked = {i: wanted for i, inputs in packed.inputs.items() if (wanted := results_among(inputs))}
        first = job.calls.total
        inputs = {first + i: wanted for i, wanted in blocked.items()}
        chunk = Chunk(first, packed.data, packed.offsets, inputs)
        if job.remote and self.monitor.is_too_large(chunk):
            job.arguments.store(chunk)
        self.monitor.extend(job, chunk, count, blocked)
        if close:
            job.closed = True
        if first == 0:
            self._announce(job)
        for i, error in packed.errors.items():
            self.monitor.fail(job, [first + i], error)
        if job.cache is not None:
            self.monitor.supply(job, job.cache.look_up(first, items, {*blocked, *packed.errors}))
        self.monitor.add(job)
        for i, wanted in blocked.items():
            hold(self.monitor, self.storage, job, first + i, [seen[entry] for entry in wanted])
        return first

    def _announce(self, job: Job) -> None:
        name, progress = job.manifest.name, job.plan.progress
        single = isinstance(job.futures, dict)
        total = job.calls.total
        estimate = self.spending.estimate(name, total, job.plan, self.workers) if job.closed else None
        words = "" if estimate is None else str(estimate)
        self.monitor.tell(
            JobStarted(job.id, name, self.backend, total, self.workers, job.closed, progress, single, words)
        )

    # What jobs ask for

    def cancel(self, job: Job, calls: Iterable[int]) -> int:
        """Cancel calls that are not settled; return how many were."""
        return self.monitor.cancel(job, calls)

    def reference(self, job: Job, call: int) -> tuple[Callable[..., object], tuple[object, ...]]:
        """How to make a future again in another process."""
        job.write()
        return self._reopen, (self.storage.url, job.id, call)

    def run_again(self, job: Job, calls: list[int]) -> tuple[Job, list[Future[object]]]:
        """Run calls again as a new job: the same function and options, their arguments as they were stored.

        Raises
        ------
        JobBusyError
            If another client is doing that, for a job in a bucket.
        """
        self.check_open()
        fresh = new_job_id()
        if job.remote:
            claim(self.storage, self.root.key, job.id, fresh)
        job.arguments.write()
        stored = Arguments(job.id, b"", self.storage.put)
        for chunk in read_arguments(self.storage, job.key, job.id):
            stored.restore(chunk)
        packed = stored.pick(calls)
        again = self.job_from(replace(job.manifest, job=fresh, created=time.time()), job.spec, Options())
        again.plan = job.plan
        again.meter = self.spending.meter(again.manifest, None if job.meter is None else job.meter.limit)
        again.cache = None if job.cache is None else job.cache.again(calls)
        futures: list[Future[object]] = [Future(again, call) for call in range(len(calls))]
        again.futures = futures
        seen = {
            entry: self._reopen(self.storage.url, *entry)
            for wanted in packed.inputs.values()
            for entry in results_among(wanted)
        }
        self.add_calls(again, packed, seen, close=True)
        return again, futures

    def output(self, job: Job, call: int) -> str:
        """What a call printed, as far as it was kept."""
        job.write()
        found = read_job(self.storage, self.root.key, job.id).found.get(call)
        return "" if found is None else output_of(self.storage, found)

    # The end

    def refuse(self) -> None:
        """Make no more jobs."""
        self._refuses = True

    def close(self, *, wait: bool = True, cancel: bool = False) -> None:
        """End the workers, after all calls have their outcomes (`wait`), or cancelling what is left."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._pid != os.getpid():
            _live.discard(self)
            return
        try:
            if wait and not cancel and self._travels:
                self.monitor.wait_until_idle()
        finally:
            self.monitor.close()
            self._keeper.close()
            _live.discard(self)


def _has_hooks(options: Options) -> bool:
    return options.initializer is not None or options.finalizer is not None


def live_sessions() -> list[Session]:
    """The sessions of this process that have not ended: those that only finish their calls too."""
    return list(_live)


def open_sessions() -> list[Session]:
    """The sessions of this process that can make jobs."""
    return [session for session in list(_live) if not session.closed]


@atexit.register
def _close_all() -> None:
    interrupted = isinstance(getattr(sys, "last_value", None), KeyboardInterrupt)
    for session in list(_live):
        session.close(wait=not interrupted)
