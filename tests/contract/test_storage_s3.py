from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, Protocol

import boto3
import pytest
from moto import mock_aws

from tests.support.s3 import TwistedSession
from wrenml.storage import Objects, S3Storage
from wrenml.testing.storage_contract import StorageContract

_numbers = count()


class S3Client(Protocol):
    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> object: ...  # noqa: N803 - boto3's names
    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]: ...  # noqa: N803 - boto3's names


@pytest.fixture(scope="module")
def client() -> Iterator[S3Client]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="bucket")
        yield client


@pytest.fixture(scope="module")
def session() -> TwistedSession:
    return TwistedSession()


class TestS3Storage(StorageContract):
    @pytest.fixture
    def storage(self, client: S3Client, session: TwistedSession) -> S3Storage:
        self._client = client
        prefix = f"team/{next(_numbers)}"
        for neighbour in [f"{prefix}-not/a", f"{prefix}/"]:
            client.put_object(Bucket="bucket", Key=neighbour, Body=b"")
        return S3Storage(f"s3://bucket/{prefix}", "123456789012", session=session)

    def raw_put(self, storage: Objects, key: str, data: bytes) -> None:
        self._client.put_object(Bucket="bucket", Key=self._key(storage, key), Body=data)

    def raw_get(self, storage: Objects, key: str) -> bytes:
        data: bytes = self._client.get_object(Bucket="bucket", Key=self._key(storage, key))["Body"].read()
        return data

    @staticmethod
    def _key(storage: Objects, key: str) -> str:
        return f"{storage.url.removeprefix('s3://bucket/')}/{key}"
