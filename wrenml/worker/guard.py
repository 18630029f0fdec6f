"""What a call may change of its process, and how the next call is kept from noticing."""

from __future__ import annotations

import _locale
import contextlib
import functools
import logging
import os
import signal
import sys
import threading
import warnings
from _thread import _count as thread_count
from collections.abc import Callable
from typing import Any

__all__ = ["Guard"]

_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGALRM,
    signal.SIGHUP,
    signal.SIGCHLD,
    signal.SIGUSR1,
    signal.SIGPIPE,
    signal.SIGQUIT,
    signal.SIGPROF,
    signal.SIGVTALRM,
)
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_VARIABLES = frozenset(("os.putenv", "os.unsetenv"))
_TELLTALES = frozenset(
    (
        "os.chdir",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.rename",
        "os.rmdir",
        "os.spawn",
        "os.system",
        "subprocess.Popen",
        "sys.setprofile",
        "sys.settrace",
    )
)
# What changes the process without an audit event. To look after each call costs system calls, so they are made to tell.
_SILENT: tuple[tuple[Any, str], ...] = (
    (signal, "signal"),
    (signal, "alarm"),
    (signal, "setitimer"),
    (signal, "pthread_sigmask"),
    (os, "umask"),
    (sys, "setrecursionlimit"),
    (_locale, "setlocale"),
)


class Guard:
    """Restores between calls what one call may change of its process and the next one would notice.

    That is: working directory, environment, import path, signal handlers, mask and timers, umask, locale, recursion
    limit, tracing, standard streams, logging, warning filters. Threads and processes left behind cannot be undone:
    for those the process is ended and replaced.

    Comparing the whole state takes longer than a short call, so audit hooks, and the functions that raise no audit
    event, tell when there is something to compare.
    """

    def __init__(self) -> None:
        self._root = logging.getLogger()
        self._touched = False
        self._variables: set[bytes] = set()
        sys.addaudithook(self._audit)
        for module, name in (*_SILENT, (sys.modules.get("locale"), "setlocale")):
            if module is not None:
                setattr(module, name, self._telling(getattr(module, name)))
        self.rebase()

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _TELLTALES:
            self._touched = True
        elif event in _VARIABLES:
            self._touched = True
            self._variables.add(args[0])

    def _telling(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def told(*args: object, **kwargs: object) -> object:
            self._touched = True
            return function(*args, **kwargs)

        return told

    def rebase(self) -> None:
        """Take the state of now as the one to restore."""
        self._cwd = os.getcwd()
        self._environ = dict(os.environ)
        self._path = list(sys.path)
        self._signals = [signal.getsignal(number) for number in _SIGNALS]
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._umask = _umask()
        self._locale = _locale.setlocale(_locale.LC_ALL)
        self._limit = sys.getrecursionlimit()
        self._tracing = sys.gettrace(), sys.getprofile()
        self._streams = sys.stdout, sys.stderr
        self._filters = list(warnings.filters)
        self._show = warnings.showwarning
        self._handlers = list(self._root.handlers)
        self._level = (self._root.level, self._root.manager.disable)
        self._threads = thread_count()
        self._forget()

    def _forget(self) -> None:
        self._touched = False
        self._variables.clear()

    def restore(self) -> bool:
        """Put back what the call changed; False if something was left behind that cannot be undone."""
        clean = True
        if self._touched:
            self._restore_process()
            clean = not _has_children()
            self._forget()
        if sys.path != self._path:
            sys.path = self._path.copy()
        stdout, stderr = self._streams
        if sys.stdout is not stdout or sys.stderr is not stderr:
            sys.stdout, sys.stderr = stdout, stderr
        if stdout.closed or stderr.closed:
            clean = False
        if warnings.filters != self._filters or warnings.showwarning is not self._show:
            self._restore_warnings()
        root = self._root
        if root.handlers != self._handlers:
            root.handlers[:] = self._handlers
        if (root.level, root.manager.disable) != self._level:
            root.setLevel(self._level[0])
            logging.disable(self._level[1])
        return clean and (thread_count() <= self._threads or self._threads_ended())

    def _restore_process(self) -> None:
        for timer in _TIMERS:
            if signal.getitimer(timer)[0]:
                signal.setitimer(timer, 0)
        for number, handler in zip(_SIGNALS, self._signals, strict=True):
            if signal.getsignal(number) != handler:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        os.umask(self._umask)
        self._restore_folder()
        for name in [os.fsdecode(name) for name in self._variables]:
            value = self._environ.get(name)
            if value is not None:
                os.environ[name] = value
            else:
                os.environ.pop(name, None)
                os.unsetenv(name)
        if _locale.setlocale(_locale.LC_ALL) != self._locale:
            _locale.setlocale(_locale.LC_ALL, self._locale)
        if sys.getrecursionlimit() != self._limit:
            sys.setrecursionlimit(self._limit)
        sys.settrace(self._tracing[0])
        sys.setprofile(self._tracing[1])

    def _restore_folder(self) -> None:
        try:
            moved = os.getcwd() != self._cwd or not os.path.isdir(self._cwd)
        except FileNotFoundError:
            moved = True
        if moved:
            os.makedirs(self._cwd, mode=0o700, exist_ok=True)
            os.chdir(self._cwd)

    def _restore_warnings(self) -> None:
        logging.captureWarnings(False)  # noqa: FBT003  # its only parameter
        warnings.showwarning = self._show
        # Written into the list alone, the filters would not reach what has been warned of before.
        warnings.resetwarnings()
        warnings.filters[:] = self._filters  # type: ignore[index]  # it is a list

    def _threads_ended(self) -> bool:
        """Whether the extra threads were only about to end."""
        for thread in threading.enumerate():
            if thread is not threading.main_thread():
                thread.join(0.05)
        return thread_count() <= self._threads


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now


def _has_children() -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return True
    return False
