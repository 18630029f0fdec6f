"""A job as a worker holds it: its function unpickled, its modules importable, its initializer run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from hashlib import sha256
from inspect import iscoroutinefunction
from typing import Any, Protocol

from wrenml.errors import AuthenticationError, InitializerFailed
from wrenml.pickling.unpacker import Unpacker
from wrenml.references import Ref
from wrenml.storage.base import Buffer
from wrenml.wire import Applied, Input, JobSpec, Request, blob_key, decode_spec

__all__ = ["Environment", "LoadedJob", "Source"]

_KEPT = 8
_KEPT_SPECS = 32


class Source(Protocol):
    """Where a worker reads what a request names: a storage, or the supervisor who has one."""

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> Buffer:
        """Read an object or a range of it; see `wrenml.storage.base.Objects.get`."""


class LoadedJob:
    """What a worker needs to run any call of a job.

    Parameters
    ----------
    spec : JobSpec
        Shared by all calls.
    call : callable
        Takes an unpickled element, returns the result.
    retry_on : tuple of exception types
        The exceptions after which a call is run again in place.
    """

    __slots__ = ("call", "finalizer", "retry_on", "spec")

    def __init__(
        self,
        spec: JobSpec,
        call: Callable[[object], object],
        retry_on: tuple[type[BaseException], ...],
        finalizer: Callable[[], object] | None,
    ) -> None:
        self.spec = spec
        self.call = call
        self.retry_on = retry_on
        self.finalizer = finalizer


class Environment:
    """One worker process as jobs see it: caches functions, and switches modules and environment variables.

    Parameters
    ----------
    storage : Source
        Where blobs and other calls' results lie.
    folder : str
        Where archives of modules are unpacked and shipped files are put; the working directory of calls.
    switched : callable, optional
        Called when another job's modules and variables have taken their place. Without it the process is the user's
        own (inline): modules and working directory are left alone.
    """

    def __init__(self, storage: Source, folder: str, switched: Callable[[], None] | None = None) -> None:
        self._storage = storage
        self._folder = folder
        self._switched = switched
        self._jobs: dict[str, LoadedJob] = {}
        self._specs: dict[str, bytes] = {}
        self._inputs: dict[tuple[str, int], Input] = {}
        self._verified: set[bytes] = set()
        self._unpacker = Unpacker(self.blob, self._input)
        self._archive: str | None = None
        self._active: str | None = None
        self._saved: dict[str, str | None] = {}
        self.loads = self._unpacker.loads

    def blob(self, digest: bytes) -> Buffer:
        """A content-addressed object, over memory that belongs to the caller alone.

        Raises
        ------
        AuthenticationError
            If the stored bytes are not those of the digest; checked once, when the object is first read.
        """
        data = self._storage.get(blob_key(digest.hex()))
        if digest not in self._verified:
            if sha256(data).digest() != digest:
                raise AuthenticationError("a stored object is not the one that the request names; it was not unpickled")
            self._verified.add(digest)
        return data

    def arguments(self, request: Request) -> Buffer:
        """The packed arguments of a request, wherever they lie.

        Raises
        ------
        AuthenticationError
            If the stored arguments are not those that the request names.
        """
        where = request.range
        if where is None:
            return request.args
        data = self._storage.get(where.key, start=where.start, stop=where.stop)
        if sha256(data).hexdigest() != where.sha256:
            raise AuthenticationError("the stored arguments are not those that the request names")
        return data

    def expect(self, inputs: tuple[Input, ...]) -> None:
        """Take note of where the results lie that are arguments of the next calls."""
        self._inputs = {(entry.job, entry.call): entry for entry in inputs}

    def _input(self, job: str, call: int) -> object:
        put = Ref.digest_of(job)
        if put is not None:
            return self._unpacker.loads(self.blob(bytes.fromhex(put)))
        where = self._inputs[job, call]
        data = self._storage.get(where.key, start=where.start, stop=where.stop)
        if sha256(data).hexdigest() != where.sha256:
            raise AuthenticationError(f"the result of call {call} of job {job} was changed after it was written")
        return self._unpacker.loads(data)

    def job(self, request: Request, spec: bytes | None = None) -> LoadedJob:
        """Make the request's job the one whose modules, files and variables are in place, and return it.

        Raises
        ------
        AuthenticationError
            If the stored job spec is not the one that the request names.
        VersionMismatchError
            If it was made by another version of Python.
        InitializerFailed
            If the job's initializer raised.
        """
        digest = request.spec
        loaded = self._jobs.get(digest)
        if loaded is None:
            loaded = self._load(digest, spec)
        elif self._active != digest:
            self._switch(loaded.spec)
        if self._active != digest:
            self._active = digest
            if self._switched is not None:
                self._switched()
        return loaded

    def _load(self, digest: str, data: bytes | Buffer | None) -> LoadedJob:
        if data is None:
            data = self._specs.get(digest) or self._storage.get(blob_key(digest))
        if sha256(data).hexdigest() != digest:
            raise AuthenticationError("the stored job spec is not the one that the request names")
        self._keep(digest, bytes(data))
        spec = decode_spec(bytes(data))
        self._active = None  # whatever fails from here on, the job before is no longer in place
        self._switch(spec)
        loaded, initializer = self._unpickle(spec)
        if initializer is not None:
            try:
                initializer()
            except Exception as error:
                raise InitializerFailed(f"the initializer raised {type(error).__name__}: {error}") from error
        while len(self._jobs) >= _KEPT:
            self._finish(self._jobs.pop(next(iter(self._jobs))))
        self._jobs[digest] = loaded
        return loaded

    def _keep(self, digest: str, data: bytes) -> None:
        """Remember a job spec that is sent once: it may be wanted again before it is in storage."""
        while len(self._specs) >= _KEPT_SPECS:
            del self._specs[next(iter(self._specs))]
        self._specs[digest] = data

    def _unpickle(self, spec: JobSpec) -> tuple[LoadedJob, Callable[[], object] | None]:
        function, initializer, finalizer = self.loads(spec.function), None, None
        if spec.hooks:
            function, initializer, finalizer = function
        retry_on: tuple[type[BaseException], ...] = ()
        if spec.retries:
            retry_on = (Exception,) if spec.retry_on is None else self.loads(spec.retry_on)
        return LoadedJob(spec, _applied(function, spec.applied), retry_on, finalizer), initializer

    def _switch(self, spec: JobSpec) -> None:
        if self._switched is not None:
            self._activate(spec.archive)
            self._place_files(spec.files)
        self._set_variables(spec.env)

    def _activate(self, archive: str | None) -> None:
        if archive == self._archive:
            return
        from wrenml import modules  # noqa: PLC0415  # most jobs bring no modules, and this costs a cold start

        into = os.path.join(self._folder, "code")
        path = None
        if archive is not None:
            path = os.path.join(into, archive)
            if not os.path.isdir(path):
                path = modules.install(self._storage.get(blob_key(archive)), archive, into)
        previous = None if self._archive is None else os.path.join(into, self._archive)
        modules.activate(path, previous)
        self._archive = archive

    def _place_files(self, files: tuple[tuple[str, str], ...]) -> None:
        for name, digest in files:
            target = os.path.abspath(name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(self._storage.get(blob_key(digest)))

    def _set_variables(self, env: Mapping[str, str]) -> None:
        for name, value in self._saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._saved = {name: os.environ.get(name) for name in env}
        os.environ.update(env)

    def restore_variables(self) -> None:
        """Undo what the current job's `env` set: for a process that is not the worker's own."""
        self._set_variables({})
        self._active = None

    def finish(self) -> None:
        """Run the finalizers of all jobs; their exceptions go to standard error."""
        while self._jobs:
            self._finish(self._jobs.popitem()[1])

    @staticmethod
    def _finish(loaded: LoadedJob) -> None:
        if loaded.finalizer is not None:
            try:
                loaded.finalizer()
            except Exception as error:  # noqa: BLE001  # the user's code; there is no call to report it to
                sys.stderr.write(f"wrenml: the finalizer raised {type(error).__name__}: {error}\n")


def _run_coroutine(function: Callable[..., Coroutine[Any, Any, object]], *args: object, **kwargs: object) -> object:
    import asyncio  # noqa: PLC0415  # half of what a cold start imports, and few functions are coroutines

    return asyncio.run(function(*args, **kwargs))


def _applied(function: Callable[..., Any], applied: str) -> Callable[[object], object]:
    if iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__):
        function = partial(_run_coroutine, function)
    if applied == Applied.STAR:
        return lambda element: function(*element)  # type: ignore[misc]
    if applied == Applied.KEYWORDS:
        return lambda element: function(*element[0], **element[1])  # type: ignore[index]
    return function
