"""Puts executors together; `wrenml.executors` loads this, and with it the whole client, when it makes the first."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any

from wrenml.attaching import attach
from wrenml.executor import Executor
from wrenml.futures import Future
from wrenml.invoke.inline import InlineInvoker
from wrenml.invoke.local import LocalInvoker
from wrenml.invoke.starting import Starter
from wrenml.monitor.expiry import expire_daily
from wrenml.monitor.job import Job
from wrenml.observe import standard_hooks
from wrenml.options import Options
from wrenml.rootkey import RootKey
from wrenml.session import Session, open_sessions
from wrenml.storage import LocalStorage, MemoryStorage
from wrenml.worker import context

__all__ = ["Remake", "Reopen", "inline", "local", "observed", "reopened", "session_on"]

Remake = tuple[Callable[..., Executor], tuple[object, ...]]
Reopen = Callable[[str, str, int], Future[Any]]

_reopened: weakref.WeakValueDictionary[tuple[str, str], Job] = weakref.WeakValueDictionary()


def inline(options: Options, remake: Remake, reopen: Reopen) -> Executor:
    """Make an executor that runs calls in this process.

    Parameters
    ----------
    options : Options
        Defaults of every map.
    remake : tuple of callable and arguments
        How to make it again in another process.
    reopen : callable
        How to make its futures again in another process.
    """
    storage = MemoryStorage(os.urandom(8).hex())
    root = RootKey(os.urandom(32), persistent=False, why="inline jobs live in this process only")
    session = Session("inline", storage, root, InlineInvoker(storage), 1, threaded=False, reopen=reopen)
    return observed(Executor(session, options, remake))


def local(
    folder: str, root: RootKey, starter: Starter, workers: int, options: Options, remake: Remake, reopen: Reopen
) -> Executor:
    """Make an executor that runs calls in worker processes.

    Parameters
    ----------
    folder : str
        Of local jobs.
    root : RootKey
        The root key.
    starter : Starter
        Of workers, for that folder.
    workers : int
        The most processes at a time.
    options, remake, reopen
        As for `inline`.
    """
    invoker = LocalInvoker(storage := LocalStorage(folder), workers, folder, starter)
    session = Session("local", storage, root, invoker, workers, threaded=True, reopen=reopen)
    expire_daily(folder)
    return observed(Executor(session, options, remake))


def observed(executor: Executor) -> Executor:
    """The executor, with the hooks that every one has."""
    # The output of a call is kept with its outcome: progress of maps inside it would only blur that.
    if context.current() is None:
        for hook in standard_hooks(os.environ):
            executor.observe(hook)
    return executor


def session_on(url: str) -> Session | None:
    """This process's own session on the storage of that URL, if there is one."""
    return next((session for session in open_sessions() if session.storage.url == url), None)


def reopened(session: Session, job: str, call: int) -> Future[Any]:
    """Attach to the future of a job.

    Raises
    ------
    JobNotFoundError, AuthenticationError
        As `Executor.attach`.
    """
    # The futures of one map, pickled one by one, belong to one job again, which is read once.
    key = (session.storage.url, job)
    known = _reopened.get(key)
    if known is not None and isinstance(known.futures, list) and call < len(known.futures):
        return known.futures[call]
    future = attach(session, job)[call]
    if isinstance(future.owner, Job):
        _reopened[key] = future.owner
    return future
