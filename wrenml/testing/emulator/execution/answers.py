"""What the Invoke operation answers, as Lambda does: results, function errors, refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Answer", "Fault", "refusal", "throttled"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The HTTP answer to an invocation.

    Parameters
    ----------
    status : int
        200, 202 or 204, or that of an error.
    headers : mapping of str to str
        Lambda's own.
    body : bytes
        The result, a function error or an API error: JSON.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Fault(NamedTuple):
    """Why an invocation failed: its kind, and the JSON that its caller is given."""

    kind: str
    body: bytes

    @classmethod
    def of_platform(cls, kind: str, message: str, request_id: str) -> Fault:
        """Report what Lambda itself noticed, in its words."""
        return cls.of_platform_alone(kind, f"RequestId: {request_id} Error: {message}")

    @classmethod
    def of_platform_alone(cls, kind: str, message: str) -> Fault:
        """Report it without the request's id."""
        return cls(kind, json.dumps({"errorType": kind, "errorMessage": message}, separators=(",", ":")).encode())


def refusal(status: int, error: str, message: str, request_id: str) -> Answer:
    """Build an API error: nothing was run."""
    side = "User" if status < 500 else "Service"  # noqa: PLR2004 - the server's own errors begin at 500
    return _error(status, error, {"Type": side, "Message": message}, request_id)


def throttled(reason: str, request_id: str) -> Answer:
    """Build the answer to an invocation for which there is no concurrency."""
    body = {"Reason": reason, "Type": "User", "message": "Rate Exceeded."}
    refused = _error(429, "TooManyRequestsException", body, request_id)
    return Answer(refused.status, {**refused.headers, "Retry-After": "1"}, refused.body)


def _error(status: int, error: str, body: Mapping[str, str], request_id: str) -> Answer:
    headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": error, "Content-Type": "application/json"}
    return Answer(status, headers, json.dumps(body).encode())
