"""HTTP/1.1 on loopback, as little of it as AWS's clients speak: one thread for each kept connection."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import parse_qsl

__all__ = ["Answer", "Request", "WebServer"]

_LONGEST_LINE = 1 << 16
_JOINED = 1 << 16
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_BODILESS = {204, 304}


@dataclass(slots=True)
class Request:
    """One request as it came.

    Parameters
    ----------
    method : str
        In capitals.
    path : str
        As sent: still percent-encoded, without the query.
    query : mapping of str to str
        Decoded; a name without a value has an empty one.
    headers : mapping of str to str
        By their names in lower case.
    body : bytes
        Without any transfer encoding.
    raw_query : str
        The query as sent.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    raw_query: str = ""


@dataclass(slots=True)
class Answer:
    """What is sent back.

    Parameters
    ----------
    status : int
        HTTP status.
    body : bytes or memoryview
        What follows the headers.
    headers : dict
        Beside the body's length.
    cut : int, optional
        Reset the connection after so many bytes of the body; -1 closes it before anything is sent.
    """

    status: int = 200
    body: bytes | memoryview = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


class _BadRequestError(Exception):
    """What came is not HTTP."""


class WebServer:
    """Answers requests until it is closed.

    Parameters
    ----------
    answer : callable
        Answers one request; called from many threads.
    port : int
        On 127.0.0.1; 0 takes a free one.
    """

    def __init__(self, answer: Callable[[Request], Answer], port: int = 0) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._closed = False
        self._acceptor = threading.Thread(target=self._accept, name="emulator-accept", daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            thread = threading.Thread(target=self._serve, args=(sock,), name="emulator-connection", daemon=True)
            with self._lock:
                if self._closed:
                    sock.close()
                    return
                self._open[sock] = thread
                thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with sock.makefile("rb") as stream:
                while request := _read(stream, sock):
                    answer = self._answer(request)
                    _send(sock, request, answer)
                    if answer.cut is not None or request.headers.get("connection") == "close":
                        break
        except (OSError, _BadRequestError, ValueError):
            pass
        finally:
            sock.close()
            with self._lock:
                self._open.pop(sock, None)

    def close(self) -> None:
        """Close every connection and end every thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            threads = list(self._open.values())
            for sock in self._open:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            # A thread that waits in accept hears of nothing but a connection.
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        self._acceptor.join()
        self._listener.close()
        for thread in threads:
            thread.join()


def _read(stream: BinaryIO, sock: socket.socket) -> Request | None:
    line = stream.readline(_LONGEST_LINE)
    if not line:
        return None
    parts = line.decode("latin-1").split()
    if len(parts) != 3:  # noqa: PLR2004 - method, target, version
        raise _BadRequestError(line)
    method, target, _ = parts
    headers = _read_headers(stream)
    if headers.get("expect", "").lower() == "100-continue":
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    path, _, raw_query = target.partition("?")
    query = dict(parse_qsl(raw_query, keep_blank_values=True)) if raw_query else {}
    return Request(method, path, query, headers, _read_body(stream, headers), raw_query)


def _read_headers(stream: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    while (line := stream.readline(_LONGEST_LINE)) not in {b"\r\n", b"\n"}:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise _BadRequestError(line)
        headers[name.lower()] = value.strip()
    return headers


def _read_body(stream: BinaryIO, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = _read_chunks(stream)
    else:
        size = int(headers.get("content-length", 0))
        body = stream.read(size) if size else b""
        if len(body) < size:
            raise _BadRequestError("the body ended early")
    if "aws-chunked" in headers.get("content-encoding", ""):
        return _unchunk(body)
    return body


def _read_chunks(stream: BinaryIO) -> bytes:
    chunks = []
    while size := int(stream.readline(_LONGEST_LINE).partition(b";")[0], 16):
        chunks.append(stream.read(size))
        stream.readline(_LONGEST_LINE)
    while stream.readline(_LONGEST_LINE) not in {b"\r\n", b"\n", b""}:
        pass
    return b"".join(chunks)


def _unchunk(body: bytes) -> bytes:
    """Take apart what AWS's clients send in signed chunks; trailing headers are passed over."""
    chunks: list[bytes] = []
    at = 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].partition(b";")[0], 16)
        if not size:
            return b"".join(chunks)
        chunks.append(body[end + 2 : end + 2 + size])
        at = end + 4 + size


def _send(sock: socket.socket, request: Request, answer: Answer) -> None:
    if answer.cut == -1:
        _reset(sock)
        return
    lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    if answer.status not in _BODILESS and "Content-Length" not in answer.headers:
        lines.append(f"Content-Length: {len(answer.body)}")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
    body = b"" if request.method == "HEAD" or answer.status in _BODILESS else answer.body
    if answer.cut is not None:
        sock.sendall(head + bytes(body[: answer.cut]))
        _reset(sock)
    elif len(body) <= _JOINED:
        sock.sendall(head + bytes(body))
    else:
        sock.sendall(head)
        sock.sendall(body)


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
