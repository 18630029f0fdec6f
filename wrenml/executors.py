"""Making executors: which backend, from which settings."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from typing import Any, Unpack, cast

from wrenml.attaching import attach
from wrenml.config import Settings, load_settings, root_key_path
from wrenml.cpus import usable_cpus
from wrenml.errors import ConfigError, NotSupportedError
from wrenml.executor import Executor
from wrenml.futures import Future
from wrenml.invoke.inline import InlineInvoker
from wrenml.invoke.local import LocalInvoker
from wrenml.monitor.expiry import expire_daily
from wrenml.observe import say_backend, standard_hooks
from wrenml.options import MapOptions, Options, resolve_options
from wrenml.rootkey import RootKey, load_root_key
from wrenml.session import Session, open_sessions
from wrenml.storage import LocalStorage, MemoryStorage
from wrenml.worker import context

__all__ = ["default_executor", "inline_executor", "local_executor", "reopened_future", "session_for"]

_shared: dict[object, Executor] = {}
_lock = threading.Lock()


def inline_executor(**options: Unpack[MapOptions]) -> Executor:
    """An executor that runs calls in this process, one after another, so that a debugger works in them.

    Parameters
    ----------
    **options
        Defaults of every map; see `wrenml.Options`.
    """
    return _inline(_given(options))


def _inline(options: Options) -> Executor:
    storage = MemoryStorage(os.urandom(8).hex())
    root = RootKey(os.urandom(32), persistent=False, why="inline jobs live in this process only")
    session = Session("inline", storage, root, InlineInvoker(storage), 1, threaded=False, reopen=reopened_future)
    return _observed(Executor(session, options, (_inline, (options,))))


def local_executor(workers: int | None = None, **options: Unpack[MapOptions]) -> Executor:
    """An executor that runs calls in worker processes of this machine.

    Inside a call it is an inline executor: workers start no workers.

    Parameters
    ----------
    workers : int, optional
        The most processes at a time. Default: the usable cores.
    **options
        Defaults of every map; see `wrenml.Options`.

    Raises
    ------
    NotSupportedError
        On other systems than Linux and macOS.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"workers={workers!r}: give 1 or more, or None for one for each usable core")
    return _local(workers, _given(options), _settings().cache_dir)


def _local(workers: int | None, options: Options, folder: str) -> Executor:
    if context.current() is not None:
        return _nested(options)
    if sys.platform not in ("linux", "darwin"):
        raise NotSupportedError(
            f"local workers need Linux or macOS, this is {sys.platform}; inline_executor() runs calls in this process"
        )
    storage = LocalStorage(folder)
    root = load_root_key(root_key_path(os.environ, "local"))
    count = workers or usable_cpus()
    invoker = LocalInvoker(storage, count, folder)
    session = Session("local", storage, root, invoker, count, threaded=True, reopen=reopened_future)
    expire_daily(folder)
    return _observed(Executor(session, options, (_local, (workers, options, folder))))


def _observed(executor: Executor) -> Executor:
    # The output of a call is kept with its outcome: progress of maps inside it would only blur that.
    if context.current() is None:
        for hook in standard_hooks(os.environ):
            executor.observe(hook)
    return executor


def _nested(options: Options) -> Executor:
    sys.stderr.write("wrenml: inside a call maps run inline, one element after another\n")
    return _inline(options)


def default_executor(**options: Unpack[MapOptions]) -> Executor:
    """The executor that the settings name; the same one each time, until it is shut down.

    Inside a call: inline. Otherwise ``WRENML_BACKEND`` (``inline``, ``local`` or ``aws``), then ``[tool.wrenml]`` in the
    nearest ``pyproject.toml``, then the user's configuration file, then local.

    Parameters
    ----------
    **options
        Defaults of every map, over those of the settings; see `wrenml.Options`.

    Raises
    ------
    ConfigError
        If a setting has an impossible value; the message names file and key.
    """
    if context.current() is not None:
        return _nested(_given(options))
    settings = _settings()
    resolved = resolve_options(cast("Mapping[str, object]", options), base=settings.options)
    key = (settings.backend, settings.workers, settings.cache_dir, os.getpid(), repr(options))
    with _lock:
        executor = _shared.get(key)
        if executor is None or executor.closed:
            executor = _shared[key] = _from(settings, resolved)
            say_backend(os.environ, settings.backend, settings.why, executor.session.workers)
    return executor


def _from(settings: Settings, options: Options) -> Executor:
    if settings.backend == "inline":
        return _inline(options)
    if settings.backend == "local":
        return _local(settings.workers, options, settings.cache_dir)
    raise NotSupportedError(
        f"the backend {settings.backend!r} ({settings.why}) is not in this version of wrenml; choose inline or local"
    )


def session_for(url: str) -> Session:
    """A session on the storage of that URL: this process's own where there is one.

    Raises
    ------
    NotSupportedError
        If the storage is not one of local files.
    """
    with _lock:
        for session in open_sessions():
            if session.storage.url == url:
                return session
        if not url.startswith("file://"):
            raise NotSupportedError(f"a future in {url} can be read in the process that made it only")
        executor = _shared[url] = _local(None, Options(), url.removeprefix("file://"))
        return executor.session


def reopened_future(url: str, job: str, call: int) -> Future[Any]:
    """Make a pickled future again: called by pickle in the process that reads it.

    Parameters
    ----------
    url : str
        Of the storage.
    job : str
        Job id.
    call : int
        Number of the call.

    Raises
    ------
    JobNotFoundError, AuthenticationError
        As `Executor.attach`.
    """
    return attach(session_for(url), job)[call]


def _settings() -> Settings:
    return load_settings(os.environ, os.getcwd())


def _given(options: MapOptions) -> Options:
    return resolve_options(cast("Mapping[str, object]", options), base=_settings().options)
