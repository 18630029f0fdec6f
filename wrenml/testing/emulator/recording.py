"""What was asked of the emulated AWS: every request, by service, operation and caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from wrenml.testing.emulator.callers import Caller
from wrenml.testing.emulator.web import Request

__all__ = ["Call", "Requests"]


@dataclass(slots=True, eq=False)
class Call:
    """One request and what it means.

    Parameters
    ----------
    service : str
        As its signature names it, such as ``s3`` or ``lambda``.
    operation : str
        As AWS names it, such as ``PutObject``.
    caller : Caller
        Whose credentials signed it.
    request : Request
        What came; its body is dropped from a recorded call once it is answered.
    resource : str
        ARN of what it is about; ``*`` where AWS knows no narrower one.
    bucket, key : str
        Of S3's requests. Of ``ListObjectsV2``, the key is the prefix.
    region : str
        As the signature names it.
    moment : float
        When it came, seconds since the epoch by the machine's clock.
    status : int
        What was answered; 0 while it is not.
    sent, received : int
        Bytes of the bodies of answer and request.
    fault : str
        The name of the fault that met it, if one did.
    """

    service: str
    operation: str
    caller: Caller
    request: Request
    resource: str = "*"
    bucket: str = ""
    key: str = ""
    region: str = ""
    moment: float = 0.0
    status: int = 0
    sent: int = 0
    received: int = 0
    fault: str = ""

    @property
    def headers(self) -> Mapping[str, str]:
        """What came with it, such as ``if-none-match``; names in lower case."""
        return self.request.headers

    @property
    def action(self) -> str:
        """The permission it needs, as policies name it, such as ``s3:GetObject``."""
        return f"{self.service}:{_ACTIONS.get((self.service, self.operation), self.operation)}"


# Where the permission has another name than the operation.
_ACTIONS = {
    ("lambda", "Invoke"): "InvokeFunction",
    ("s3", "HeadObject"): "GetObject",
    ("s3", "CopyObject"): "PutObject",
    ("s3", "CreateMultipartUpload"): "PutObject",
    ("s3", "UploadPart"): "PutObject",
    ("s3", "CompleteMultipartUpload"): "PutObject",
    ("s3", "DeleteObjects"): "DeleteObject",
    ("s3", "HeadBucket"): "ListBucket",
    ("s3", "ListObjects"): "ListBucket",
    ("s3", "ListObjectsV2"): "ListBucket",
    ("s3", "ListBuckets"): "ListAllMyBuckets",
    ("s3", "ListMultipartUploads"): "ListBucketMultipartUploads",
    ("s3", "ListParts"): "ListMultipartUploadParts",
    ("s3", "GetBucketLifecycleConfiguration"): "GetLifecycleConfiguration",
    ("s3", "PutBucketLifecycleConfiguration"): "PutLifecycleConfiguration",
    ("s3", "GetBucketEncryption"): "GetEncryptionConfiguration",
    ("s3", "PutBucketEncryption"): "PutEncryptionConfiguration",
    ("s3", "GetPublicAccessBlock"): "GetBucketPublicAccessBlock",
    ("s3", "PutPublicAccessBlock"): "PutBucketPublicAccessBlock",
}


@dataclass(slots=True)
class Requests:
    """All calls since the last `clear`, in the order in which they came."""

    _calls: list[Call] = field(default_factory=list)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._calls))

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: Call) -> None:
        """Record one."""
        self._calls.append(call)

    def of(self, operation: str | None = None, *, service: str | None = None, caller: str | None = None) -> list[Call]:
        """Those of an operation, a service, or a caller's name; what is not given is not asked about."""
        return [
            call
            for call in self
            if operation in {None, call.operation}
            and service in {None, call.service}
            and caller in {None, call.caller.name}
        ]

    def count(self, operation: str | None = None, *, service: str | None = None, caller: str | None = None) -> int:
        """How many `of` finds."""
        return len(self.of(operation, service=service, caller=caller))

    def counts(self, of: Callable[[Call], str] | None = None) -> Counter[str]:
        """How many there are of each kind; by default, kinds are such as ``worker s3:PutObject``."""
        name = of or (lambda call: f"{call.caller.name} {call.service}:{call.operation}")
        return Counter(name(call) for call in self)

    def clear(self) -> None:
        """Forget them all."""
        self._calls.clear()
