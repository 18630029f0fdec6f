"""The lean transport before a server that checks what it sends: signatures, tokens, times, conditions, parts."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

from tests.support.radosgw import Gateway, is_installed, radosgw
from wrenml.aws.clock import Clock
from wrenml.aws.lean_s3 import LeanS3
from wrenml.aws.session import Session
from wrenml.errors import AccessDeniedError
from wrenml.storage import Objects, S3Storage
from wrenml.storage.s3 import Patience
from wrenml.testing.storage_contract import StorageContract

pytestmark = [
    pytest.mark.skipif(not is_installed(), reason="Ceph's gateway is not installed (scripts/radosgw installs it)"),
    pytest.mark.slow,
]

_numbers = count()


class SkewedSession(Session):
    """One whose clock is so many seconds ahead."""

    def __init__(self, ahead: float) -> None:
        super().__init__(transport="lean")
        self.clock = Clock(lambda: time.time() + ahead)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with radosgw(tmp_path_factory.mktemp("ceph")) as gateway, pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.lower().endswith("_proxy"):
                patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", gateway.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", gateway.secret_key)
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", gateway.url)
        yield gateway


@pytest.fixture(scope="module")
def boto(gateway: Gateway) -> Session:
    boto = Session(endpoint_url=gateway.url, transport="boto3")
    boto.client("s3").create_bucket(Bucket="bucket")
    return boto


@pytest.fixture(scope="module")
def session(gateway: Gateway, boto: Session) -> Iterator[Session]:
    session = Session(region=boto.region, endpoint_url=gateway.url, transport="lean")
    assert isinstance(session.client("s3"), LeanS3)
    yield session
    session.client("s3").close()


@pytest.fixture
def storage(session: Session) -> S3Storage:
    return S3Storage(f"s3://bucket/{next(_numbers)}", session=session, patience=Patience(attempts=3))


class TestLeanS3Storage(StorageContract):
    @pytest.fixture
    def storage(self, session: Session, boto: Session) -> S3Storage:
        self._client = boto.client("s3")
        return S3Storage(f"s3://bucket/{next(_numbers)}", session=session)

    def raw_put(self, storage: Objects, key: str, data: bytes) -> None:
        self._client.put_object(Bucket="bucket", Key=self._key(storage, key), Body=data)

    def raw_get(self, storage: Objects, key: str) -> bytes:
        data: bytes = self._client.get_object(Bucket="bucket", Key=self._key(storage, key))["Body"].read()
        return data

    @staticmethod
    def _key(storage: Objects, key: str) -> str:
        return f"{storage.url.removeprefix('s3://bucket/')}/{key}"


ODD = [
    "a b",
    "a+b",
    "a%20b",
    "ü/é",
    "~x",
    "a!*'();:@&=$,?#[]",
    'x\\y^`|{}<>"',
    "a\u2028b",
    "\N{GRINNING FACE}",
    "a;b=c",
]


@pytest.mark.parametrize("key", ODD)
def test_odd_keys(storage: S3Storage, key: str) -> None:
    assert storage.put(key, key.encode())
    assert bytes(storage.get(key)) == key.encode()
    assert list(storage.list(key[0])) == [key]
    assert list(storage.list("", after=key[:-1])) == [key]
    assert list(storage.list("", after=key)) == []
    storage.delete([key])
    assert list(storage.list("")) == []


def test_an_object_and_its_size(storage: S3Storage) -> None:
    storage.put("a", b"0123456789")
    storage.put("empty", b"")
    assert storage.get_start("a", 4) == (b"0123", 10)
    assert storage.get_start("empty", 4) == (b"", 0)


@pytest.mark.parametrize("if_absent", [False, True])
def test_parts(storage: S3Storage, *, if_absent: bool) -> None:
    data = [os.urandom(1 << 20) * 35, b"x" * (30 << 20), b"end"]
    assert storage.put("large", data, if_absent=if_absent) is True
    assert storage.get("large") == b"".join(data)
    assert storage.get("large", start=(65 << 20) - 5) == b"xxxxxend"
    assert storage.put("large", data, if_absent=True) is False


@pytest.mark.parametrize("ahead", [-7200.0, 7200.0])
@pytest.mark.usefixtures("boto")
def test_a_wrong_clock(ahead: float) -> None:
    session = SkewedSession(ahead)
    storage = S3Storage(f"s3://bucket/{next(_numbers)}", session=session, patience=Patience(attempts=1))
    for _ in range(2):
        storage.put("a", b"x" * 100_000)
    assert bytes(storage.get("a")) == b"x" * 100_000
    session.client("s3").close()


@pytest.fixture
def token(boto: Session) -> dict[str, str]:
    allowed = {"Effect": "Allow", "Action": ["sts:*", "s3:*"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    boto.client("iam").put_user_policy(UserName="wrenml", PolicyName="all", PolicyDocument=policy)
    found: dict[str, Any] = boto.client("sts").get_session_token()["Credentials"]
    return found


def test_session_tokens(storage: S3Storage, token: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", token["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", token["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", token["SessionToken"])
    storage.put("a", b"x")
    assert bytes(storage.get("a")) == b"x"
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of nobody")
    with pytest.raises(AccessDeniedError):
        storage.get("a")


def test_a_wrong_secret_is_found_out(storage: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.put("a", b"x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(AccessDeniedError):
        storage.get("a")
    with suppress(AccessDeniedError):
        storage.put("a", b"y")
    monkeypatch.undo()
    assert bytes(storage.get("a")) == b"x"
