# ruff: noqa: S310  # what is opened is on loopback
from __future__ import annotations

import hashlib
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from threading import Barrier
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.support.emulated import Client, aws, client, emulator, refused
from wrenml.testing.emulator import Emulator

__all__ = ["aws", "emulator"]  # fixtures

WRITERS = 16
MB = 1 << 20
_names = count()


@pytest.fixture(scope="module")
def s3(emulator: Emulator) -> Client:
    return client(emulator, "s3")


@pytest.fixture
def bucket(s3: Client) -> str:
    name = f"bucket-{next(_names)}"
    s3.create_bucket(Bucket=name)
    return name


def keys(answer: dict[str, Any]) -> list[str]:
    return [entry["Key"] for entry in answer.get("Contents", ())]


class TestConditions:
    """docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html."""

    @pytest.mark.parametrize("multipart", [False, True])
    def test_of_racing_writers_one_wins(self, s3: Client, bucket: str, *, multipart: bool) -> None:
        barrier = Barrier(WRITERS)

        def write(number: int) -> bool:
            body = bytes([number]) * 100
            request: dict[str, Any] = {"Bucket": bucket, "Key": "a", "IfNoneMatch": "*"}
            if multipart:
                upload = s3.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
                etag = s3.upload_part(Bucket=bucket, Key="a", UploadId=upload, PartNumber=1, Body=body)["ETag"]
                request |= {"UploadId": upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}
            act = s3.complete_multipart_upload if multipart else s3.put_object
            barrier.wait(30)
            with suppress(s3.exceptions.ClientError):
                act(**request if multipart else request | {"Body": body})
                return True
            return False

        with ThreadPoolExecutor(WRITERS) as pool:
            for _ in range(3):
                won = list(pool.map(write, range(WRITERS)))
                assert won.count(True) == 1
                assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == bytes([won.index(True)]) * 100
                s3.delete_object(Bucket=bucket, Key="a")

    def test_an_object_in_the_way(self, s3: Client, bucket: str) -> None:
        s3.put_object(Bucket=bucket, Key="a", Body=b"1")
        assert refused(s3.put_object, Bucket=bucket, Key="a", IfNoneMatch="*") == (412, "PreconditionFailed")

    def test_if_match_wants_that_object(self, s3: Client, bucket: str) -> None:
        etag = s3.put_object(Bucket=bucket, Key="a", Body=b"1")["ETag"]
        other = {"Bucket": bucket, "Key": "a", "IfMatch": '"0"'}
        assert refused(s3.put_object, Body=b"2", **other) == (412, "PreconditionFailed")
        assert refused(s3.delete_object, **other) == (412, "PreconditionFailed")
        assert refused(s3.get_object, **other) == (412, "PreconditionFailed")
        assert refused(s3.put_object, Bucket=bucket, Key="b", IfMatch=etag) == (404, "NoSuchKey")
        s3.put_object(Bucket=bucket, Key="a", IfMatch=etag, Body=b"2")
        assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"2"

    def test_if_none_match_of_a_read(self, s3: Client, bucket: str) -> None:
        etag = s3.put_object(Bucket=bucket, Key="a", Body=b"1")["ETag"]
        assert refused(s3.get_object, Bucket=bucket, Key="a", IfNoneMatch=etag) == (304, "304")

    def test_a_bucket_of_another_account(self, s3: Client, bucket: str) -> None:
        s3.put_object(Bucket=bucket, Key="a")
        wrong = {"Bucket": bucket, "ExpectedBucketOwner": "999999999999"}
        assert refused(s3.put_object, Key="a", **wrong) == (403, "AccessDenied")
        assert refused(s3.get_object, Key="a", **wrong) == (403, "AccessDenied")
        assert refused(s3.list_objects_v2, **wrong) == (403, "AccessDenied")
        assert refused(s3.get_bucket_tagging, **wrong) == (403, "AccessDenied")

    def test_a_caller_without_list_learns_not_what_is_missing(self, aws: Emulator, bucket: str) -> None:
        worker = aws.callers.session("arn:aws:iam::123456789012:role/worker")
        credential = f"AWS4-HMAC-SHA256 Credential={worker.access_key}/20260101/us-east-1/s3/aws4_request"
        request = Request(f"{aws.url}/{bucket}/a", headers={"Authorization": credential})
        with pytest.raises(OSError, match="403"), urlopen(request):
            pass


