"""The worker child: a process that runs requests from its pipe until the pipe closes.

It is executed afresh, never forked, keeps its functions warm between requests, and is replaced when a call leaves
something behind that cannot be undone.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import fcntl
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

from wrenml.errors import StorageError
from wrenml.outcome import HEAD_SIZE, RECORD
from wrenml.storage import open_storage
from wrenml.storage.base import IN_MEMORY, Buffer, Storage
from wrenml.worker.capture import Capture
from wrenml.worker.guard import Guard
from wrenml.worker.job import Environment
from wrenml.worker.marks import DUMP_SIGNAL, LEAVING, OUTPUT, map_marks
from wrenml.worker.pipe import UNSTORED, pack_reply, read_request
from wrenml.worker.relay import Relay
from wrenml.worker.run import Aftermath, Runner

__all__ = ["DUMP_SIGNAL", "main"]


def main() -> None:
    """Serve requests; the arguments are descriptors, the storage's URL, a name and the folder for archives."""
    pipe, marks, life, url, worker, folder = sys.argv[1:]
    _end_with(int(life))
    sock = socket.socket(fileno=int(pipe))
    # A process that a call leaves behind must not keep the supervisor from seeing the end of this one.
    sock.set_inheritable(False)
    os.register_at_fork(after_in_child=sock.close)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    faulthandler.enable(sys.stderr)
    faulthandler.register(DUMP_SIGNAL, sys.stderr, all_threads=True)
    storage = open_storage(url) if url else Relay(sock)
    numbers = map_marks(int(marks))
    child = _Child(sock, storage, numbers, worker)
    environment = Environment(storage, folder, child.rebase)
    runner = Runner(environment, child.emit, numbers, child.after, bytes.fromhex(worker))
    try:
        while (received := read_request(sock)) is not None:
            child.begin(received[0].job)
            if not runner.run(*received):
                numbers[LEAVING] = 1
                environment.finish()
                _leave(sock)
    except StorageError as error:
        # Not even a failure can be stored: that is said where the supervisor reads it, who then makes room.
        sys.stderr.write(f"{UNSTORED}{error}\n")
        os._exit(1)
    environment.finish()


class _Child:
    """What the runner needs of a process of its own: capture, clean-up and the way back."""

    def __init__(self, sock: socket.socket, storage: Storage | Relay, marks: memoryview, worker: str) -> None:
        self._sock = sock
        self._marks = marks
        self._storage = storage
        self._worker = worker
        self._capture = Capture(1)
        self._guard: Guard | None = None
        self._job = ""

    def begin(self, job: str) -> None:
        self._job = job

    def rebase(self) -> None:
        if self._guard is None:
            self._guard = Guard()
        else:
            self._guard.rebase()

    def after(self) -> Aftermath | None:
        try:
            output = self._capture.take()
        except OSError:
            return Aftermath(None, clean=False)  # the call has closed its standard output
        if output is not None:
            self._marks[OUTPUT] = self._capture.start
        clean = self._guard is None or self._guard.restore()
        return None if clean and output is None else Aftermath(output, clean)

    def emit(self, head: bytes, bodies: Sequence[Buffer], next_call: int, *, over: bool) -> None:
        start = stop = 0
        in_memory = False
        if isinstance(self._storage, Relay):
            self._storage.emit(head, bodies, next_call, over=over)
            return
        if head:
            frame = [head, *bodies]
            first, *_ = RECORD.unpack_from(head, HEAD_SIZE)
            _, key, start, stop = self._storage.commit(self._job, first, frame, attempt=None, writer=self._worker)
            in_memory = key.endswith(IN_MEMORY)
        self._sock.sendall(pack_reply(head, bodies, next_call, over=over, start=start, stop=stop, in_memory=in_memory))


def _leave(sock: socket.socket) -> NoReturn:
    """End this process although a call has left threads that would be waited for."""
    sock.shutdown(socket.SHUT_RDWR)
    atexit._run_exitfuncs()  # noqa: SLF001  # the interpreter's own way waits for threads first
    os._exit(0)


def _end_with(life: int) -> None:
    """End this process, and what it started, as soon as the supervisor is gone, whatever it is doing."""
    platform: str = sys.platform
    if platform == "linux":
        # Opened anew, since the descriptor that was inherited is one with those of the other workers.
        own = os.open(f"/proc/self/fd/{life}", os.O_RDONLY | os.O_NONBLOCK)
        # The kernel sends SIGIO to the group when the last writer of this pipe is gone; nobody handles it: the end.
        fcntl.fcntl(own, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(own, fcntl.F_SETFL, fcntl.fcntl(own, fcntl.F_GETFL) | os.O_ASYNC)
        ended = select.poll()  # which, unlike select, takes descriptors above 1,023
        ended.register(life, select.POLLIN)
        if ended.poll(0):
            os._exit(1)
        return
    threading.Thread(target=_watch, args=(life,), daemon=True).start()


def _watch(life: int) -> None:
    with contextlib.suppress(OSError):
        os.read(life, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)
