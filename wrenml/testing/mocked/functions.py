"""Lambda's answer to ``Invoke``: what it refuses, what it takes, and what becomes of it."""

from __future__ import annotations

import json
import threading
import time
import traceback
import uuid
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from wrenml.aws.deployment import Deployment, function_name
from wrenml.testing.mocked.environments import ClosedError, Environments
from wrenml.testing.mocked.tap import make_answer
from wrenml.worker.remote import Remote

__all__ = ["Deed", "Failure", "MockedLambda"]

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_SYNCHRONOUS, _ASYNCHRONOUS = 6_291_556, 1 << 20  # bytes of a payload
_LIVE = "$LATEST"
_MOMENT = 1.0  # seconds

Failure = Literal["timeout", "crash", "memory"]
"""How an environment may end: over its time, by itself, or killed for its memory."""

Deed = Literal["drop", "duplicate", "timeout", "crash", "memory"]
"""What may be done to an event, instead of running it once."""

# https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html
_FAILURES = {
    "timeout": ("Sandbox.Timedout", "Task timed out after {timeout:.2f} seconds"),
    "crash": ("Runtime.ExitError", "Runtime exited with error: exit status 1"),
    "memory": ("Runtime.ExitError", "Runtime exited with error: signal: killed"),
}


@dataclass(slots=True)
class _Invocation:
    id: str
    arn: str
    memory_mb: int
    payload: bytes
    deed: Deed | None
    accepted: float = field(default_factory=time.monotonic)
    ended: threading.Event = field(default_factory=threading.Event)
    answer: bytes = b""
    failed: bool = False


