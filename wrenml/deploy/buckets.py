"""What deploying does in a stack's buckets: the package goes in; at the end all of wrenml's own goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from wrenml.aws.failures import code_of
from wrenml.deploy.names import Buckets
from wrenml.deploy.package import Package
from wrenml.errors import WrenmlError

__all__ = ["OWN_PREFIXES", "Objects"]

OWN_PREFIXES: Final = ("blobs/", "cache/", "canary/", "code/", "data/", "jobs/")
"""Everything wrenml writes into a stack's bucket begins so."""

_RECORDS: Final = "aws/lambda/async/"
_MISSING: Final = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchBucket"})
_PAGE: Final = 1000


class Objects:
    """The objects of a stack.

    Parameters
    ----------
    client : object
        Of S3.
    buckets : Buckets
        Where they are.
    owner : str
        The account that must own them.
    """

    def __init__(self, client: Any, buckets: Buckets, owner: str) -> None:  # noqa: ANN401 - as everywhere with boto3
        self._client = client
        self._buckets = buckets
        self._owner = owner

    def left_over(self) -> list[str]:
        """The buckets that are there."""
        return [bucket for bucket in self._buckets if self._has("head_bucket", Bucket=bucket)]

    def _has(self, operation: str, **request: str) -> bool:
        try:
            getattr(self._client, operation)(ExpectedBucketOwner=self._owner, **request)
        except self._client.exceptions.ClientError as error:
            if code_of(error) not in _MISSING:
                raise
            return False
        return True

    def upload(self, package: Package, say: Callable[[str], None]) -> None:
        """Put the package where Lambda takes it from, unless it is there."""
        if self._has("head_object", Bucket=self._buckets.jobs, Key=package.key):
            return
        say(f"uploading the package, {package.size / 1e6:,.0f} MB")
        self._client.upload_file(
            package.path, self._buckets.jobs, package.key, ExtraArgs={"ExpectedBucketOwner": self._owner}
        )

    def prune(self, package: Package) -> None:
        """Remove packages other than this one: Lambda keeps its own copy of what it runs."""
        old = (key for key in self._keys(self._buckets.jobs, "code/") if key != package.key)
        self._delete(self._buckets.jobs, old)

    def count(self) -> dict[str, int]:
        """How many objects there are, by prefix; prefixes without any are left out."""
        places = [(self._buckets.jobs, prefix) for prefix in OWN_PREFIXES] + [(self._buckets.failures, _RECORDS)]
        there = self.left_over()
        counts = {prefix: sum(1 for _ in self._keys(bucket, prefix)) for bucket, prefix in places if bucket in there}
        return {prefix: count for prefix, count in counts.items() if count}

    def empty(self) -> None:
        """Remove all that wrenml wrote."""
        there = self.left_over()
        for bucket, prefixes in ((self._buckets.jobs, OWN_PREFIXES), (self._buckets.failures, (_RECORDS,))):
            for prefix in prefixes if bucket in there else ():
                self._delete(bucket, self._keys(bucket, prefix))

    def remove_buckets(self) -> list[str]:
        """Remove the buckets; those that hold what is not wrenml's stay, and are returned."""
        stay = []
        for bucket in self.left_over():
            try:
                self._client.delete_bucket(Bucket=bucket, ExpectedBucketOwner=self._owner)
            except self._client.exceptions.ClientError as error:
                if code_of(error) != "BucketNotEmpty":
                    raise
                stay.append(bucket)
        return stay

    def _keys(self, bucket: str, prefix: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, ExpectedBucketOwner=self._owner
        )
        for page in pages:
            for entry in page.get("Contents", ()):
                yield entry["Key"]

    def _delete(self, bucket: str, keys: Iterator[str]) -> None:
        while page := [{"Key": key} for key in islice(keys, _PAGE)]:
            answer = self._client.delete_objects(
                Bucket=bucket, Delete={"Objects": page, "Quiet": True}, ExpectedBucketOwner=self._owner
            )
            for error in answer.get("Errors", ()):
                raise WrenmlError(f"s3://{bucket}/{error['Key']} could not be removed: {error.get('Message')}.")
