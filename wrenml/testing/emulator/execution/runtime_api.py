"""The Runtime API of Lambda, version 2018-06-01, on loopback: what one process asks for work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["MAX_RESPONSE", "Invocation", "Posted", "RuntimeApi"]

MAX_RESPONSE = 6 * 1024 * 1024 + 100
"""Bytes of the largest response."""

_PATH = "/2018-06-01/runtime/"
_REASONS = {200: "OK", 202: "Accepted", 400: "Bad Request", 404: "Not Found", 413: "Payload Too Large"}


class Invocation(NamedTuple):
    """An event as the runtime is given it; `deadline_ms` is since the epoch."""

    request_id: str
    payload: bytes
    deadline_ms: int
    arn: str
    client_context: str | None = None


class Posted(NamedTuple):
    """What the runtime posted: a ``response``, an ``error`` or an ``init/error``; too large ones without their body."""

    what: str
    body: bytes
    kind: str = ""


class RuntimeApi:
    """Hands one process one invocation at a time. Belongs to the event loop that opened it."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.posted: asyncio.Queue[Posted] = asyncio.Queue()
        self._invocations: asyncio.Queue[Invocation] = asyncio.Queue()
        self._current = ""
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> str:
        """Listen; return host and port, as ``AWS_LAMBDA_RUNTIME_API`` holds them."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    async def close(self) -> None:
        """Listen no more; the process is gone."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def hand_out(self, invocation: Invocation) -> None:
        """Give the process an invocation, at once or as soon as it asks."""
        self._current = invocation.request_id
        self.ready.clear()
        self._invocations.put_nowait(invocation)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._connection(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *lines = head.decode("latin-1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
                if headers.get("expect", "").lower() == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                writer.write(await self._answer(line.split(" ")[1].removeprefix(_PATH), headers, body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the process has ended
        finally:
            writer.close()

    async def _answer(self, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        if path == "invocation/next":
            return await self._next()
        kind = headers.get("lambda-runtime-function-error-type", "")
        if path == "init/error":
            self.posted.put_nowait(Posted(path, body, kind))
            return _http(202, b'{"status":"OK"}')
        _, request_id, what = (*path.split("/"), "", "")[:3]
        if what not in {"response", "error"}:
            return _http(404, _error("InvalidPath", f"there is no {path}"))
        if request_id != self._current:
            return _http(400, _error("InvalidRequestID", "Invalid request ID"))
        self._current = ""
        if len(body) > MAX_RESPONSE:
            self.posted.put_nowait(Posted("too large", b""))
            return _http(
                413, _error("RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({MAX_RESPONSE})")
            )
        self.posted.put_nowait(Posted(what, body, kind))
        return _http(202, b'{"status":"OK"}')

    async def _next(self) -> bytes:
        self.ready.set()
        invocation = await self._invocations.get()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.arn,
        }
        if invocation.client_context is not None:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        return _http(200, invocation.payload, headers)


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorMessage": message, "errorType": kind}).encode()


def _http(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    all_headers = {**(headers or {}), "Content-Type": "application/json", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in all_headers.items())
    return f"HTTP/1.1 {status} {_REASONS[status]}\r\n{head}\r\n".encode("latin-1") + body
