"""Data sets on a disk, in memory and in S3."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from tests.ml.dataset_contract import DatasetContract
from wrenml.storage import LocalStorage, MemoryStorage, Objects, PrefixedStorage, S3Storage

_numbers = count()


class TestInADirectory(DatasetContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return str(tmp_path / "data % sets")

    @pytest.fixture
    def objects(self, url: str) -> Objects:
        return LocalStorage(url)


class TestInMemory(DatasetContract):
    @pytest.fixture
    def objects(self) -> Objects:
        return PrefixedStorage(MemoryStorage(f"datasets {next(_numbers)}"), "a/b")

    @pytest.fixture
    def url(self, objects: Objects) -> str:
        return objects.url


@pytest.fixture(scope="module")
def _bucket() -> Iterator[None]:
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="datasets")
        yield


@pytest.mark.usefixtures("_bucket")
class TestInS3(DatasetContract):
    @pytest.fixture
    def url(self, monkeypatch: pytest.MonkeyPatch) -> str:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        return f"s3://datasets/{next(_numbers)}"

    @pytest.fixture
    def objects(self, url: str) -> Objects:
        return S3Storage(url)
