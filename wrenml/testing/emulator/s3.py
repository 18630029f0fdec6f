"""S3 as its clients see it: the operations on objects, over `wrenml.testing.emulator.objects`.

Stricter than other emulators where AWS is: it checks digests of what arrives, the bucket's expected owner, and
parts' sizes; and it hides from a caller without the right to list whether an object is missing.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping
from email.utils import formatdate
from hashlib import md5, sha256
from threading import Lock
from urllib.parse import unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from wrenml.testing.emulator.objects import Bucket, StoredObject
from wrenml.testing.emulator.recording import Call
from wrenml.testing.emulator.refusing import RefusedError, xml_answer
from wrenml.testing.emulator.s3_listing import NAMESPACE, iso, listing, multipart_uploads, parts_of
from wrenml.testing.emulator.web import Answer

__all__ = ["S3"]

_KEPT = ("x-amz-meta-", "x-amz-checksum-", "x-amz-storage-class")
_KEPT_NAMES = {"content-type", "content-encoding", "content-disposition", "content-language", "cache-control"}
_MOST_KEYS = 1000
_LONGEST_KEY = 1024
_HEX_DIGEST = 64


class S3:
    """All buckets of one account.

    Parameters
    ----------
    account : str
        Who owns them.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._lock = Lock()
        self._buckets: dict[str, Bucket] = {}
        self._operations: Mapping[str, Callable[[Call, Bucket], Answer]] = {
            "GetObject": self._get,
            "HeadObject": self._get,
            "PutObject": self._put,
            "CopyObject": self._copy,
            "DeleteObject": self._delete,
            "DeleteObjects": self._delete_many,
            "ListObjectsV2": listing,
            "ListObjects": listing,
            "HeadBucket": self._head_bucket,
            "CreateMultipartUpload": self._begin,
            "UploadPart": self._upload,
            "CompleteMultipartUpload": self._complete,
            "AbortMultipartUpload": self._abort,
            "ListParts": parts_of,
            "ListMultipartUploads": multipart_uploads,
        }

    def create(self, name: str) -> Bucket:
        """Make a bucket; one that exists stays as it is."""
        with self._lock:
            return self._buckets.setdefault(name, Bucket(name, self._account))

    def remove(self, name: str) -> None:
        """Forget a bucket and what is in it."""
        with self._lock:
            self._buckets.pop(name, None)

    def bucket(self, name: str) -> Bucket:
        """Find a bucket.

        Raises
        ------
        RefusedError
            404 if there is none.
        """
        found = self._buckets.get(name)
        if found is None:
            raise RefusedError(404, "NoSuchBucket", "The specified bucket does not exist", BucketName=name)
        return found

    def handles(self, operation: str) -> bool:
        """Whether the operation is on objects, and thus answered here."""
        return operation in self._operations

    def answer(self, call: Call) -> Answer:
        """Carry out an operation on objects.

        Raises
        ------
        RefusedError
            As S3 would refuse it.
        """
        bucket = self.bucket(call.bucket)
        self.check_owner(call)
        return self._operations[call.operation](call, bucket)

    def check_owner(self, call: Call) -> None:
        """Refuse what expects the bucket to be somebody else's.

        Raises
        ------
        RefusedError
            403.
        """
        expected = call.headers.get("x-amz-expected-bucket-owner")
        if expected is not None and expected != self._account:
            raise RefusedError(403, "AccessDenied", "Access Denied: the bucket has another owner")

    @staticmethod
    def _get(call: Call, bucket: Bucket) -> Answer:
        found = _existing(call, bucket, call.key)
        headers = _headers(found)
        status, body = 200, memoryview(found.data)
        _check_read(call.headers, found)
        if call.headers.get("if-none-match") in {"*", found.etag, headers["ETag"]}:
            return Answer(304, b"", {name: headers[name] for name in ("ETag", "Last-Modified")})
        span = call.headers.get("range")
        if span is not None:
            part = _range(span, len(body))
            status = 206
            headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{len(body)}"
            headers = {name: value for name, value in headers.items() if not name.startswith("x-amz-checksum")}
            body = body[part.start : part.stop]
        elif call.headers.get("x-amz-checksum-mode") != "ENABLED":
            headers = {name: value for name, value in headers.items() if not name.startswith("x-amz-checksum")}
        headers["Content-Length"] = str(len(body))
        return Answer(status, body, headers)

    @staticmethod
    def _put(call: Call, bucket: Bucket) -> Answer:
        if len(call.key.encode()) > _LONGEST_KEY:
            raise RefusedError(400, "KeyTooLongError", "Your key is too long")
        _check_digests(call.headers, call.request.body)
        stored = bucket.put(call.key, call.request.body, _kept(call.headers), conditions=call.headers)
        return Answer(200, b"", {"ETag": f'"{stored.etag}"', **_checksums(call.headers)})

    def _copy(self, call: Call, bucket: Bucket) -> Answer:
        name, _, key = unquote(call.headers["x-amz-copy-source"].partition("?")[0]).removeprefix("/").partition("/")
        source = _existing(call, self.bucket(name), key)
        conditions = {name: value for name, value in call.headers.items() if name.startswith("if-")}
        replaces = call.headers.get("x-amz-metadata-directive") == "REPLACE"
        stored = bucket.put(
            call.key, source.data, _kept(call.headers) if replaces else source.headers, conditions=conditions
        )
        return xml_answer(
            f"<CopyObjectResult {NAMESPACE}><ETag>&quot;{stored.etag}&quot;</ETag>"
            f"<LastModified>{iso(stored.modified)}</LastModified></CopyObjectResult>"
        )

    @staticmethod
    def _delete(call: Call, bucket: Bucket) -> Answer:
        bucket.delete(call.key, call.headers)
        return Answer(204)

    @staticmethod
    def _delete_many(call: Call, bucket: Bucket) -> Answer:
        root = _parse(call.request.body)
        keys = [entry.findtext("{*}Key", "") for entry in root.iterfind("{*}Object")]
        if not 0 < len(keys) <= _MOST_KEYS:
            raise RefusedError(400, "MalformedXML", "1 to 1,000 objects can be deleted by one request")
        for key in keys:
            bucket.delete(key)
        quiet = root.findtext("{*}Quiet", "") == "true"
        told = "" if quiet else "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return xml_answer(f"<DeleteResult {NAMESPACE}>{told}</DeleteResult>")

    @staticmethod
    def _head_bucket(call: Call, _bucket: Bucket) -> Answer:
        return Answer(200, b"", {"x-amz-bucket-region": call.region or "us-east-1"})

    @staticmethod
    def _begin(call: Call, bucket: Bucket) -> Answer:
        name = bucket.begin(call.key, _kept(call.headers))
        return xml_answer(
            f"<InitiateMultipartUploadResult {NAMESPACE}><Bucket>{bucket.name}</Bucket>"
            f"<Key>{escape(call.key)}</Key><UploadId>{name}</UploadId></InitiateMultipartUploadResult>"
        )

    @staticmethod
    def _upload(call: Call, bucket: Bucket) -> Answer:
        body, query = call.request.body, call.request.query
        upload = bucket.upload(query["uploadId"], call.key)
        _check_digests(call.headers, body)
        etag = md5(body, usedforsecurity=False).hexdigest()
        upload.parts[int(query["partNumber"])] = StoredObject(body, etag, call.moment)
        return Answer(200, b"", {"ETag": f'"{etag}"', **_checksums(call.headers)})

    @staticmethod
    def _complete(call: Call, bucket: Bucket) -> Answer:
        parts = [
            (int(entry.findtext("{*}PartNumber", "0")), entry.findtext("{*}ETag", "").strip('"'))
            for entry in _parse(call.request.body).iterfind("{*}Part")
        ]
        stored = bucket.complete(call.request.query["uploadId"], call.key, parts, call.headers)
        return xml_answer(
            f"<CompleteMultipartUploadResult {NAMESPACE}><Bucket>{bucket.name}</Bucket>"
            f"<Key>{escape(call.key)}</Key><ETag>&quot;{stored.etag}&quot;</ETag></CompleteMultipartUploadResult>"
        )

    @staticmethod
    def _abort(call: Call, bucket: Bucket) -> Answer:
        bucket.upload(call.request.query["uploadId"], call.key)
        bucket.uploads.pop(call.request.query["uploadId"], None)
        return Answer(204)


