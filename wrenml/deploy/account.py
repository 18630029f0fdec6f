"""The AWS account that is deployed to, and what its refusals mean."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from wrenml.aws.failures import code_of
from wrenml.errors import ConfigError, WrenmlError

__all__ = ["STALE", "Account", "aws_failures"]

STALE = frozenset({"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"})
"""AWS's codes for credentials that are no longer valid."""

_ATTEMPTS = 10


class Account:
    """Clients of one account and region, made when first needed; unlike a map's, they leave retrying to botocore.

    Parameters
    ----------
    profile : str, optional
        The profile of the AWS configuration.
    region : str, optional
        Default: the configured one.

    Raises
    ------
    ConfigError
        No region is known, or there is no such profile.
    """

    def __init__(self, profile: str | None = None, region: str | None = None) -> None:
        import boto3  # noqa: PLC0415 - takes 0.4 s

        with aws_failures():
            self._session = boto3.session.Session(profile_name=profile, region_name=region)
        self._clients: dict[str, Any] = {}
        if not self._session.region_name:
            raise ConfigError("no AWS region is known: give --region, such as --region eu-west-1, or set AWS_REGION.")

    @property
    def region(self) -> str:
        """Where the stack is or will be."""
        return str(self._session.region_name)

    @cached_property
    def id(self) -> str:
        """The account's number."""
        return str(self.client("sts").get_caller_identity()["Account"])

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its client classes at run time
        """The client of a service, such as ``s3``."""
        if service not in self._clients:
            from botocore.config import Config  # noqa: PLC0415 - comes with boto3

            config = Config(retries={"mode": "standard", "total_max_attempts": _ATTEMPTS})
            self._clients[service] = self._session.client(service, config=config)
        return self._clients[service]


@contextlib.contextmanager
def aws_failures() -> Iterator[None]:
    """Say what an AWS failure means.

    Raises
    ------
    ConfigError
        There are no credentials, or no such profile.
    WrenmlError
        AWS refused something, or could not be reached.
    """
    from boto3.exceptions import S3UploadFailedError  # noqa: PLC0415 - slow to load, as all of boto3
    from botocore.exceptions import (  # noqa: PLC0415 - comes with boto3
        BotoCoreError,
        ClientError,
        CredentialRetrievalError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
    )

    try:
        yield
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, ProfileNotFound) as error:
        raise ConfigError(
            f"AWS credentials are needed: {error}. Log in (aws sso login, aws configure), or name a profile: --profile."
        ) from error
    except ClientError as error:
        raise WrenmlError(_meaning(error, code_of(error))) from error
    except S3UploadFailedError as error:
        refused = "AccessDenied" in str(error)
        raise WrenmlError(_meaning(error, "AccessDenied" if refused else "the upload failed")) from error
    except BotoCoreError as error:
        raise WrenmlError(f"AWS could not be reached: {error}. What was done stays; run the command again.") from error


def _meaning(error: Exception, code: str) -> str:
    if "AccessDenied" in code or code in {"UnauthorizedOperation", "403"}:
        return f"AWS refused it: {error}. Whoever deploys needs the policy infra/deployer-policy.json."
    if code in STALE:
        return f"the AWS credentials are not valid: {error}. Log in again, and run the command again."
    return f"AWS answered: {error}. What was done stays; run the command again."
