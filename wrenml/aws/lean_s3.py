"""S3 as boto3's client shows it, for the operations that wrenml uses often; the others go to boto3."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from hashlib import md5
from typing import Any

from wrenml.aws import s3_xml
from wrenml.aws.answers import Answer
from wrenml.aws.caller import Call, metadata
from wrenml.aws.failures import RefusedError
from wrenml.aws.lean_client import LeanClient
from wrenml.aws.payload import Payload
from wrenml.aws.signing import quoted_path

__all__ = ["LeanS3", "s3_refusal"]

_SERVER_ERROR = 500
_EVERYWHERE = {"ExpectedBucketOwner": "x-amz-expected-bucket-owner"}
_CONTENT = {
    "CacheControl": "cache-control",
    "ContentEncoding": "content-encoding",
    "ContentType": "content-type",
    "IfMatch": "if-match",
    "IfNoneMatch": "if-none-match",
}
_SHOWN = {
    "cache-control": "CacheControl",
    "content-encoding": "ContentEncoding",
    "content-range": "ContentRange",
    "content-type": "ContentType",
    "etag": "ETag",
    "x-amz-expiration": "Expiration",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-version-id": "VersionId",
}


@dataclass(frozen=True, slots=True)
class _Operation:
    """How an operation travels: its parameters are headers, or parts of the query where they begin with ``?``."""

    name: str
    method: str
    fixed: tuple[tuple[str, str], ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


_READING = {"Range": "range", "IfMatch": "if-match", "VersionId": "?versionId"}
_LISTING = {
    "Prefix": "?prefix",
    "StartAfter": "?start-after",
    "ContinuationToken": "?continuation-token",
    "MaxKeys": "?max-keys",
    "Delimiter": "?delimiter",
}
_PART = {"UploadId": "?uploadId", "PartNumber": "?partNumber"}
_UPLOAD = {"UploadId": "?uploadId"}

_GET = _Operation("GetObject", "GET", parameters=_READING)
_HEAD = _Operation("HeadObject", "HEAD", parameters=_READING)
_PUT = _Operation("PutObject", "PUT", parameters=_CONTENT, body="Body")
_LIST = _Operation("ListObjectsV2", "GET", (("list-type", "2"), ("encoding-type", "url")), _LISTING)
_DELETE = _Operation("DeleteObject", "DELETE", parameters={"VersionId": "?versionId"})
_DELETE_MANY = _Operation("DeleteObjects", "POST", (("delete", ""),), body="Delete")
_CREATE = _Operation("CreateMultipartUpload", "POST", (("uploads", ""),), _CONTENT)
_UPLOAD_PART = _Operation("UploadPart", "PUT", parameters=_PART, body="Body")
_COMPLETE = _Operation("CompleteMultipartUpload", "POST", (), {**_UPLOAD, **_CONTENT}, body="MultipartUpload")
_ABORT = _Operation("AbortMultipartUpload", "DELETE", parameters=_UPLOAD)


class LeanS3(LeanClient):
    """Methods that take and return what those of boto3's S3 client do, as far as they are used here.

    A call with parameters that are not known here, to a bucket that is no plain one, or of another method goes
    to boto3's own client.
    """

    def get_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's names and types
        """Read an object; its ``Body`` has to be read to the end or closed."""
        answer = self._send(_GET, request)
        return self._boto().get_object(**request) if answer is None else _shown(answer) | {"Body": answer.body}

    def head_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's names and types
        """Ask for an object's size and age."""
        answer = self._send(_HEAD, request)
        if answer is None:
            return self._boto().head_object(**request)  # type: ignore[no-any-return]
        answer.body.close()
        return _shown(answer)

    def put_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's names and types
        """Write an object."""
        answer = self._send(_PUT, request)
        return self._boto().put_object(**request) if answer is None else _done(answer)

    def list_objects_v2(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's names and types
        """List a page of keys."""
        answer = self._send(_LIST, request)
        if answer is None:
            return self._boto().list_objects_v2(**request)  # type: ignore[no-any-return]
        return s3_xml.read_page(_believed(_LIST, answer)) | {"ResponseMetadata": metadata(answer)}

    def delete_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's names and types
        """Remove an object."""
        answer = self._send(_DELETE, request)
        return self._boto().delete_object(**request) if answer is None else _done(answer)

    def delete_objects(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's names and types
        """Remove up to 1,000 objects."""
        wanted = request.get("Delete", {})
        plain = all(entry.keys() == {"Key"} for entry in wanted.get("Objects", ()))
        body = s3_xml.deletion(wanted) if plain else b""
        # Not every server of this protocol takes another checksum than this one.
        checksum = {"content-md5": b64encode(md5(body, usedforsecurity=False).digest()).decode()}
        answer = self._send(_DELETE_MANY, request | {"Delete": body}, checksum) if plain else None
        if answer is None:
            return self._boto().delete_objects(**request)  # type: ignore[no-any-return]
        errors = s3_xml.read_deletion(_believed(_DELETE_MANY, answer))
        return {"ResponseMetadata": metadata(answer)} | ({"Errors": errors} if errors else {})

    def create_multipart_upload(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's names and types
        """Begin an object that is sent in parts."""
        answer = self._send(_CREATE, request)
        return self._boto().create_multipart_upload(**request) if answer is None else _fields(_CREATE, answer)

    def upload_part(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's names and types
        """Send a part."""
        answer = self._send(_UPLOAD_PART, request)
        return self._boto().upload_part(**request) if answer is None else _done(answer)

    def complete_multipart_upload(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's names and types
        """Make an object of its parts."""
        body = s3_xml.completion(request.get("MultipartUpload", {"Parts": ()}))
        answer = self._send(_COMPLETE, request | {"MultipartUpload": body})
        return self._boto().complete_multipart_upload(**request) if answer is None else _fields(_COMPLETE, answer)

    def abort_multipart_upload(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's names and types
        """Throw the parts away."""
        answer = self._send(_ABORT, request)
        return self._boto().abort_multipart_upload(**request) if answer is None else _done(answer)

    def _send(
        self, operation: _Operation, request: Mapping[str, Any], extra: Mapping[str, str] | None = None
    ) -> Answer | None:
        """Send what is known here; None where it is boto3's."""
        bucket, key = request["Bucket"], request.get("Key", "")
        if ":" in bucket or bucket.endswith("--x-s3"):
            return None
        query = list(operation.fixed)
        headers = dict(extra or {})
        for name, value in request.items():
            place = operation.parameters.get(name) or _EVERYWHERE.get(name)
            if place is None:
                if name in {"Bucket", "Key", operation.body}:
                    continue
                return None
            if place[0] == "?":
                query.append((place[1:], str(value)))
            else:
                headers[place] = str(value)
        address, prefix = self.caller.endpoint.place(bucket)
        path = quoted_path(f"{prefix}/{key}" if key else prefix or "/")
        body = request.get(operation.body, b"")
        payload = Payload(body.encode() if isinstance(body, str) else body)
        # What a condition or an upload's end meets on its way again may be the first one's work.
        repeatable = operation.method != "POST" and "if-none-match" not in headers
        call = Call(operation.name, operation.method, path, query, headers, payload, repeatable)
        return self.caller.send(call, address)


def s3_refusal(operation: str, answer: Answer, body: bytes) -> RefusedError:
    """What S3 said when it refused; an error behind a status of 200 counts as one of the server."""
    said = s3_xml.read_error(body)
    status = answer.status if answer.status >= 300 else _SERVER_ERROR  # noqa: PLR2004 - no success
    code, message = said.pop("Code", str(answer.status)), said.pop("Message", answer.reason)
    told = {**metadata(answer), "HTTPStatusCode": status}
    return RefusedError(operation, {"Error": {"Code": code, "Message": message, **said}, "ResponseMetadata": told})


def _believed(operation: _Operation, answer: Answer) -> bytes:
    """The body of a success that is none if it holds an error."""
    body = answer.read()
    if s3_xml.read_error(body):
        raise s3_refusal(operation.name, answer, body)
    return body


def _done(answer: Answer) -> dict[str, Any]:
    answer.read()
    return _shown(answer)


def _fields(operation: _Operation, answer: Answer) -> dict[str, Any]:
    return {**s3_xml.read_fields(_believed(operation, answer)), "ResponseMetadata": metadata(answer)}


def _shown(answer: Answer) -> dict[str, Any]:
    headers = answer.headers
    shown: dict[str, Any] = {_SHOWN[name]: value for name, value in headers.items() if name in _SHOWN}
    if "content-length" in headers:
        shown["ContentLength"] = int(headers["content-length"])
    if "last-modified" in headers:
        shown["LastModified"] = parsedate_to_datetime(headers["last-modified"])
    shown["Metadata"] = {
        name.removeprefix("x-amz-meta-"): value for name, value in headers.items() if name.startswith("x-amz-meta-")
    }
    shown["ResponseMetadata"] = metadata(answer)
    return shown
