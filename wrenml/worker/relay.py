"""How a child without a storage of its own reads and reports: through its supervisor, over their pipe.

::

    child ──question: key, range──▶ supervisor ──get──▶ storage
    child ◀──answer: an open file── supervisor
    child ──outcomes, bodies and all──▶ supervisor ──commit──▶ storage

So a child on Lambda needs neither an AWS client nor credentials for one, whatever variables a job sets, and
what it reads is not copied through the pipe. A child has one request at a time: what it reads next is either
the answer it waits for or its next request.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

from wrenml import errors
from wrenml.storage.base import Buffer, size_of
from wrenml.worker.pipe import read_exactly

__all__ = ["ChildGone", "Line", "Message", "Relay"]

_HEAD = struct.Struct("<BBQQQ")  # kind, request over, next call, lengths of head and bodies
_OUTCOMES, _QUESTION = 0, 1
_ANSWER = struct.Struct("<BQ")  # kind, length
_FILE, _ERROR = 0, 1
_JOINED = 1 << 16


class ChildGone(EOFError):
    """The child has closed its end."""


class Relay:
    """The child's end.

    Parameters
    ----------
    sock : socket
        Of the pipe; it blocks.
    """

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> Buffer:
        """Read an object or a range, over fresh, private memory; see `wrenml.storage.base.Objects.get`."""
        question = json.dumps([key, start, stop]).encode()
        self._sock.sendall(_HEAD.pack(_QUESTION, 0, 0, len(question), 0) + question)
        answer, files, _, _ = socket.recv_fds(self._sock, _ANSWER.size, 1)
        if not answer:
            raise SystemExit
        kind, size = _ANSWER.unpack(answer)
        if kind == _ERROR:
            name, text = json.loads(read_exactly(self._sock, size) or b'["StorageError", null]')
            raise getattr(errors, name)(text)
        try:
            return mmap.mmap(files[0], size, access=mmap.ACCESS_COPY) if size else b""
        finally:
            os.close(files[0])

    def emit(self, head: bytes, bodies: Sequence[Buffer], next_call: int, *, over: bool) -> None:
        """Send a frame, bodies and all; see `wrenml.worker.run.Emit`."""
        size = size_of(bodies) if head else 0
        first = _HEAD.pack(_OUTCOMES, over, next_call, len(head), size) + head
        if size <= _JOINED:
            self._sock.sendall(b"".join((first, *bodies)) if size else first)
            return
        self._sock.sendall(first)
        for body in bodies:
            self._sock.sendall(body)


class Message(NamedTuple):
    """What a child says: outcomes, as head and bodies of a frame; or a question, as key and range."""

    head: memoryview
    bodies: memoryview
    next_call: int
    over: bool
    question: tuple[str, int, int | None] | None


class Line:
    """The supervisor's end.

    Parameters
    ----------
    sock : socket
        Of the pipe; it does not block.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # Unlike select, they take descriptors above 1,023.
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(sock, select.POLLIN)
        self._writable.register(sock, select.POLLOUT)
        self._expect()

    def _expect(self) -> None:
        self._header: tuple[int, int, int, int, int] | None = None
        self._data = bytearray(_HEAD.size)
        self._missing = memoryview(self._data)

    def send(self, parts: Sequence[Buffer], patience: float) -> None:
        """Send a message.

        Raises
        ------
        ChildGone
            If the child is gone, or takes nothing for `patience` seconds.
        """
        left = memoryview(b"".join(parts))
        while left:
            if not self._writable.poll(1000 * patience):
                raise ChildGone
            try:
                left = left[self._sock.send(left) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise ChildGone from error

    def receive(self, patience: float) -> Message | None:
        """The next message; None if it is not complete yet, `patience` seconds or some bytes later.

        Raises
        ------
        ChildGone
            If the child is gone.
        """
        if not self._readable.poll(1000 * max(patience, 0.0)):
            return None
        try:
            count = self._sock.recv_into(self._missing)
        except BlockingIOError:
            return None
        except OSError as error:
            raise ChildGone from error
        if not count:
            raise ChildGone
        self._missing = self._missing[count:]
        if not self._missing and self._header is None:
            self._header = _HEAD.unpack(self._data)
            self._data = bytearray(self._header[3] + self._header[4])
            self._missing = memoryview(self._data)
        return None if self._missing or self._header is None else self._take(*self._header)

    def _take(self, kind: int, over: int, next_call: int, head: int, _bodies: int) -> Message:
        view = memoryview(self._data)
        self._expect()
        question = tuple(json.loads(bytes(view))) if kind == _QUESTION else None
        return Message(view[:head], view[head:], next_call, bool(over), question)

    def answer(self, file: int, size: int) -> None:
        """Give the child a file of this many bytes to map.

        Raises
        ------
        ChildGone
            If the child is gone.
        """
        try:
            socket.send_fds(self._sock, [_ANSWER.pack(_FILE, size)], [file])
        except OSError as error:
            raise ChildGone from error

    def refuse(self, error: errors.WrenmlError, patience: float) -> None:
        """Have the child's question raise this error."""
        text = json.dumps([type(error).__name__, str(error)]).encode()
        self.send([_ANSWER.pack(_ERROR, len(text)), text], patience)