class TestRanges:
    """docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html."""

    @pytest.mark.parametrize(
        ("said", "part"),
        [("0-3", b"0123"), ("4-", b"456789"), ("-3", b"789"), ("8-100", b"89"), ("-100", b"0123456789")],
    )
    def test_parts(self, s3: Client, bucket: str, said: str, part: bytes) -> None:
        s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
        answer = s3.get_object(Bucket=bucket, Key="a", Range=f"bytes={said}")
        assert answer["Body"].read() == part
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["ContentRange"].endswith("/10")

    @pytest.mark.parametrize("size", [0, 10])
    def test_beyond_the_end(self, s3: Client, bucket: str, size: int) -> None:
        s3.put_object(Bucket=bucket, Key="a", Body=bytes(size))
        assert refused(s3.get_object, Bucket=bucket, Key="a", Range="bytes=10-12") == (416, "InvalidRange")


class TestListings:
    """docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html."""

    def test_pages_in_order(self, s3: Client, bucket: str, aws: Emulator) -> None:
        names = sorted(f"p/{number}" for number in range(2_500))
        for name in reversed(names):
            aws.s3.bucket(bucket).put(name, b"")
        pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="p/"))
        assert [page["KeyCount"] for page in pages] == [1000, 1000, 500]
        assert [key for page in pages for key in keys(page)] == names

    def test_start_after_a_key_that_need_not_be_there(self, s3: Client, bucket: str) -> None:
        for name in ["a/1", "a/2", "b/1"]:
            s3.put_object(Bucket=bucket, Key=name)
        found = s3.list_objects_v2(Bucket=bucket, Prefix="a/", StartAfter="a/1x")
        assert keys(found) == ["a/2"]
        assert keys(s3.list_objects_v2(Bucket=bucket, MaxKeys=1, StartAfter="a/2")) == ["b/1"]

    def test_a_delimiter_folds(self, s3: Client, bucket: str) -> None:
        for name in ["a", "b/1", "b/2", "b0", "c/1/x", "d/"]:
            s3.put_object(Bucket=bucket, Key=name)
        pages = list(
            s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2})
        )
        assert [key for page in pages for key in keys(page)] == ["a", "b0"]
        folded = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", ())]
        assert folded == ["b/", "c/", "d/"]

    @pytest.mark.parametrize("key", ["a b+c%2F", "ü/é?&=#", "a//b", "<&>'\"", "~(1)!*", "line\nbreak", "."])
    def test_odd_keys(self, s3: Client, bucket: str, key: str) -> None:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert keys(s3.list_objects_v2(Bucket=bucket)) == [key]
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
        deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
        assert [entry["Key"] for entry in deleted["Deleted"]] == [key]
        assert keys(s3.list_objects_v2(Bucket=bucket)) == []

    def test_the_older_listing(self, s3: Client, bucket: str) -> None:
        for name in "abc":
            s3.put_object(Bucket=bucket, Key=name)
        first = s3.list_objects(Bucket=bucket, MaxKeys=2)
        assert keys(first) == ["a", "b"]
        assert keys(s3.list_objects(Bucket=bucket, Marker=first["NextMarker"])) == ["c"]


