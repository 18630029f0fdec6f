"""The Invoke operation: what is refused, what runs at once, what is queued."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from typing import Literal, NamedTuple

from wrenml.errors import WrenmlError
from wrenml.testing.emulator.execution.answers import Answer, refusal, throttled
from wrenml.testing.emulator.execution.concurrency import Concurrency
from wrenml.testing.emulator.execution.environments import Event
from wrenml.testing.emulator.execution.queueing import EventQueue
from wrenml.testing.emulator.execution.running import Order, Runner
from wrenml.testing.emulator.functions import Address, Functions
from wrenml.testing.emulator.reports import Books

__all__ = ["Invoking", "Kind", "Request", "check"]

Kind = Literal["RequestResponse", "Event", "DryRun"]

_LIMITS = {"RequestResponse": 6 * 1024 * 1024, "Event": 1024 * 1024, "DryRun": 6 * 1024 * 1024}
_TOO_LARGE, _CONFLICT, _NOT_FOUND, _BAD, _BROKEN = 413, 409, 404, 400, 500


class Request(NamedTuple):
    """What was asked for."""

    address: Address
    kind: Kind
    payload: bytes
    log_tail: bool = False
    client_context: str | None = None


def check(request: Request, request_id: str) -> Answer | None:
    """Refuse what Lambda's front door refuses, whatever the function."""
    limit = _LIMITS[request.kind]
    if len(request.payload) > limit:
        message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        return refusal(_TOO_LARGE, "RequestTooLargeException", message, request_id)
    try:
        json.loads(request.payload or b"{}")
        b64decode(request.client_context or "", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        message = f"Could not parse request body into json: {error}"
        return refusal(_BAD, "InvalidRequestContentException", message, request_id)
    return None


class Invoking:
    """Answers invocations. Belongs to one event loop."""

    def __init__(
        self, functions: Functions, concurrency: Concurrency, runner: Runner, queue: EventQueue, books: Books
    ) -> None:
        self._functions = functions
        self._concurrency = concurrency
        self._runner = runner
        self._queue = queue
        self._books = books

    async def answer(self, request: Request, request_id: str) -> Answer:
        """Run, queue or only check what `check` lets pass."""
        address = request.address
        version = self._functions.resolve(address)
        if version is None:
            message = f"Function not found: {address.name}:{address.qualifier}"
            return refusal(_NOT_FOUND, "ResourceNotFoundException", message, request_id)
        if version.state != "Active":
            message = (
                "The operation cannot be performed at this time. "
                f"The function is currently in the following state: {version.state}"
            )
            return refusal(_CONFLICT, "ResourceConflictException", message, request_id)
        context = b64decode(request.client_context).decode() if request.client_context else None
        event = Event(request_id, request.payload or b"{}", f"{version.arn}:{address.qualifier}", context)
        if request.kind == "RequestResponse":
            return await self._run(Order(version, address.qualifier, event, request.kind), log_tail=request.log_tail)
        if request.kind == "Event":
            self._queue.accept(address, event._replace(client_context=None))
        headers = {"x-amzn-RequestId": request_id, "X-Amz-Executed-Version": version.version}
        return Answer(202 if request.kind == "Event" else 204, headers)

    async def _run(self, order: Order, *, log_tail: bool) -> Answer:
        request_id, name = order.event.request_id, order.version.name
        reason = self._concurrency.enter(name)
        if reason is not None:
            self._books.count("Throttles")
            return throttled(reason, request_id)
        try:
            ran, tail = await self._runner.run(order)
        except (OSError, WrenmlError) as error:
            return refusal(_BROKEN, "ServiceException", f"The environment does not start: {error}", request_id)
        finally:
            self._concurrency.leave(name)
        headers = {
            "Content-Type": "application/json",
            "x-amzn-RequestId": request_id,
            "X-Amz-Executed-Version": order.version.version,
        }
        if ran.fault is not None:
            headers["X-Amz-Function-Error"] = "Unhandled"
        if log_tail:
            headers["X-Amz-Log-Result"] = tail
        return Answer(200, headers, ran.body)
