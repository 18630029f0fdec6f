from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import boto3
import pytest
from botocore import exceptions
from botocore.httpchecksum import Crc32Checksum, StreamingChecksumBody
from botocore.response import StreamingBody
from moto import mock_aws

from tests.support.s3 import Answer, Send, Twist, TwistedSession, plain
from wrenml.aws.session import Session
from wrenml.errors import (
    AccessDeniedError,
    ConfigError,
    CredentialsExpiredError,
    KeyNotFoundError,
    StorageError,
    StorageUnavailableError,
)
from wrenml.storage import S3Storage
from wrenml.storage.s3 import Patience

_numbers = count()


@pytest.fixture(scope="module", autouse=True)
def bucket() -> Iterator[None]:
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="bucket")
        yield


class Pauses(list[float]):
    def sleep(self, seconds: float) -> None:
        self.append(seconds)


def opened(twist: Twist = plain, *, attempts: int = 8, pauses: Pauses | None = None) -> S3Storage:
    sleep = Pauses().sleep if pauses is None else pauses.sleep
    url = f"s3://bucket/{next(_numbers)}"
    return S3Storage(url, session=TwistedSession(twist), patience=Patience(attempts=attempts, sleep=sleep))


def refusal(code: str, status: int, **headers: str) -> exceptions.ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return exceptions.ClientError(
        {"Error": {"Code": code, "Message": "as told"}, "ResponseMetadata": metadata}, "Operation"
    )


def failing(error: Exception, operation: str, times: int = 10**9, *, after: bool = False) -> Twist:
    left = times

    def twist(asked: str, send: Send, request: Answer) -> Answer:
        nonlocal left
        if asked != operation or not left:
            return send(**request)
        left -= 1
        if after:
            send(**request)
        raise error

    return twist


PASSING = [
    refusal("SlowDown", 503),
    refusal("InternalError", 500),
    refusal("InternalError", 200),
    refusal("RequestTimeout", 400),
    refusal("ConditionalRequestConflict", 409),
    refusal("TooManyRequests", 429),
    exceptions.EndpointConnectionError(endpoint_url="https://s3"),
    exceptions.ConnectionClosedError(endpoint_url="https://s3"),
    exceptions.ConnectTimeoutError(endpoint_url="https://s3"),
    exceptions.ReadTimeoutError(endpoint_url="https://s3"),
    exceptions.SSLError(endpoint_url="https://s3", error="reset"),
    exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
    exceptions.FlexibleChecksumError(error_msg="not the same"),
]


ACTS: dict[str, tuple[str, Callable[[S3Storage], object]]] = {
    "put": ("put_object", lambda storage: storage.put("b", b"x")),
    "put if absent": ("put_object", lambda storage: storage.put("b", b"x", if_absent=True)),
    "get": ("get_object", lambda storage: storage.get("a")),
    "list": ("list_objects_v2", lambda storage: list(storage.list(""))),
    "delete": ("delete_objects", lambda storage: storage.delete(["a"])),
}


@pytest.mark.parametrize("error", PASSING, ids=[f"{number}" for number in range(len(PASSING))])
@pytest.mark.parametrize("verb", ACTS)
def test_failures_that_pass_are_borne(error: Exception, verb: str) -> None:
    operation, act = ACTS[verb]
    pauses = Pauses()
    storage = opened(failing(error, operation, 0), pauses=pauses)
    storage.put("a", b"x")
    expected = act(storage)
    storage.put("a", b"x")
    storage.delete(["b"])
    twisted = S3Storage(
        storage.url,
        session=TwistedSession(failing(error, operation, 3)),
        patience=Patience(sleep=pauses.sleep, draw=lambda: 1.0),
    )
    assert act(twisted) == expected
    assert pauses == pytest.approx([0.1, 0.2, 0.4])


def test_patience_ends() -> None:
    pauses = Pauses()
    storage = opened(failing(refusal("SlowDown", 503), "get_object"), attempts=4, pauses=pauses)
    with pytest.raises(StorageUnavailableError, match="s3:GetObject") as caught:
        storage.get("a")
    assert isinstance(caught.value, ConnectionError)
    assert len(pauses) == 3


def test_the_servers_wish_is_heeded_up_to_the_cap() -> None:
    for said, slept in [("7", 7.0), ("9999", 20.0), ("Wed, 21 Oct", 0.0)]:
        pauses = Pauses()
        error = refusal("SlowDown", 503, **{"retry-after": said})
        storage = S3Storage(
            "s3://bucket/heed",
            session=TwistedSession(failing(error, "put_object", 1)),
            patience=Patience(sleep=pauses.sleep, draw=lambda: 0.0),
        )
        storage.put("a", b"")
        assert pauses == [slept]


def test_a_lost_answer_does_not_lose_the_race() -> None:
    error = exceptions.ReadTimeoutError(endpoint_url="https://s3")
    storage = opened(failing(error, "put_object", 1, after=True))
    assert storage.put("a", [b"mi", b"ne"], if_absent=True) is True
    assert storage.put("a", b"mine", if_absent=True) is False
    storage = opened(failing(error, "put_object", 1, after=True))
    assert storage.commit("job", 3, [b"mine"], attempt=None, writer="w").settled is True


