"""What S3 refused, in wrenml's words: which failures pass by themselves, and what the others mean."""

from __future__ import annotations

from wrenml.aws import failures
from wrenml.aws.failures import code_of, headers_of, is_passing, retry_after, status_of
from wrenml.errors import (
    AccessDeniedError,
    ConfigError,
    CredentialsExpiredError,
    KeyNotFoundError,
    StorageError,
    StorageUnavailableError,
    WrenmlError,
)

__all__ = ["EXPIRED", "IncompleteAnswerError", "aws_errors", "code_of", "is_transient", "retry_after", "translate"]

EXPIRED = {"ExpiredToken", "ExpiredTokenException"}
_FORBIDDEN = 403
_MOVED = (301, 307)


class IncompleteAnswerError(Exception):
    """S3 answered with success, but not with what success holds."""


def aws_errors() -> tuple[type[Exception], ...]:
    """Everything that a request to S3 may raise."""
    return (*failures.aws_errors(), IncompleteAnswerError)


def is_transient(error: Exception) -> bool:
    """Whether the same request may succeed a little later."""
    return isinstance(error, IncompleteAnswerError) or is_passing(error)


def translate(error: Exception, action: str, resource: str) -> WrenmlError:
    """Turn an error of a request into ours.

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
    if code_of(error) in EXPIRED:
        return CredentialsExpiredError(
            f"The AWS credentials had expired when {action} on {resource} was asked for. Sign in again (aws sso login)."
        )
    # Services other than S3 say so with status 400, and of a policy or of KMS.
    if code_of(error).startswith("AccessDenied") and not action.startswith("s3:"):
        return AccessDeniedError(
            f"{action} on {resource} was refused: {error}. Allow it in the policies of this identity (the stack's "
            "client policy does), or sign in as another."
        )
    if code_of(error) or status_of(error):
        return _refusal(error, action, resource)
    return _own_trouble(error, action, resource)


def _refusal(error: Exception, action: str, resource: str) -> WrenmlError:
    code, status = code_of(error), status_of(error)
    if code == "NoSuchBucket":
        return StorageError(f"There is no bucket for {resource}. Create it, or correct the storage's URL.")
    if code in {"NoSuchKey", "404"}:
        return KeyNotFoundError(f"There is no object {resource}.")
    if code in {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"}:
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
        region = headers_of(error).get("x-amz-bucket-region", "another region")
        return ConfigError(f"The bucket of {resource} is in {region}. Set AWS_REGION to the bucket's region.")
    return StorageError(f"{action} on {resource} was refused: {error}.")


def _own_trouble(error: Exception, action: str, resource: str) -> WrenmlError:
    name = type(error).__name__
    if "Credential" in name or "Token" in name or "SSO" in name or "Login" in name:
        return AccessDeniedError(
            f"There are no usable AWS credentials for {action} on {resource}: {error}. "
            "Sign in (aws configure, aws sso login), or set AWS_PROFILE."
        )
    if isinstance(error, failures.UnreachableError):
        return ConfigError(
            f"{action} on {resource} was not answered as AWS would: {error}. "
            "Check AWS_CA_BUNDLE, AWS_ENDPOINT_URL and the proxy settings."
        )
    if "Region" in name:
        return ConfigError(f"No AWS region is set for {resource}. Set AWS_REGION.")
    return ConfigError(f"{action} on {resource} could not be asked for: {error}.")
