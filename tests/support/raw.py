"""A server whose every byte a test decides."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock, Thread

__all__ = ["Asked", "RawServer", "answer", "serving"]


@dataclass(frozen=True)
class Asked:
    """One request: over which connection, and what it said."""

    connection: int
    number: int
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


Script = Callable[[Asked], "bytes | None"]
"""Bytes to send; None closes the connection, and so does ``b""`` after what was sent."""


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class RawServer:
    """Listens on loopback; `asked` is what came, in order."""

    script: Script
    tls: ssl.SSLContext | None = None
    early: bool = False
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self._lock = Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.open: list[socket.socket] = []
        self._connections = 0
        Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        return self._connections

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for wire in self.open:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            self.open.append(wire)
            self._connections += 1
            Thread(target=self._serve, args=(wire, self._connections), daemon=True).start()

    def _serve(self, wire: socket.socket, connection: int) -> None:
        with suppress(OSError, ValueError):
            secured = self.tls.wrap_socket(wire, server_side=True) if self.tls else wire
            with secured, secured.makefile("rb") as source:
                while line := source.readline():
                    self._one(secured, source, connection, line)
        with suppress(OSError):
            wire.close()

    def _one(self, wire: socket.socket, source: object, connection: int, line: bytes) -> None:
        method, target, _ = line.decode().split()
        headers = {}
        while text := source.readline().decode("latin-1").strip():  # type: ignore[attr-defined]
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if self.early else int(headers.get("content-length", "0"))
        body: bytes = source.read(length)  # type: ignore[attr-defined]
        with self._lock:
            asked = Asked(connection, len(self.asked), method, target, headers, body)
            self.asked.append(asked)
        said = self.script(asked)
        if said is not None:
            wire.sendall(said)
        if said is None or b"close-now" in said:
            raise ValueError
        if method == "CONNECT":
            _pipe(wire, target)
            raise ValueError


def _pipe(wire: socket.socket, target: str) -> None:
    host, _, port = target.partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as there:

        def back() -> None:
            with suppress(OSError):
                while data := there.recv(65536):
                    wire.sendall(data)
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)

        Thread(target=back, daemon=True).start()
        while data := wire.recv(65536):
            there.sendall(data)


@contextmanager
def serving(script: Script, *, tls: ssl.SSLContext | None = None, early: bool = False) -> Iterator[RawServer]:
    """A server for the duration of a block."""
    server = RawServer(script, tls, early)
    try:
        yield server
    finally:
        server.close()
