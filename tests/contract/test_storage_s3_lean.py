from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.support.s3 import TwistedSession
from wrenml.aws.lean_s3 import LeanS3
from wrenml.aws.session import Session
from wrenml.storage import Objects, S3Storage
from wrenml.testing.storage_contract import StorageContract

_numbers = count()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patch.setenv(name, "test")
        for name in ("HTTP_PROXY", "http_proxy"):
            patch.delenv(name, raising=False)
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        _, port = server.get_host_and_port()
        # A pickled copy finds the server by these.
        patch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_REGION", "us-east-1")
        yield f"http://127.0.0.1:{port}"
        server.stop()


@pytest.fixture(scope="module")
def client(endpoint: str) -> Any:  # noqa: ANN401 - boto3 makes its client classes at run time
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=endpoint)
    client.create_bucket(Bucket="bucket")
    yield client
    client.close()


@pytest.fixture(scope="module")
def session(endpoint: str) -> Iterator[TwistedSession]:
    session = TwistedSession(endpoint_url=endpoint, transport="lean")
    yield session
    session.client("s3").close()


@pytest.mark.thorough
@pytest.mark.slow  # the emulator's objects are tried the same way, faster
class TestLeanS3Storage(StorageContract):
    @pytest.fixture
    def storage(self, client: Any, session: TwistedSession) -> S3Storage:  # noqa: ANN401 - as above
        self._client = client
        prefix = f"team/{next(_numbers)}"
        for neighbour in [f"{prefix}-not/a", f"{prefix}/"]:
            client.put_object(Bucket="bucket", Key=neighbour, Body=b"")
        assert isinstance(Session.client(session, "s3"), LeanS3)
        return S3Storage(f"s3://bucket/{prefix}", "123456789012", session=session)

    def raw_put(self, storage: Objects, key: str, data: bytes) -> None:
        self._client.put_object(Bucket="bucket", Key=self._key(storage, key), Body=data)

    def raw_get(self, storage: Objects, key: str) -> bytes:
        data: bytes = self._client.get_object(Bucket="bucket", Key=self._key(storage, key))["Body"].read()
        return data

    @staticmethod
    def _key(storage: Objects, key: str) -> str:
        return f"{storage.url.removeprefix('s3://bucket/')}/{key}"


WITHOUT_BOTO3 = """
import sys


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"boto3", "botocore"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Missing())
from wrenml.aws.session import Session
from wrenml.errors import ConfigError, KeyNotFoundError
from wrenml.storage import open_storage

storage = open_storage("s3://bucket/worker")
assert storage.put("a", b"there") and not storage.put("a", b"not", if_absent=True)
assert bytes(storage.get("a", start=1, stop=3)) == b"he"
first = storage.commit("job", 7, [b"fra", b"me"], attempt=None, writer="w")
assert first.settled and not storage.commit("job", 7, [b"late"], attempt=None, writer="w").settled
assert bytes(storage.get(first.key, start=first.start, stop=first.stop)) == b"frame"
assert list(storage.list("")) == ["a", first.key]
large = [bytes([number]) * (9 << 20) for number in range(8)]
assert storage.put("large", large, if_absent=True)
assert bytes(storage.get("large")) == b"".join(large)
storage.delete(["a", "large"])
try:
    storage.get("a")
except KeyNotFoundError as error:
    print(error)
try:
    Session().client("s3").put_object(Bucket="bucket", Key="a", Body=b"", Metadata={"a": "b"})
except ConfigError as error:
    print(error)
assert not {"boto3", "botocore"} & set(sys.modules)
"""


def test_a_worker_needs_no_boto3(client: object) -> None:
    assert client
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_BOTO3], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    missing, unusual = done.stdout.splitlines()
    assert missing == "There is no object s3://bucket/worker/a."
    assert unusual.startswith("this needs boto3")


def test_without_boto3_what_is_missing_is_said() -> None:
    code = WITHOUT_BOTO3.partition("storage = ")[0] + (
        "import os; del os.environ['AWS_REGION']\n"
        "try:\n    open_storage('s3://bucket').get('a')\nexcept ConfigError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert "AWS_REGION" in done.stdout