@pytest.mark.parametrize("theirs", [b"theirs", b"mine, not", b"min", b""])
def test_another_writers_object_is_not_taken_for_ours(theirs: bytes) -> None:
    def twist(operation: str, send: Send, request: Answer) -> Answer:
        if operation == "put_object" and request.get("IfNoneMatch") and not seen:
            seen.append(operation)
            send(**request | {"Body": theirs})
            raise exceptions.ReadTimeoutError(endpoint_url="https://s3")
        return send(**request)

    seen: list[str] = []
    storage = opened(twist)
    assert storage.put("a", b"mine", if_absent=True) is False
    assert storage.get("a") == theirs


def test_short_and_empty_pages_are_not_the_last() -> None:
    def twist(operation: str, send: Send, request: Answer) -> Answer:
        if operation != "list_objects_v2":
            return send(**request)
        if "ContinuationToken" not in request and not empties:
            empties.append(1)
            return {"IsTruncated": True, "NextContinuationToken": "start", "KeyCount": 0}
        if request.get("ContinuationToken") == "start":
            request = {key: value for key, value in request.items() if key != "ContinuationToken"}
        return send(**request, MaxKeys=3)

    empties: list[int] = []
    storage = opened(twist)
    keys = [f"k{number}" for number in range(10)]
    for key in keys:
        storage.put(key, b"")
    assert list(storage.list("")) == keys


@pytest.mark.parametrize("answer", [{}, {"IsTruncated": True}, {"IsTruncated": True, "NextContinuationToken": ""}])
def test_an_error_behind_a_200_is_not_believed(answer: Answer) -> None:
    def twist(operation: str, send: Send, request: Answer) -> Answer:
        if operation in {"list_objects_v2", "put_object"} and len(lies) < 4:
            lies.append(operation)
            return dict(answer)
        return send(**request)

    lies: list[str] = []
    storage = opened(twist)
    storage.put("a", b"x")
    lies.clear()
    assert list(storage.list("")) == ["a"]
    assert lies == ["list_objects_v2"] * 4


@pytest.mark.parametrize("size", [10, 200_000])
@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_a_body_cut_short_is_read_again(size: int, kept: float) -> None:
    def twist(operation: str, send: Send, request: Answer) -> Answer:
        answer = send(**request)
        if operation == "get_object" and not cut:
            cut.append(1)
            data = answer["Body"].read()
            answer["Body"] = StreamingBody(io.BytesIO(data[: int(size * kept)]), len(data))
        return answer

    cut: list[int] = []
    storage = opened(twist)
    storage.put("a", bytes(size))
    assert storage.get("a") == bytes(size)
    assert cut


@pytest.mark.parametrize("size", [10, 200_000])
def test_a_damaged_body_is_read_again(size: int) -> None:
    def twist(operation: str, send: Send, request: Answer) -> Answer:
        answer = send(**request)
        if operation == "get_object" and not damaged:
            damaged.append(1)
            checksum = Crc32Checksum()
            checksum.update(answer["Body"].read())
            answer["Body"] = StreamingChecksumBody(io.BytesIO(b"?" * size), size, Crc32Checksum(), checksum.b64digest())
        return answer

    damaged: list[int] = []
    storage = opened(twist)
    storage.put("a", bytes(size))
    assert storage.get("a") == bytes(size)
    assert damaged


REFUSALS = [
    (refusal("NoSuchKey", 404), KeyNotFoundError, "no object s3://bucket/"),
    (refusal("NoSuchBucket", 404), StorageError, "no bucket"),
    (refusal("AccessDenied", 403), AccessDeniedError, "Allow s3:GetObject.*s3:ListBucket"),
    (refusal("ExpiredToken", 400), CredentialsExpiredError, "Sign in"),
    (refusal("InvalidAccessKeyId", 403), AccessDeniedError, "credentials"),
    (refusal("PermanentRedirect", 301, **{"x-amz-bucket-region": "eu-west-1"}), ConfigError, "eu-west-1"),
    (refusal("InvalidArgument", 400), StorageError, "as told"),
    (exceptions.NoCredentialsError(), AccessDeniedError, "AWS_PROFILE"),
    (exceptions.SSOTokenLoadError(error_msg="expired"), AccessDeniedError, "Sign in"),
    (exceptions.NoRegionError(), ConfigError, "AWS_REGION"),
    (exceptions.ParamValidationError(report="odd"), ConfigError, "odd"),
]


@pytest.mark.parametrize(("error", "kind", "words"), REFUSALS, ids=[f"{number}" for number in range(len(REFUSALS))])
def test_refusals_say_what_to_do(error: Exception, kind: type[Exception], words: str) -> None:
    pauses = Pauses()
    storage = opened(failing(error, "get_object"), pauses=pauses)
    with pytest.raises(kind, match=words) as caught:
        storage.get("a")
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error
    assert pauses == []


