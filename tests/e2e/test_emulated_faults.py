from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ConnectionClosedError, HTTPClientError, IncompleteReadError, ResponseStreamingError

from tests.support.emulated import Client, aws, client, emulator, refused
from wrenml.errors import StorageUnavailableError
from wrenml.storage import S3Storage
from wrenml.storage.s3 import Patience
from wrenml.testing.emulator import Emulator
from wrenml.testing.emulator.faults import (
    Delay,
    ErrorBehindSuccess,
    Flip,
    LoseAnswer,
    Refuse,
    Reset,
    ShortPages,
    Truncate,
    Unsent,
)

__all__ = ["aws", "emulator"]  # fixtures

BODY = bytes(range(256)) * 400


@pytest.fixture(scope="module")
def s3(emulator: Emulator) -> Client:
    emulator.s3.create("bucket")
    return client(emulator, "s3")


@pytest.fixture
def objects(s3: Client, aws: Emulator) -> Client:
    for key in list(aws.s3.bucket("bucket")):
        aws.s3.bucket("bucket").delete(key)
    aws.s3.bucket("bucket").put("a", BODY)
    return s3


def read(s3: Client) -> bytes:
    data: bytes = s3.get_object(Bucket="bucket", Key="a")["Body"].read()
    return data


class TestRecords:
    def test_each_request_says_who_asked_what_of_which_resource(self, objects: Client, aws: Emulator) -> None:
        objects.put_object(Bucket="bucket", Key="x/y", Body=b"12", IfNoneMatch="*")
        objects.list_objects_v2(Bucket="bucket", Prefix="x/")
        put, listed = aws.requests
        assert (put.operation, put.action, put.resource) == ("PutObject", "s3:PutObject", "arn:aws:s3:::bucket/x/y")
        assert (put.caller.name, put.caller.arn) == ("client", "arn:aws:iam::123456789012:user/client")
        assert (put.status, put.received, put.headers["if-none-match"]) == (200, 2, "*")
        assert (listed.action, listed.resource, listed.key) == ("s3:ListBucket", "arn:aws:s3:::bucket", "x/")

    def test_refused_requests_count_too(self, objects: Client, aws: Emulator) -> None:
        refused(objects.get_object, Bucket="bucket", Key="none")
        assert [call.status for call in aws.requests.of("GetObject")] == [404]

    def test_counts(self, objects: Client, aws: Emulator) -> None:
        for _ in range(3):
            read(objects)
        client(aws, "ssm").describe_parameters()
        assert aws.requests.counts() == {"client s3:GetObject": 3, "client ssm:DescribeParameters": 1}
        assert aws.requests.count(service="s3") == aws.requests.count("GetObject", caller="client") == 3
        aws.requests.clear()
        assert len(aws.requests) == 0

    def test_the_resources_of_other_services(self, aws: Emulator) -> None:
        refused(client(aws, "ssm").get_parameter, Name="/wrenml/x/root")
        refused(client(aws, "lambda").get_function_configuration, FunctionName="f", Qualifier="v1")
        assert [call.resource for call in aws.requests] == [
            "arn:aws:ssm:us-east-1:123456789012:parameter/wrenml/x/root",
            "arn:aws:lambda:us-east-1:123456789012:function:f:v1",
        ]

    def test_who_am_i(self, aws: Emulator) -> None:
        said = client(aws, "sts").get_caller_identity()
        assert (said["Account"], said["Arn"]) == (aws.account, "arn:aws:iam::123456789012:user/client")


