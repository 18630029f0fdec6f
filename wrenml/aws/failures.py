"""What a request to AWS may raise, read alike whether boto3 or the lean transport sent it.

::

    Exception
    ├── RefusedError            AWS answered, and said no        (boto3: ClientError)
    ├── UnreachableError        no whole answer came             (boto3: ConnectionError, HTTPClientError, …)
    └── NoCredentialsFoundError nothing to sign with             (boto3: NoCredentialsError)
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

__all__ = [
    "NoCredentialsFoundError",
    "RefusedError",
    "UnreachableError",
    "aws_errors",
    "code_of",
    "headers_of",
    "is_passing",
    "retry_after",
    "status_of",
]

_PASSING = {
    "ConditionalRequestConflict",
    "InternalError",
    "OperationAborted",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
}
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


class RefusedError(Exception):
    """AWS refused a request.

    Parameters
    ----------
    operation : str
        Such as ``GetObject``.
    response : mapping
        What botocore's ``ClientError.response`` holds: ``Error`` with ``Code`` and ``Message``,
        ``ResponseMetadata`` with ``HTTPStatusCode``, ``HTTPHeaders`` (lower case) and ``RequestId``, and what
        else the service said.
    """

    def __init__(self, operation: str, response: Mapping[str, Any]) -> None:
        error = response["Error"]
        super().__init__(f"{operation}: {error['Code']}: {error['Message']}")
        self.operation_name = operation
        self.response = response

    def __reduce__(self) -> tuple[type[RefusedError], tuple[str, Mapping[str, Any]]]:
        return RefusedError, (self.operation_name, self.response)


class UnreachableError(Exception):
    """No whole answer came: a network, a proxy or a server in trouble.

    Parameters
    ----------
    message : str
        What happened.
    passing : bool, default True
        Whether the same request may succeed a little later.
    """

    def __init__(self, message: str, *, passing: bool = True) -> None:
        super().__init__(message)
        self.passing = passing


class NoCredentialsFoundError(Exception):
    """There is nothing to sign requests with."""


def aws_errors() -> tuple[type[Exception], ...]:
    """Everything that a request to AWS may raise; for an ``except`` clause.

    botocore's errors are named only where botocore is loaded: a request that it sent has loaded it.
    """
    ours = (RefusedError, UnreachableError, NoCredentialsFoundError)
    boto = sys.modules.get("botocore.exceptions")
    return ours if boto is None else (*ours, boto.BotoCoreError, boto.ClientError)


def _answer(error: Exception) -> Mapping[str, Any]:
    # Some of botocore's connection errors have a `response` that is None.
    return getattr(error, "response", None) or {}


def code_of(error: Exception) -> str:
    """The service's name for the error, such as ``NoSuchKey``; empty when there was no answer."""
    return str(_answer(error).get("Error", {}).get("Code", ""))


def status_of(error: Exception) -> int:
    """The HTTP status of the answer, 0 when there was none."""
    return int(_answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def headers_of(error: Exception) -> Mapping[str, str]:
    """The headers of the answer, their names in lower case."""
    headers: Mapping[str, str] = _answer(error).get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers


def is_passing(error: Exception) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, UnreachableError):
        return error.passing
    boto = sys.modules.get("botocore.exceptions")
    if isinstance(error, RefusedError) or (boto is not None and isinstance(error, boto.ClientError)):
        status = status_of(error)
        return status >= _SERVER_ERROR or status == _TOO_MANY_REQUESTS or code_of(error) in _PASSING
    if boto is None:
        return False
    network = boto.ConnectionError, boto.HTTPClientError
    damaged = boto.IncompleteReadError, boto.ChecksumError, boto.FlexibleChecksumError
    return isinstance(error, (*network, *damaged))


def retry_after(error: Exception) -> float:
    """Seconds that the server asked us to wait, 0 if it did not say."""
    said = str(headers_of(error).get("retry-after", ""))
    return float(said) if said.isdecimal() else 0.0
