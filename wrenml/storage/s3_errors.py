"""What S3 refused, in wrenml's words: which failures pass by themselves, and what the others mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wrenml.errors import (
    AccessDeniedError,
    ConfigError,
    KeyNotFoundError,
    StorageError,
    StorageUnavailableError,
    WrenmlError,
)

__all__ = ["IncompleteAnswerError", "aws_errors", "code_of", "is_transient", "retry_after", "translate"]

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
_FORBIDDEN = 403
_MOVED = (301, 307)


class IncompleteAnswerError(Exception):
    """S3 answered with success, but not with what success holds."""


def aws_errors() -> tuple[type[Exception], ...]:
    """Everything that a request to AWS may raise; loads botocore, as the request did."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as slow as boto3

    return BotoCoreError, ClientError, IncompleteAnswerError


def _answer(error: Exception) -> Mapping[str, Any]:
    # Some of botocore's connection errors have a `response` that is None.
    return getattr(error, "response", None) or {}


def code_of(error: Exception) -> str:
    """S3's name for the error, such as ``NoSuchKey``; empty when there was no answer."""
    return str(_answer(error).get("Error", {}).get("Code", ""))


def _status_of(error: Exception) -> int:
    return int(_answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_transient(error: Exception) -> bool:
    """Whether the same request may succeed a little later."""
    from botocore import exceptions  # noqa: PLC0415 - as slow as boto3

    if isinstance(error, exceptions.ClientError):
        status = _status_of(error)
        return status >= _SERVER_ERROR or status == _TOO_MANY_REQUESTS or code_of(error) in _PASSING
    network = exceptions.ConnectionError | exceptions.HTTPClientError
    damaged = exceptions.IncompleteReadError | exceptions.ChecksumError | exceptions.FlexibleChecksumError
    return isinstance(error, network | damaged | IncompleteAnswerError)


def retry_after(error: Exception) -> float:
    """Seconds that the server asked us to wait, 0 if it did not say."""
    headers = _answer(error).get("ResponseMetadata", {}).get("HTTPHeaders", {})
    said = str(headers.get("retry-after", ""))
    return float(said) if said.isdecimal() else 0.0


def translate(error: Exception, action: str, resource: str) -> WrenmlError:
    """Turn botocore's error into ours.

    Parameters
    ----------
    error : Exception
        What the request raised.
    action : str
        The permission that the request needs, such as ``s3:GetObject``.
    resource : str
        The URL of the object or bucket.

    Returns
    -------
    WrenmlError
        To be raised from `error`.
    """
    if is_transient(error):
        return StorageUnavailableError(
            f"{action} on {resource} failed again and again, last with: {error}. "
            "Check the network, proxy settings and AWS_CA_BUNDLE, then try again."
        )
    if code_of(error) or _status_of(error):
        return _refusal(error, action, resource)
    return _own_trouble(error, action, resource)


def _refusal(error: Exception, action: str, resource: str) -> WrenmlError:
    code, status = code_of(error), _status_of(error)
    if code == "NoSuchBucket":
        return StorageError(f"There is no bucket for {resource}. Create it, or correct the storage's URL.")
    if code in {"NoSuchKey", "404"}:
        return KeyNotFoundError(f"There is no object {resource}.")
    if code in {"ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"}:
        return AccessDeniedError(
            f"AWS did not accept the credentials for {action} on {resource} ({code}). "
            "Sign in again, or check AWS_PROFILE and the access keys."
        )
    if status == _FORBIDDEN:
        hint = " Without s3:ListBucket, S3 answers so for a missing object too." if "Get" in action else ""
        return AccessDeniedError(
            f"{action} on {resource} was refused ({code}). Allow {action} on it in the policies of this "
            f"identity and of the bucket, and check the bucket's owner.{hint}"
        )
    if status in _MOVED or code in {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}:
        headers = _answer(error).get("ResponseMetadata", {}).get("HTTPHeaders", {})
        region = headers.get("x-amz-bucket-region", "another region")
        return ConfigError(f"The bucket of {resource} is in {region}. Set AWS_REGION to the bucket's region.")
    return StorageError(f"{action} on {resource} was refused: {error}.")


def _own_trouble(error: Exception, action: str, resource: str) -> WrenmlError:
    name = type(error).__name__
    if "Credential" in name or "Token" in name or "SSO" in name or "Login" in name:
        return AccessDeniedError(
            f"There are no usable AWS credentials for {action} on {resource}: {error}. "
            "Sign in (aws configure, aws sso login), or set AWS_PROFILE."
        )
    if "Region" in name:
        return ConfigError(f"No AWS region is set for {resource}: {error}. Set AWS_REGION.")
    return ConfigError(f"{action} on {resource} could not be asked for: {error}.")
