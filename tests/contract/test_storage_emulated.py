from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from wrenml.aws.session import Session
from wrenml.storage import Objects, S3Storage
from wrenml.testing.emulator import Emulator
from wrenml.testing.storage_contract import StorageContract

_numbers = count()


@pytest.fixture(scope="module")
def aws() -> Iterator[Emulator]:
    with Emulator() as aws, pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        aws.s3.create("bucket")
        yield aws


@pytest.fixture(scope="module")
def session(aws: Emulator) -> Iterator[Session]:
    session = Session(region=aws.region)
    yield session
    session.client("s3").close()


class TestEmulatedS3(StorageContract):
    @pytest.fixture
    def storage(self, aws: Emulator, session: Session) -> S3Storage:
        self._bucket = aws.s3.bucket("bucket")
        prefix = f"team/{next(_numbers)}"
        for neighbour in [f"{prefix}-not/a", f"{prefix}/"]:
            self._bucket.put(neighbour, b"")
        return S3Storage(f"s3://bucket/{prefix}", aws.account, session=session)

    def raw_put(self, storage: Objects, key: str, data: bytes) -> None:
        self._bucket.put(self._key(storage, key), data)

    def raw_get(self, storage: Objects, key: str) -> bytes:
        found = self._bucket.find(self._key(storage, key))
        assert found is not None
        return found.data

    @staticmethod
    def _key(storage: Objects, key: str) -> str:
        return f"{storage.url.removeprefix('s3://bucket/')}/{key}"
