"""An emulated AWS on loopback for one module of tests; import the fixtures that are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from wrenml.testing.emulator import Emulator

Client = Any  # boto3 makes its client classes at run time


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An AWS without anything in it; this process's variables point to it, as the user ``client``."""
    with Emulator() as aws, pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        yield aws


@pytest.fixture
def aws(emulator: Emulator) -> Iterator[Emulator]:
    """The module's AWS, for one test: without requests, faults and latency of earlier ones."""
    emulator.reset()
    yield emulator
    emulator.reset()


def client(aws: Emulator, service: str) -> Client:
    """A client of the user ``client`` that sends each request once, as it is."""
    keys = aws.environment_of("client")
    return _client(aws.url, service, keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])


@cache
def _client(url: str, service: str, key: str, secret: str) -> Client:
    once = {"mode": "standard", "total_max_attempts": 1}
    config = Config(retries=once, max_pool_connections=20, read_timeout=20, parameter_validation=False)
    keys = {"aws_access_key_id": key, "aws_secret_access_key": secret}
    return _session().client(service, endpoint_url=url, config=config, **keys)


@cache
def _session() -> Client:
    return boto3.session.Session()


def refused(act: Callable[..., object], **request: object) -> tuple[int, str]:
    """The status and code of a refusal."""
    with pytest.raises(ClientError) as caught:
        act(**request)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]