def _existing(call: Call, bucket: Bucket, key: str) -> StoredObject:
    found = bucket.find(key)
    if found is None:
        if not call.caller.sees_missing:
            raise RefusedError(403, "AccessDenied", "Access Denied")
        raise RefusedError(404, "NoSuchKey", "The specified key does not exist.", Key=key)
    return found


def _headers(found: StoredObject) -> dict[str, str]:
    return {
        "ETag": f'"{found.etag}"',
        "Last-Modified": formatdate(found.modified, usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Type": "binary/octet-stream",
        **found.headers,
    }


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in headers.items() if name in _KEPT_NAMES or name.startswith(_KEPT)}
    if "content-type" in kept:
        kept["Content-Type"] = kept.pop("content-type")
    if "aws-chunked" in kept.get("content-encoding", ""):
        del kept["content-encoding"]
    return kept


def _checksums(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("x-amz-checksum-")}


def _check_read(headers: Mapping[str, str], found: StoredObject) -> None:
    match = headers.get("if-match")
    if match is not None and match not in {"*", found.etag, f'"{found.etag}"'}:
        raise RefusedError(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")


def _range(text: str, size: int) -> range:
    """Which bytes a range means; one that S3 cannot read means all of them."""
    first, dash, last = text.removeprefix("bytes=").partition("-")
    if not dash or not (first + last).isdecimal():
        return range(size)
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    if start >= size or (not first and last == "0"):
        raise RefusedError(416, "InvalidRange", "The requested range is not satisfiable", ActualObjectSize=str(size))
    return range(start, stop) if stop > start else range(size)


def _check_digests(headers: Mapping[str, str], body: bytes) -> None:
    """Refuse a body that is not what its headers say."""
    said = headers.get("content-md5")
    if said and said != base64.b64encode(md5(body, usedforsecurity=False).digest()).decode():
        raise RefusedError(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
    said = headers.get("x-amz-content-sha256", "")
    if len(said) == _HEX_DIGEST and said != sha256(body).hexdigest():
        raise RefusedError(400, "XAmzContentSHA256Mismatch", "The provided header does not match what was computed.")
    for name, compute in _CHECKSUMS.items():
        said = headers.get(f"x-amz-checksum-{name}", "")
        if said and said != base64.b64encode(compute(body)).decode():
            raise RefusedError(400, "BadDigest", f"The {name.upper()} you specified did not match the calculated one.")


_CHECKSUMS: Mapping[str, Callable[[bytes], bytes]] = {
    "crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "sha256": lambda body: sha256(body).digest(),
}


def _parse(body: bytes) -> ET.Element:
    try:
        return ET.fromstring(body)  # noqa: S314 - from a test, over loopback
    except ET.ParseError as error:
        raise RefusedError(400, "MalformedXML", "The XML you provided was not well-formed") from error
