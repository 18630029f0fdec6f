"""What a call may change of its process, and how the next call is kept from noticing."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from _signal import getsignal  # type: ignore[import-not-found]  # signal.getsignal makes an enum member of every answer: 30 times slower
from _thread import _count as thread_count

__all__ = ["Guard"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1)
_TELLTALES = frozenset(
    (
        "os.chdir",
        "os.putenv",
        "os.unsetenv",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "subprocess.Popen",
    )
)


class Guard:
    """Restores working directory, environment, import path, signal handlers and logging between calls.

    Threads and processes left behind cannot be undone: for those the process is ended and replaced. Comparing the
    whole state takes longer than a short call, so an audit hook tells when there is something to compare.
    """

    __slots__ = (
        "_cwd",
        "_environ",
        "_handlers",
        "_level",
        "_path",
        "_root",
        "_signals",
        "_threads",
        "_touched",
    )

    def __init__(self) -> None:
        self._root = logging.getLogger()
        self._touched = False
        sys.addaudithook(self._audit)
        self.rebase()

    def _audit(self, event: str, _args: tuple[object, ...]) -> None:
        if event in _TELLTALES:
            self._touched = True

    def rebase(self) -> None:
        """Take the state of now as the one to restore."""
        self._cwd = os.getcwd()
        self._environ = dict(os.environ)
        self._path = list(sys.path)
        self._signals = [getsignal(number) for number in _SIGNALS]
        self._handlers = list(self._root.handlers)
        self._level = (self._root.level, self._root.manager.disable)
        self._threads = thread_count()
        self._touched = False

    def restore(self) -> bool:
        """Put back what the call changed; False if something was left behind that cannot be undone."""
        clean = True
        if self._touched:
            self._restore_process()
            clean = not self._has_children()
            self._touched = False
        if sys.path != self._path:
            sys.path[:] = self._path
        if [getsignal(number) for number in _SIGNALS] != self._signals:
            signal.alarm(0)
            for number, handler in zip(_SIGNALS, self._signals, strict=True):
                signal.signal(number, handler)
        root = self._root
        if root.handlers != self._handlers:
            root.handlers[:] = self._handlers
        if (root.level, root.manager.disable) != self._level:
            root.setLevel(self._level[0])
            logging.disable(self._level[1])
        return clean and (thread_count() <= self._threads or self._threads_ended())

    def _restore_process(self) -> None:
        try:
            moved = os.getcwd() != self._cwd
        except FileNotFoundError:
            moved = True
        if moved:
            os.makedirs(self._cwd, exist_ok=True)
            os.chdir(self._cwd)
        if dict(os.environ) != self._environ:
            os.environ.clear()
            os.environ.update(self._environ)

    def _threads_ended(self) -> bool:
        """Whether the extra threads were only about to end."""
        for thread in threading.enumerate():
            if thread is not threading.main_thread():
                thread.join(0.05)
        return thread_count() <= self._threads

    @staticmethod
    def _has_children() -> bool:
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True
