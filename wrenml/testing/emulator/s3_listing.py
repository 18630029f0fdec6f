"""S3's listings, as XML."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote
from xml.sax.saxutils import escape

from wrenml.testing.emulator.objects import Bucket, Page, StoredObject
from wrenml.testing.emulator.recording import Call
from wrenml.testing.emulator.refusing import RefusedError, xml_answer
from wrenml.testing.emulator.web import Answer

__all__ = ["NAMESPACE", "iso", "listing", "multipart_uploads", "parts_of"]

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_MOST_KEYS = 1000
_SALT = 6


def iso(moment: float) -> str:
    """A moment as S3's XML has it."""
    return _iso(int(moment))


@lru_cache(1024)
def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def listing(call: Call, bucket: Bucket) -> Answer:
    """Answer ``ListObjectsV2`` or its elder.

    Raises
    ------
    RefusedError
        400 if the continuation token is none of ours.
    """
    query = call.request.query
    second = call.operation == "ListObjectsV2"
    most = min(int(query.get("max-keys", _MOST_KEYS)), _MOST_KEYS)
    token = query.get("continuation-token", "")
    after = (_untoken(token) if token else query.get("start-after", "")) if second else query.get("marker", "")
    # What a fault makes shorter than was asked for says what was asked for all the same.
    page = bucket.page(
        query.get("prefix", ""), after, min(most, int(query.get("x-page", most))), query.get("delimiter", "")
    )
    if not most:
        page = Page([], truncated=False)
    last = page.entries[-1][0] if page.entries else after
    encode = _encoded if query.get("encoding-type") == "url" else escape
    lines = [f"<ListBucketResult {NAMESPACE}><Name>{bucket.name}</Name><MaxKeys>{most}</MaxKeys>"]
    lines += _echo(query, encode)
    lines.append(f"<IsTruncated>{str(page.truncated).lower()}</IsTruncated>")
    if second:
        lines.append(f"<KeyCount>{len(page.entries)}</KeyCount>")
    if page.truncated:
        following = f"<NextContinuationToken>{_token(last)}</NextContinuationToken>"
        lines.append(following if second else f"<NextMarker>{encode(last)}</NextMarker>")
    lines += [
        f"<CommonPrefixes><Prefix>{encode(key)}</Prefix></CommonPrefixes>"
        if found is None
        else _entry(encode(key), found)
        for key, found in page.entries
    ]
    return xml_answer("".join([*lines, "</ListBucketResult>"]))


def _echo(query: Mapping[str, str], encode: Callable[[str], str]) -> list[str]:
    """What was asked for."""
    lines = [f"<Prefix>{encode(query.get('prefix', ''))}</Prefix>"]
    if "encoding-type" in query:
        lines.append("<EncodingType>url</EncodingType>")
    if "continuation-token" in query:
        lines.append(f"<ContinuationToken>{escape(query['continuation-token'])}</ContinuationToken>")
    for name, tag in (("delimiter", "Delimiter"), ("start-after", "StartAfter"), ("marker", "Marker")):
        if name in query:
            lines.append(f"<{tag}>{encode(query[name])}</{tag}>")
    return lines


def _entry(key: str, found: StoredObject) -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>{iso(found.modified)}</LastModified>"
        f"<ETag>&quot;{found.etag}&quot;</ETag><Size>{len(found.data)}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


def _encoded(key: str) -> str:
    return quote(key, safe="/")


def _token(key: str) -> str:
    # A page may be empty and still not be the last, and no two tokens are the same.
    return base64.urlsafe_b64encode(os.urandom(_SALT) + key.encode()).decode()


def _untoken(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token)[_SALT:].decode()
    except ValueError as error:
        raise RefusedError(400, "InvalidArgument", "The continuation token provided is incorrect") from error


def parts_of(call: Call, bucket: Bucket) -> Answer:
    """Answer ``ListParts``; all parts are one page."""
    name = call.request.query["uploadId"]
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><LastModified>{iso(part.modified)}</LastModified>"
        f"<ETag>&quot;{part.etag}&quot;</ETag><Size>{len(part.data)}</Size></Part>"
        for number, part in sorted(bucket.upload(name, call.key).parts.items())
    )
    return xml_answer(
        f"<ListPartsResult {NAMESPACE}><Bucket>{bucket.name}</Bucket><Key>{escape(call.key)}</Key>"
        f"<UploadId>{name}</UploadId><IsTruncated>false</IsTruncated>{parts}</ListPartsResult>"
    )


def multipart_uploads(_call: Call, bucket: Bucket) -> Answer:
    """Answer ``ListMultipartUploads``; all uploads are one page."""
    uploads = "".join(
        f"<Upload><Key>{escape(upload.key)}</Key><UploadId>{name}</UploadId></Upload>"
        for name, upload in sorted(bucket.uploads.items())
    )
    return xml_answer(
        f"<ListMultipartUploadsResult {NAMESPACE}><Bucket>{bucket.name}</Bucket>"
        f"<IsTruncated>false</IsTruncated>{uploads}</ListMultipartUploadsResult>"
    )