def test_partial_deletes_are_reported() -> None:
    def twist(operation: str, send: Send, request: Answer) -> Answer:
        answer = send(**request)
        if operation == "delete_objects":
            answer["Errors"] = [{"Key": "p/b", "Code": "AccessDenied", "Message": "no"}]
        return answer

    with pytest.raises(AccessDeniedError, match=r"1 of 3 .*s3://bucket/p/b: AccessDenied"):
        opened(twist).delete(["a", "b", "c"])


def test_passing_delete_errors_are_repeated() -> None:
    def twist(operation: str, send: Send, request: Answer) -> Answer:
        if operation == "delete_objects" and len(seen) < 2:
            seen.append(1)
            return {"Errors": [{"Key": "x", "Code": "SlowDown", "Message": "no"}]}
        return send(**request)

    seen: list[int] = []
    storage = opened(twist)
    storage.put("a", b"")
    storage.delete(["a"])
    assert list(storage.list("")) == []


def test_deletes_travel_by_the_thousand() -> None:
    session = TwistedSession()
    S3Storage("s3://bucket/many", session=session).delete(f"k{number}" for number in range(2500))
    assert session.operations == ["delete_objects"] * 3


LARGE = (64 << 20) + 5


def _large() -> list[bytes | memoryview]:
    data = bytes(range(251)) * (LARGE // 251 + 1)
    return [data[:7], memoryview(data)[7 : 20 << 20], memoryview(data)[20 << 20 : LARGE]]


def test_a_large_object_goes_up_in_parts() -> None:
    session = TwistedSession()
    storage = S3Storage("s3://bucket/large", session=session)
    assert storage.put("a", _large(), if_absent=True) is True
    assert storage.get("a") == b"".join(_large())
    assert session.operations.count("upload_part") == 5
    session.operations.clear()
    assert storage.put("a", _large(), if_absent=True) is False
    assert session.operations == ["get_object"]


def test_a_large_object_does_not_win_over_one_that_came_meanwhile() -> None:
    def twist(operation: str, send: Send, request: Answer) -> Answer:
        if operation == "complete_multipart_upload":
            other.put("a", b"first")
        return send(**request)

    storage = opened(twist)
    other = S3Storage(storage.url)
    assert storage.put("a", _large(), if_absent=True) is False
    assert storage.get("a") == b"first"
    uploads = boto3.client("s3", region_name="us-east-1").list_multipart_uploads(Bucket="bucket")
    assert not uploads.get("Uploads")


def test_a_failed_part_leaves_no_upload() -> None:
    storage = opened(failing(refusal("InvalidArgument", 400), "upload_part"))
    with pytest.raises(StorageError, match="as told"):
        storage.put("a", _large())
    uploads = boto3.client("s3", region_name="us-east-1").list_multipart_uploads(Bucket="bucket")
    assert not uploads.get("Uploads")
    with pytest.raises(KeyNotFoundError):
        storage.get("a")


def test_the_owner_travels_with_every_request() -> None:
    def twist(_operation: str, send: Send, request: Answer) -> Answer:
        assert request["ExpectedBucketOwner"] == "123456789012"
        return send(**request)

    storage = S3Storage("s3://bucket/owned", "123456789012", session=TwistedSession(twist))
    storage.put("a", b"x")
    assert list(storage.list("")) == ["a"]
    assert storage.get("a") == b"x"
    storage.delete(["a"])
    again = pickle.loads(pickle.dumps(storage))
    assert (again.url, again.__reduce__()) == (storage.url, storage.__reduce__())


def test_clients_do_not_retry_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
    session = Session(region="us-east-1")
    client: Any = session.client("s3")
    assert client.meta.config.retries["total_max_attempts"] == 1
    assert session.client("s3") is client
    assert client.meta.config.request_checksum_calculation == "when_supported"
    elsewhere: Any = Session(region="us-east-1", endpoint_url="http://127.0.0.1:1").client("s3")
    assert elsewhere.meta.config.request_checksum_calculation == "when_required"


def test_an_unreachable_server_is_said_to_be_so() -> None:
    session = Session(region="us-east-1", endpoint_url="http://127.0.0.1:1")
    storage = S3Storage("s3://bucket", session=session, patience=Patience(attempts=2, sleep=lambda _: None))
    with pytest.raises(StorageUnavailableError, match="network"):
        storage.get("a")


def test_requests_are_counted_as_they_are_sent() -> None:
    counted = []
    storage = S3Storage("s3://bucket", session=Session(region="us-east-1"), count=lambda *one: counted.append(one))
    storage.put("counted/1", b"x")
    storage.get("counted/1")
    assert list(storage.list("counted/")) == ["counted/1"]
    storage.delete(["counted/1"])
    assert counted == [
        ("put_object", "counted/1"),
        ("get_object", "counted/1"),
        ("list_objects_v2", "counted/"),
        ("delete_objects", ""),
    ]
