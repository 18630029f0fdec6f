"""HTTP/1.1 over connections that are kept: many threads, one pool for each server.

::

    Pool.send ──takes──▶ a kept connection, or a new one ──▶ Answer ──its body read──▶ kept again
                         closed by the server meanwhile: dropped; sent again if nothing can go wrong
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from ssl import SSLCertVerificationError
from typing import BinaryIO, cast

from wrenml.aws.answers import Answer, NoAnswerError, read_answer
from wrenml.aws.failures import UnreachableError
from wrenml.aws.payload import Payload
from wrenml.aws.routes import Address, Trust, connection_to, proxy_for

__all__ = ["CONNECTIONS", "Pool", "Request"]

CONNECTIONS = 128
"""How many idle connections a pool keeps."""

_CONNECT_SECONDS = 5.0
_IDLE_SECONDS = 15.0
_TOGETHER = 1 << 16


@dataclass(slots=True)
class Request:
    """What is sent.

    Parameters
    ----------
    method : str
        The HTTP method.
    target : str
        Path and query.
    headers : dict of str to str
        All of them but ``Content-Length``.
    payload : Payload
        The body.
    repeatable : bool
        Whether it may be sent twice though the first one may have been acted on.
    seconds : float
        How long the server may be silent.
    """

    method: str
    target: str
    headers: dict[str, str]
    payload: Payload
    repeatable: bool
    seconds: float


class Pool:
    """Connections to one server. Threads may share it; a forked process starts with none.

    There are as many connections as requests at the same time, and at most `CONNECTIONS` stay open between
    them.

    Parameters
    ----------
    address : Address
        The server.
    trust : Trust
        Whose certificates it may show.
    now : callable, optional
        The wall clock, seconds: unlike others it also counts what a frozen machine slept.
    """

    def __init__(self, address: Address, trust: Trust, now: Callable[[], float] = time.time) -> None:
        self._kept: deque[_Connection] = deque()
        self._address = address
        self._trust = trust
        self._proxy = proxy_for(address)
        self._now = now
        self._pid = os.getpid()

    def send(self, request: Request) -> Answer:
        """Send a request and read the head of the answer.

        Parameters
        ----------
        request : Request
            What is sent. Where a kept connection turns out to be closed, it is sent again over a new one if it
            is repeatable.

        Raises
        ------
        UnreachableError
            There is no answer, or only a part of one.
        ConfigError
            The certificates cannot be read.
        """
        head = self._head(request)
        while True:
            connection = self._take()
            used = connection is not None
            try:
                if connection is None:
                    connection = self._open()
                return connection.exchange(head, request, self._keep)
            except (OSError, HTTPException, UnreachableError) as error:
                if connection is not None:
                    connection.close()
                if used and request.repeatable and isinstance(error, NoAnswerError | ConnectionError):
                    continue
                if isinstance(error, UnreachableError):
                    raise
                raise self._unreachable(error) from error

    def close(self) -> None:
        """Close the connections that are kept."""
        with suppress(IndexError):
            while True:
                self._kept.pop().close()

    def __del__(self) -> None:
        # A storage that was unpickled and dropped has nobody who closes it.
        self.close()

    def _head(self, request: Request) -> bytes:
        target = request.target
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        if self._proxy is not None and not self._address.secure:
            target = self._address.url + target
            lines += [f"{name}: {value}" for name, value in self._proxy.headers.items()]
        if request.payload.size or request.method in {"PUT", "POST"}:
            lines.append(f"content-length: {request.payload.size}")
        text = "\r\n".join([f"{request.method} {target} HTTP/1.1", *lines, "", ""])
        if text.count("\r") + text.count("\n") != 2 * len(lines) + 4:
            raise UnreachableError("a header holds a line break", passing=False)
        return text.encode("latin-1")

    def _take(self) -> _Connection | None:
        if self._pid != os.getpid():
            # Closing our copies does not end the parent's connections.
            self.close()
            self._pid = os.getpid()
        while True:
            try:
                connection = self._kept.pop()
            except IndexError:
                return None
            if 0 <= self._now() - connection.since < _IDLE_SECONDS and not connection.is_closed():
                return connection
            connection.close()

    def _open(self) -> _Connection:
        context = self._trust.context() if self._address.secure else None
        connection = connection_to(self._address, self._proxy, context, _CONNECT_SECONDS)
        connection.connect()
        wire: socket.socket = connection.sock
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return _Connection(wire)

    def _keep(self, connection: _Connection) -> None:
        if self._pid == os.getpid() and len(self._kept) < CONNECTIONS:
            connection.since = self._now()
            self._kept.append(connection)
        else:
            connection.close()

    def _unreachable(self, error: Exception) -> UnreachableError:
        # A certificate that is not believed now will not be later.
        passing = not isinstance(error, SSLCertVerificationError)
        return UnreachableError(f"{self._address.url}: {type(error).__name__}: {error}", passing=passing)


class _Connection:
    def __init__(self, wire: socket.socket) -> None:
        self._socket = wire
        self._source = cast("BinaryIO", wire.makefile("rb", buffering=_TOGETHER))
        self.since = 0.0

    def is_closed(self) -> bool:
        # Nothing was asked, so something to read means the end.
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def exchange(self, head: bytes, request: Request, keep: Callable[[_Connection], None]) -> Answer:
        self._socket.settimeout(request.seconds)
        refused = False

        def over(reusable: bool) -> None:  # noqa: FBT001 - called with one value only
            if reusable and not refused:
                keep(self)
            else:
                self.close()

        try:
            self._write(head, request.payload)
        except ConnectionError:
            # A server that refuses a large body answers before it has read it all.
            refused = True
        answer = read_answer(self._source, request.method, over)
        if refused and answer.status < 300:  # noqa: PLR2004 - success cannot come of half a request
            raise UnreachableError("the server answered before it had read the request")
        return answer

    def _write(self, head: bytes, payload: Payload) -> None:
        if payload.size <= _TOGETHER:
            self._socket.sendall(b"".join([head, *payload.blocks()]))
            return
        self._socket.sendall(head)
        for block in payload.blocks():
            self._socket.sendall(block)

    def close(self) -> None:
        with suppress(OSError):
            self._source.close()
        with suppress(OSError):
            self._socket.close()
