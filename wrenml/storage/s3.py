"""Objects in an S3 bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice

from wrenml.aws.session import Session
from wrenml.errors import AccessDeniedError, ConfigError, KeyNotFoundError, StorageError
from wrenml.storage.base import (
    LARGE,
    Buffer,
    Commit,
    as_buffers,
    check_key,
    check_keys,
    check_range,
    commit_object,
    get_or_none,
    outcomes,
    size_of,
)
from wrenml.storage.s3_errors import IncompleteAnswerError, aws_errors, code_of
from wrenml.storage.s3_requests import Answer, Bucket, Patience
from wrenml.storage.s3_writes import Write

__all__ = ["Patience", "S3Storage"]

_PAGE = 1000
_WORTH_ASKING = 1 << 16  # bytes
_YOUNG = 7 * 86_400.0  # seconds, half of what blobs are kept for
_FRAME_THREADS = 16
_PASSING_DELETE_ERRORS = {"InternalError", "SlowDown", "ServiceUnavailable"}


class S3Storage:
    """A bucket, or the part of it below a prefix.

    It pickles as its URL and bucket owner: where it is opened again, that process's own credentials count.
    A conditional write whose answer was lost is recognised by its bytes when it is repeated.

    Parameters
    ----------
    url : str
        ``s3://<bucket>[/<prefix>]``.
    bucket_owner : str, optional
        The AWS account that must own the bucket; a bucket of another one is not used.
    session : Session, optional
        Where the client comes from.
    patience : Patience, optional
        How failures are retried.
    count : callable, optional
        Told of every request before it is sent: the client's method, and the key or prefix.

    Raises
    ------
    ConfigError
        The URL does not name a bucket.
    """

    def __init__(
        self,
        url: str,
        bucket_owner: str | None = None,
        *,
        session: Session | None = None,
        patience: Patience | None = None,
        count: Callable[[str, str], None] | None = None,
    ) -> None:
        scheme, _, path = url.partition("://")
        name, _, prefix = path.rstrip("/").partition("/")
        if scheme != "s3" or not name:
            raise ConfigError(f"{url!r} does not name a bucket. Use s3://bucket or s3://bucket/prefix.")
        if prefix:
            check_key(prefix)
        self._prefix = f"{prefix}/" if prefix else ""
        self._bucket = Bucket(name, bucket_owner, session or Session(), patience or Patience(), count)

    @property
    def url(self) -> str:
        """``s3://<bucket>[/<prefix>]``."""
        return f"s3://{self._bucket.name}/{self._prefix}".rstrip("/")

    def __repr__(self) -> str:
        return f"S3Storage({self.url!r})"

    def __reduce__(self) -> tuple[type[S3Storage], tuple[str, str | None]]:
        return S3Storage, (self.url, self._bucket.owner)

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write an object; see `wrenml.storage.base.Objects.put`. Above 64 MB it travels in parts."""
        full = self._full(key)

        def read(start: int, stop: int | None) -> Buffer:
            return self.get(key, start=start, stop=stop)

        return Write(self._bucket, full, as_buffers(data), if_absent=if_absent, read=read).run()

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> Buffer:
        """Read an object or a range; see `wrenml.storage.base.Objects.get`."""
        check_range(start, stop)
        part = {}
        if start or stop is not None:
            # There is no empty range: one byte is asked for, to learn whether the object exists.
            part["Range"] = f"bytes={start}-" + ("" if stop is None else str(max(stop - 1, start)))
        data, _ = self._get(key, part)
        return b"" if stop == start else data

    def get_start(self, key: str, size: int) -> tuple[Buffer, int]:
        """Read the first bytes of an object and learn how large it is, in one request.

        Parameters
        ----------
        key : str
            Which.
        size : int
            How many bytes at most, one or more.

        Returns
        -------
        data : Buffer
            As of `get`.
        whole : int
            The object's size, bytes.

        Raises
        ------
        KeyNotFoundError
            There is no such object; also a `FileNotFoundError`.
        """
        check_range(1, size)
        return self._get(key, {"Range": f"bytes=0-{size - 1}"})

    def _get(self, key: str, part: dict[str, str]) -> tuple[Buffer, int]:
        full = self._full(key)

        def send() -> tuple[Buffer, int]:
            try:
                answer = self._bucket.send("get_object", Key=full, **part)
            except aws_errors() as error:
                if code_of(error) == "InvalidRange":
                    return b"", 0
                raise
            _, _, whole = str(answer.get("ContentRange", "")).rpartition("/")
            data = _read(answer)
            return data, int(whole) if whole.isdecimal() else int(answer["ContentLength"])

        return self._bucket.retried(send, "s3:GetObject", full)

    def keep(self, key: str, data: Buffer | Sequence[Buffer]) -> None:
        """Write a content-addressed object, or write it again where the bucket's lifecycle may soon remove it.

        What is large and was written within a week is not sent again.
        """
        if size_of(as_buffers(data)) < _WORTH_ASKING or not self._is_young(key):
            self.put(key, data)

    def _is_young(self, key: str) -> bool:
        full = self._full(key)
        try:
            answer = self._bucket.retried(lambda: self._bucket.send("head_object", Key=full), "s3:GetObject", full)
        except (KeyNotFoundError, AccessDeniedError):  # without s3:ListBucket, that is how S3 says it is not there
            return False
        written: datetime = answer["LastModified"]
        return (datetime.now(UTC) - written).total_seconds() < _YOUNG

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Keys that begin with a prefix; see `wrenml.storage.base.Objects.list`."""
        place = {"StartAfter": self._prefix + after} if after else {}
        while True:
            page = self._page(self._prefix + prefix, place)
            for entry in page.get("Contents", ()):
                key = str(entry["Key"]).removeprefix(self._prefix)
                # Consoles mark folders by empty objects of such a name.
                if key and not key.endswith("/"):
                    yield key
            # A page may be short, even empty, and still not be the last.
            if not page["IsTruncated"]:
                return
            place = {"ContinuationToken": page["NextContinuationToken"]}

    def _page(self, prefix: str, place: dict[str, str]) -> Answer:
        def send() -> Answer:
            page = self._bucket.send("list_objects_v2", holding="IsTruncated", Prefix=prefix, **place)
            if page["IsTruncated"] and not page.get("NextContinuationToken"):
                raise IncompleteAnswerError("a page that says neither where the next begins nor that it is the last")
            return page

        return self._bucket.retried(send, "s3:ListBucket", prefix)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects, 1,000 a request; see `wrenml.storage.base.Objects.delete`."""
        check_keys(keys)
        names = map(self._full, keys)
        while page := list(islice(names, _PAGE)):
            self._delete_page(page)

    def _delete_page(self, page: Sequence[str]) -> None:
        def send() -> list[dict[str, str]]:
            request = {"Objects": [{"Key": name} for name in page], "Quiet": True}
            errors: list[dict[str, str]] = self._bucket.send("delete_objects", Delete=request).get("Errors", [])
            # What is deleted already may be deleted again, so the whole page is repeated.
            if errors and all(error["Code"] in _PASSING_DELETE_ERRORS for error in errors):
                raise IncompleteAnswerError(f"{len(errors)} of {len(page)} objects are still there")
            return errors

        errors = self._bucket.retried(send, "s3:DeleteObject", page[0])
        if errors:
            first = errors[0]
            kind = AccessDeniedError if first["Code"] == "AccessDenied" else StorageError
            raise kind(
                f"{len(errors)} of {len(page)} objects were not deleted, the first of them "
                f"s3://{self._bucket.name}/{first['Key']}: {first['Code']}. "
                "Allow s3:DeleteObject there, then delete again."
            )

    def commit(
        self,
        job: str,
        call: int,
        frame: Sequence[Buffer],
        *,
        attempt: int | None,
        writer: str,  # noqa: ARG002 - each frame is an object of its own, whoever writes it
    ) -> Commit:
        """Write a frame as an object of its own; see `wrenml.storage.base.Storage.commit`."""
        return commit_object(self, job, call, frame, attempt)

    def frames(self, job: str) -> Iterator[tuple[str, int, Buffer]]:
        """Every committed frame of a job; see `wrenml.storage.base.Storage.frames`."""
        keys = self.list(outcomes(job))
        with ThreadPoolExecutor(_FRAME_THREADS) as pool:
            # Few at a time, since a frame may be large.
            while some := list(islice(keys, 2 * _FRAME_THREADS)):
                for key, frame in zip(some, pool.map(lambda key: get_or_none(self, key), some), strict=True):
                    if frame is not None:
                        yield key, 0, frame

    def _full(self, key: str) -> str:
        check_key(key)
        return self._prefix + key


def _read(answer: Answer) -> Buffer:
    size = int(answer["ContentLength"])
    with closing(answer["Body"]) as body:
        if size < LARGE:
            small: bytes = body.read()
            return small
        data = bytearray(size)
        done = 0
        with memoryview(data) as view:
            while done < size and (count := body.readinto(view[done:])):
                done += count
        # Only reading on to the end makes botocore compare length and checksum.
        if body.read(1) or done < size:
            raise IncompleteAnswerError(f"{done} of {size} bytes")
        return data
