"""How an object gets into a bucket: by one request, or in parts when it is large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from wrenml.errors import AccessDeniedError, KeyNotFoundError, WrenmlError
from wrenml.storage.base import Buffer, size_of
from wrenml.storage.chain import Chain, as_views, windows
from wrenml.storage.s3_errors import aws_errors, code_of
from wrenml.storage.s3_requests import Answer, Bucket

__all__ = ["Write"]

_JOINED = 1 << 20
_MULTIPART = 64 << 20
_PART = 16 << 20
_MAX_PARTS = 10_000
_PART_THREADS = 4
_ACTION = "s3:PutObject"


class Write:
    """One object on its way into a bucket.

    Parameters
    ----------
    bucket : Bucket
        Where.
    key : str
        The whole key.
    buffers : sequence of Buffer
        What.
    if_absent : bool
        Whether an object that is already there stays.
    read : callable
        Reads the object at the key from a start to a stop.
    """

    def __init__(
        self,
        bucket: Bucket,
        key: str,
        buffers: Sequence[Buffer],
        *,
        if_absent: bool,
        read: Callable[[int, int | None], Buffer],
    ) -> None:
        self._bucket = bucket
        self._key = key
        self._buffers = buffers
        self._size = size_of(buffers)
        self._if_absent = if_absent
        self._read = read
        self._attempts = 0

    def run(self) -> bool:
        """Write it; False if it was there."""
        if self._size <= _MULTIPART:
            return self._finish("put_object", {})
        # Only the last of many requests is conditional, so ask before the bytes travel.
        if self._if_absent and self._exists():
            return False
        return self._run_parts()

    def _finish(self, operation: str, request: Answer) -> bool:
        def send() -> bool:
            self._attempts += 1
            body = {"Body": self._body()} if operation == "put_object" else {}
            condition = {"IfNoneMatch": "*"} if self._if_absent else {}
            try:
                self._bucket.send(operation, holding="ETag", Key=self._key, **request, **body, **condition)
            except aws_errors() as error:
                if code_of(error) == "PreconditionFailed":
                    return False
                raise
            return True

        written = self._bucket.retried(send, _ACTION, self._key)
        # After a lost answer, what stands in the way may be our own.
        return written or (self._attempts > 1 and self._is_ours())

    def _body(self) -> bytes | Chain:
        # A stream that was sent once is at its end, so each attempt has its own.
        return b"".join(self._buffers) if self._size <= _JOINED else Chain(as_views(self._buffers))

    def _exists(self) -> bool:
        try:
            self._read(0, 1)
        except KeyNotFoundError:
            return False
        return True

    def _is_ours(self) -> bool:
        try:
            found = memoryview(self._read(0, None))
        except (KeyNotFoundError, AccessDeniedError):
            return False
        at = 0
        for view in as_views(self._buffers):
            if found[at : at + len(view)] != view:
                return False
            at += len(view)
        return at == len(found)

    def _run_parts(self) -> bool:
        bucket, key = self._bucket, self._key
        upload = bucket.retried(
            lambda: bucket.send("create_multipart_upload", holding="UploadId", Key=key)["UploadId"],
            _ACTION,
            key,
        )
        size = max(_PART, -(-self._size // _MAX_PARTS))
        written = False
        try:
            with ThreadPoolExecutor(_PART_THREADS) as pool:
                numbered = enumerate(windows(self._buffers, size), start=1)
                parts = list(pool.map(lambda part: self._part(upload, *part), numbered))
            written = self._finish(
                "complete_multipart_upload", {"UploadId": upload, "MultipartUpload": {"Parts": parts}}
            )
        finally:
            if not written:
                self._abort(upload)
        return written

    def _part(self, upload: str, number: int, views: Sequence[memoryview]) -> Answer:
        def send() -> Answer:
            return self._bucket.send(
                "upload_part",
                holding="ETag",
                Key=self._key,
                UploadId=upload,
                PartNumber=number,
                Body=Chain(views),
            )

        return {"PartNumber": number, "ETag": self._bucket.retried(send, _ACTION, self._key)["ETag"]}

    def _abort(self, upload: str) -> None:
        # What cannot be removed now is removed by the bucket's lifecycle rule.
        with suppress(WrenmlError):
            self._bucket.retried(
                lambda: self._bucket.send("abort_multipart_upload", Key=self._key, UploadId=upload),
                "s3:AbortMultipartUpload",
                self._key,
            )