class TestFaults:
    def test_a_refusal(self, objects: Client, aws: Emulator) -> None:
        aws.faults.add(Refuse(), "GetObject", times=2)
        assert [refused(objects.get_object, Bucket="bucket", Key="a") for _ in range(2)] == [(503, "SlowDown")] * 2
        assert read(objects) == BODY
        assert [call.fault for call in aws.requests] == ["Refuse", "Refuse", ""]

    def test_a_throttled_invocation(self, aws: Emulator) -> None:
        aws.faults.add(Refuse(429, "TooManyRequestsException", "CallerRateLimitExceeded", 3), "Invoke")
        functions = client(aws, "lambda")
        with pytest.raises(functions.exceptions.TooManyRequestsException) as caught:
            functions.invoke(FunctionName="any")
        assert caught.value.response["Reason"] == "CallerRateLimitExceeded"
        assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "3"

    def test_a_lost_answer_has_had_its_effect(self, objects: Client, aws: Emulator) -> None:
        aws.faults.add(LoseAnswer(), "PutObject")
        with pytest.raises((ConnectionClosedError, HTTPClientError)):
            objects.put_object(Bucket="bucket", Key="b", Body=b"1")
        assert aws.s3.bucket("bucket").find("b") is not None

    def test_an_unsent_request_has_none(self, objects: Client, aws: Emulator) -> None:
        aws.faults.add(Unsent(), "PutObject")
        with pytest.raises((ConnectionClosedError, HTTPClientError)):
            objects.put_object(Bucket="bucket", Key="b", Body=b"1")
        assert aws.s3.bucket("bucket").find("b") is None

    def test_a_reset_amid_the_body(self, objects: Client, aws: Emulator) -> None:
        aws.faults.add(Reset(), "GetObject")
        with pytest.raises((IncompleteReadError, ResponseStreamingError)):
            read(objects)

    def test_a_shorter_body_that_looks_whole(self, objects: Client, aws: Emulator) -> None:
        aws.faults.add(Truncate(3), "GetObject")
        assert read(objects) == BODY[:-3]

    def test_a_flipped_bit(self, objects: Client, aws: Emulator) -> None:
        aws.faults.add(Flip(7), "GetObject")
        assert read(objects) == BODY[:7] + bytes([BODY[7] ^ 1]) + BODY[8:]

    def test_an_error_behind_success(self, objects: Client, aws: Emulator) -> None:
        upload = objects.create_multipart_upload(Bucket="bucket", Key="b")["UploadId"]
        aws.faults.add(ErrorBehindSuccess(), "CompleteMultipartUpload")
        _, code = refused(
            objects.complete_multipart_upload, Bucket="bucket", Key="b", UploadId=upload, MultipartUpload={"Parts": []}
        )
        assert code == "InternalError"

    @pytest.mark.parametrize("size", [0, 1, 3])
    def test_short_pages(self, objects: Client, aws: Emulator, size: int) -> None:
        names = [f"p/{number}" for number in range(7)]
        for name in names:
            aws.s3.bucket("bucket").put(name, b"")
        aws.faults.add(ShortPages(size), "ListObjectsV2", times=2)
        pages = list(objects.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix="p/"))
        assert [len(page.get("Contents", ())) for page in pages] == [size, size, 7 - 2 * size]
        assert [entry["Key"] for page in pages for entry in page.get("Contents", ())] == names

    def test_expired_credentials(self, objects: Client, aws: Emulator) -> None:
        aws.expire("client")
        assert refused(objects.get_object, Bucket="bucket", Key="a") == (400, "ExpiredToken")
        assert refused(client(aws, "lambda").list_functions) == (403, "ExpiredTokenException")

    def test_only_some_requests(self, objects: Client, aws: Emulator) -> None:
        aws.faults.add(Refuse(), when=lambda call: call.key == "b")
        aws.faults.add(Refuse(), caller="worker")
        aws.faults.add(Refuse(), "HeadObject", skip=1, times=1)
        assert read(objects) == BODY
        assert refused(objects.get_object, Bucket="bucket", Key="b")[0] == 503
        objects.head_object(Bucket="bucket", Key="a")
        assert refused(objects.head_object, Bucket="bucket", Key="a")[0] == 503
        objects.head_object(Bucket="bucket", Key="a")

    def test_a_share_is_drawn_from_the_seed(self, objects: Client, aws: Emulator) -> None:
        def statuses() -> list[int]:
            aws.reset()
            aws.faults.seed(7)
            aws.faults.add(Refuse(), share=0.5)
            for _ in range(20):
                try:
                    objects.head_object(Bucket="bucket", Key="a")
                except objects.exceptions.ClientError:
                    continue
            return [call.status for call in aws.requests]

        first = statuses()
        assert {200, 503} == set(first)
        assert statuses() == first

    def test_the_storage_comes_through(self, objects: Client, aws: Emulator) -> None:
        assert objects
        storage = S3Storage("s3://bucket", patience=Patience(sleep=lambda _: None))
        for fault in (Refuse(), Unsent(), LoseAnswer(), Refuse(500, "InternalError")):
            aws.faults.add(fault, times=1)
        assert storage.put("c", b"mine", if_absent=True) is True
        assert bytes(storage.get("c")) == b"mine"
        aws.faults.add(Refuse())
        with pytest.raises(StorageUnavailableError):
            storage.get("c")


class TestTime:
    def test_latency_by_operation_and_service(self, objects: Client, aws: Emulator) -> None:
        def seconds(act: Callable[[], object]) -> float:
            begin = time.monotonic()
            act()
            return time.monotonic() - begin

        aws.latency.update({"s3": 0.2, "HeadObject": 0.0})
        assert seconds(lambda: read(objects)) >= 0.2
        aws.faults.add(Delay(0.3), "HeadObject", times=1)
        assert seconds(lambda: objects.head_object(Bucket="bucket", Key="a")) >= 0.3
        unslowed = min(seconds(lambda: objects.head_object(Bucket="bucket", Key="a")) for _ in range(3))
        assert unslowed < seconds(lambda: read(objects))

    def test_another_clock(self, objects: Client, aws: Emulator) -> None:
        aws.clock_offset = 3600
        assert refused(objects.get_object, Bucket="bucket", Key="a") == (403, "RequestTimeTooSkewed")
        status, code = refused(client(aws, "lambda").list_functions)
        assert (status, code) == (403, "InvalidSignatureException")
        aws.clock_offset = 600
        answer = objects.head_object(Bucket="bucket", Key="a")
        said = datetime.strptime(
            answer["ResponseMetadata"]["HTTPHeaders"]["date"], "%a, %d %b %Y %H:%M:%S GMT"
        ).replace(tzinfo=UTC)
        assert timedelta(seconds=590) < said - datetime.now(UTC) < timedelta(seconds=610)