class MockedLambda:
    """The functions of one stack.

    Parameters
    ----------
    deployment : Deployment
        The stack.
    environments : Environments
        Where its workers run.
    record : callable
        Stores a failure record under a key.
    """

    def __init__(
        self, deployment: Deployment, environments: Environments, record: Callable[[str, bytes], None]
    ) -> None:
        self._deployment = deployment
        self._environments = environments
        self._record = record
        self._sizes = {function_name(deployment.stack, size): size for size in deployment.memory_mb}
        self._lock = threading.Lock()
        self._throttles: deque[float] = deque()
        self._deeds: deque[Deed] = deque()

    def throttle(self, count: int, retry_after: float) -> None:
        """Answer the next `count` invocations with 429 and that many seconds to wait."""
        with self._lock:
            self._throttles.extend([retry_after] * count)

    def plan(self, deed: Deed, count: int) -> None:
        """Do something to the next `count` accepted events."""
        with self._lock:
            self._deeds.extend([deed] * count)

    def invoke(self, request: AWSPreparedRequest) -> AWSResponse | None:
        """Answer an ``Invoke`` of one of the stack's functions."""
        url = urlsplit(request.url)
        name, qualifier = _named(unquote(url.path.split("/")[-2]))
        if name not in self._sizes:
            return None
        qualifier = parse_qs(url.query).get("Qualifier", [qualifier])[0]
        kind = _header(request, "X-Amz-Invocation-Type") or "RequestResponse"
        body = request.body or b""
        payload = body if isinstance(body, bytes) else str(body).encode()
        return (
            self._no_such(request.url, name, qualifier)
            or _too_large(request.url, kind, len(payload))
            or _no_json(request.url, payload)
            or self._throttled(request.url)
            or self._accept(request, kind, name, qualifier, payload)
        )

    def _no_such(self, url: str, name: str, qualifier: str) -> AWSResponse | None:
        if qualifier in (_LIVE, "1", self._deployment.alias):
            return None
        return _error(url, 404, "ResourceNotFoundException", f"Function not found: {self._arn(name, qualifier)}")

    def _arn(self, name: str, qualifier: str) -> str:
        return f"arn:aws:lambda:{self._deployment.region}:{self._deployment.account}:function:{name}:{qualifier}"

    def _throttled(self, url: str) -> AWSResponse | None:
        with self._lock:
            if not self._throttles:
                return None
            wait = self._throttles.popleft()
        return _error(
            url, 429, "TooManyRequestsException", "Rate Exceeded.",
            {"Reason": "FunctionInvocationRateLimitExceeded"}, {"Retry-After": f"{wait:g}"},
        )  # fmt: skip

    def _accept(self, request: AWSPreparedRequest, kind: str, name: str, qualifier: str, payload: bytes) -> AWSResponse:
        run = _Invocation(str(uuid.uuid4()), self._arn(name, qualifier), self._sizes[name], payload or b"{}", None)
        headers = {"x-amzn-RequestId": run.id}
        if kind == "DryRun":
            return make_answer(request.url, 204, headers=headers)
        with self._lock:
            run.deed = self._deeds.popleft() if self._deeds else None
        if kind == "Event":
            for _ in range({"drop": 0, "duplicate": 2}.get(run.deed or "", 1)):
                # Each copy fares by itself: one that fails says nothing of the other.
                self._environments.submit(run.memory_mb, partial(self._run_event, replace(run)))
            return make_answer(request.url, 202, headers=headers)
        self._environments.submit(run.memory_mb, partial(self._run, run))
        while not run.ended.wait(_MOMENT):
            if self._environments.closed:
                return _error(request.url, 500, "ServiceException", "the mocked AWS was closed")
        headers |= {"X-Amz-Executed-Version": "1"} | ({"X-Amz-Function-Error": "Unhandled"} if run.failed else {})
        if _header(request, "X-Amz-Log-Type") == "Tail":
            log = f"START RequestId: {run.id} Version: 1\nEND RequestId: {run.id}\n"
            headers["X-Amz-Log-Result"] = b64encode(log.encode()).decode()
        return make_answer(request.url, 200, run.answer, headers)

    def _run_event(self, run: _Invocation, worker: Callable[[], Remote]) -> bool:
        if time.monotonic() - run.accepted > self._deployment.start_by:
            self._report(run, "EventAgeExceeded")
            return True
        goes_on = self._run(run, worker)
        if run.failed:
            self._report(run, "RetriesExhausted")
        return goes_on

    def _run(self, run: _Invocation, worker: Callable[[], Remote]) -> bool:
        try:
            return self._handle(run, worker)
        except ClosedError:
            run.answer, run.failed = _failure(run.id, "Runtime.ExitError", "the mocked AWS was closed"), True
            raise
        finally:
            run.ended.set()

    def _handle(self, run: _Invocation, worker: Callable[[], Remote]) -> bool:
        timeout = self._deployment.timeout
        if run.deed in _FAILURES:
            kind, text = _FAILURES[run.deed]
            text = f"RequestId: {run.id} Error: {text.format(timeout=timeout)}"
            run.answer, run.failed = _failure(run.id, kind, text), True
            return False
        end = time.monotonic() + timeout
        try:
            answer = worker().handle(json.loads(run.payload), lambda: int(1000 * (end - time.monotonic())))
            run.answer = json.dumps(answer).encode()
        except Exception as error:  # noqa: BLE001  # Lambda reports whatever a handler raises
            run.answer, run.failed = _failure(run.id, type(error).__name__, str(error), stack=error), True
        return True

    def _report(self, run: _Invocation, condition: str) -> None:
        """Leave what Lambda leaves at the destination of failed events.

        https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
        """
        now = datetime.now(UTC)
        record: dict[str, object] = {
            "version": "1.0",
            "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "requestContext": {
                "requestId": run.id,
                "functionArn": run.arn,
                "condition": condition,
                "approximateInvokeCount": int(run.failed),
            },
            "requestPayload": json.loads(run.payload),
        }
        if run.failed:
            record["responseContext"] = {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"}
            record["responsePayload"] = json.loads(run.answer)
        name = function_name(self._deployment.stack, run.memory_mb)
        key = f"aws/lambda/async/{name}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
        self._record(key, json.dumps(record).encode())


def _named(text: str) -> tuple[str, str]:
    """The function and the qualifier of a name, a partial or a whole ARN."""
    parts = text.split(":")
    if "function" in parts:
        parts = parts[parts.index("function") + 1 :]
    return parts[0], parts[1] if len(parts) > 1 else _LIVE


def _header(request: AWSPreparedRequest, name: str) -> str:
    value = request.headers.get(name, "")
    return value.decode() if isinstance(value, bytes) else str(value)


def _too_large(url: str, kind: str, size: int) -> AWSResponse | None:
    limit = _ASYNCHRONOUS if kind == "Event" else _SYNCHRONOUS
    if size <= limit:
        return None
    text = f"{size} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
    return _error(url, 413, "RequestTooLargeException", text)


def _no_json(url: str, payload: bytes) -> AWSResponse | None:
    try:
        json.loads(payload or b"{}")
    except ValueError as error:
        text = f"Could not parse request body into json: {error}"
        return _error(url, 400, "InvalidRequestContentException", text)
    return None


def _error(
    url: str,
    status: int,
    code: str,
    text: str,
    more: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> AWSResponse:
    body = json.dumps({"Type": "User", "message": text, **(more or {})}).encode()
    return make_answer(
        url, status, body, {"x-amzn-ErrorType": code, "x-amzn-RequestId": str(uuid.uuid4()), **(headers or {})}
    )


def _failure(request: str, kind: str, text: str, *, stack: BaseException | None = None) -> bytes:
    payload: dict[str, object] = {"errorMessage": text, "errorType": kind, "requestId": request}
    if stack is not None:
        payload["stackTrace"] = traceback.format_tb(stack.__traceback__)
    return json.dumps(payload).encode()
