"""Which operation of S3 a request is, and on which bucket and key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from wrenml.testing.emulator.web import Request

__all__ = ["Target", "find_target"]

# `bucket.localhost`, `bucket.s3.localhost`, `bucket.s3.us-east-1.amazonaws.com`, each with or without a port
_VIRTUAL_HOST = re.compile(
    r"(?P<bucket>[a-z0-9][a-z0-9.-]+?)\.(?:s3[.-](?:[a-z0-9-]+\.)?)?(?:localhost|amazonaws\.com)(?::\d+)?"
)
_SERVICE_HOST = re.compile(r"s3[.-](?:[a-z0-9-]+\.)?(?:localhost|amazonaws\.com)(?::\d+)?")

# What a sub-resource of a bucket is called after Get, Put or Delete.
_BUCKET_PARTS = {
    "accelerate": "BucketAccelerateConfiguration",
    "acl": "BucketAcl",
    "cors": "BucketCors",
    "encryption": "BucketEncryption",
    "lifecycle": "BucketLifecycleConfiguration",
    "location": "BucketLocation",
    "logging": "BucketLogging",
    "notification": "BucketNotificationConfiguration",
    "object-lock": "ObjectLockConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus",
    "publicAccessBlock": "PublicAccessBlock",
    "replication": "BucketReplication",
    "requestPayment": "BucketRequestPayment",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
_OBJECT_PARTS = {
    "acl": "ObjectAcl",
    "attributes": "ObjectAttributes",
    "legal-hold": "ObjectLegalHold",
    "retention": "ObjectRetention",
    "tagging": "ObjectTagging",
    "torrent": "ObjectTorrent",
}
_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}


class Target(NamedTuple):
    """An operation and what it is on; the key of a listing is its prefix."""

    operation: str
    bucket: str
    key: str


def find_target(request: Request) -> Target:
    """Read a request of S3; the operation is empty where S3 has none."""
    bucket, key = _split(request)
    if not bucket:
        return Target("ListBuckets" if request.method == "GET" else "", "", "")
    if key:
        return Target(_object_operation(request), bucket, key)
    operation = _bucket_operation(request)
    prefix = request.query.get("prefix", "") if operation.startswith("ListObjects") else ""
    return Target(operation, bucket, prefix)


def _split(request: Request) -> tuple[str, str]:
    host = request.headers.get("host", "")
    path = unquote(request.path.removeprefix("/"))
    virtual = None if _SERVICE_HOST.fullmatch(host) else _VIRTUAL_HOST.fullmatch(host)
    if virtual:
        return virtual["bucket"], path
    bucket, _, key = path.partition("/")
    return bucket, key


def _part_of(query: Mapping[str, str], parts: Mapping[str, str]) -> str:
    return next((parts[name] for name in query if name in parts), "")


def _object_operation(request: Request) -> str:
    method, query = request.method, request.query
    part = _part_of(query, _OBJECT_PARTS)
    if part:
        return _VERBS.get(method, "") + part
    if "uploads" in query:
        return "CreateMultipartUpload" if method == "POST" else ""
    if "uploadId" in query:
        copies = "UploadPartCopy" if "x-amz-copy-source" in request.headers else "UploadPart"
        named = {"PUT": copies, "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload", "GET": "ListParts"}
        return named.get(method, "")
    if method == "PUT" and "x-amz-copy-source" in request.headers:
        return "CopyObject"
    named = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
    return named.get(method, "")


def _bucket_operation(request: Request) -> str:
    method, query = request.method, request.query
    part = _part_of(query, _BUCKET_PARTS)
    if part:
        return _VERBS.get(method, "") + part
    if method == "POST":
        return "DeleteObjects" if "delete" in query else ""
    if method == "GET":
        if "uploads" in query:
            return "ListMultipartUploads"
        return "ListObjectsV2" if query.get("list-type") == "2" else "ListObjects"
    return {"HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}.get(method, "")