class TestUploads:
    """docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html."""

    def test_parts_become_one_object(self, s3: Client, bucket: str) -> None:
        upload = s3.create_multipart_upload(Bucket=bucket, Key="a", Metadata={"who": "me"})["UploadId"]
        where = {"Bucket": bucket, "Key": "a", "UploadId": upload}
        parts = []
        for number, body in enumerate([b"x" * 5 * MB, b"y"], 1):
            parts.append({"PartNumber": number, "ETag": s3.upload_part(**where, PartNumber=number, Body=body)["ETag"]})
        assert [part["PartNumber"] for part in s3.list_parts(**where)["Parts"]] == [1, 2]
        assert refused(s3.get_object, Bucket=bucket, Key="a") == (404, "NoSuchKey")
        s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
        found = s3.get_object(Bucket=bucket, Key="a")
        assert found["Body"].read() == b"x" * 5 * MB + b"y"
        assert found["ETag"].endswith('-2"')
        assert found["Metadata"] == {"who": "me"}

    def test_parts_are_checked(self, s3: Client, bucket: str) -> None:
        upload = s3.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
        where = {"Bucket": bucket, "Key": "a", "UploadId": upload}
        tags = [s3.upload_part(**where, PartNumber=number, Body=b"small")["ETag"] for number in (1, 2)]
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        finish = s3.complete_multipart_upload
        assert refused(finish, **where, MultipartUpload={"Parts": parts}) == (400, "EntityTooSmall")
        assert refused(finish, **where, MultipartUpload={"Parts": parts[::-1]}) == (400, "InvalidPartOrder")
        wrong = [{"PartNumber": 1, "ETag": '"0"'}]
        assert refused(finish, **where, MultipartUpload={"Parts": wrong}) == (400, "InvalidPart")
        s3.abort_multipart_upload(**where)
        assert refused(s3.list_parts, **where) == (404, "NoSuchUpload")


class TestBuckets:
    def test_what_is_not_empty_stays(self, s3: Client, bucket: str) -> None:
        s3.put_object(Bucket=bucket, Key="a")
        assert refused(s3.delete_bucket, Bucket=bucket) == (409, "BucketNotEmpty")
        s3.delete_object(Bucket=bucket, Key="a")
        s3.delete_bucket(Bucket=bucket)
        assert refused(s3.get_object, Bucket=bucket, Key="a") == (404, "NoSuchBucket")
        assert bucket not in {entry["Name"] for entry in s3.list_buckets()["Buckets"]}

    def test_settings_are_kept(self, s3: Client, bucket: str) -> None:
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
        assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]["BlockPublicAcls"]

    def test_a_copy(self, s3: Client, bucket: str) -> None:
        s3.put_object(Bucket=bucket, Key="a", Body=b"1", Metadata={"who": "me"}, ContentType="text/plain")
        s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
        found = s3.head_object(Bucket=bucket, Key="b")
        assert (found["ContentLength"], found["Metadata"], found["ContentType"]) == (1, {"who": "me"}, "text/plain")

    def test_both_styles_of_address(self, s3: Client, bucket: str, aws: Emulator) -> None:
        s3.put_object(Bucket=bucket, Key="a/b", Body=b"1")
        for host in (f"{bucket}.localhost:{aws.port}", f"{bucket}.s3.us-east-1.amazonaws.com"):
            with urlopen(Request(f"{aws.url}/a/b", headers={"Host": host})) as answer:
                assert answer.read() == b"1"

    def test_what_is_not_emulated_says_so(self, s3: Client, bucket: str) -> None:
        s3.put_object(Bucket=bucket, Key="a")
        assert refused(s3.get_object_tagging, Bucket=bucket, Key="a") == (501, "NotImplemented")


class TestIntegrity:
    """docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html."""

    def test_a_body_that_is_not_what_was_said(self, s3: Client, bucket: str) -> None:
        other = b64encode(hashlib.md5(b"2", usedforsecurity=False).digest()).decode()
        assert refused(s3.put_object, Bucket=bucket, Key="a", Body=b"1", ContentMD5=other) == (400, "BadDigest")
        wrong = {"ChecksumSHA256": b64encode(hashlib.sha256(b"2").digest()).decode()}
        assert refused(s3.put_object, Bucket=bucket, Key="a", Body=b"1", **wrong) == (400, "BadDigest")
        assert keys(s3.list_objects_v2(Bucket=bucket)) == []

    def test_checksums_come_back(self, s3: Client, bucket: str) -> None:
        said = b64encode(hashlib.sha256(b"1").digest()).decode()
        s3.put_object(Bucket=bucket, Key="a", Body=b"1", ChecksumSHA256=said)
        assert s3.get_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")["ChecksumSHA256"] == said
