"""What travels from client to worker: the job spec, the request, and the names of the objects in storage.

The fields ``protocol``, ``storage``, ``owner``, ``job``, ``calls``, ``attempt`` and ``key`` of a request keep their
meaning for ever, so that any worker can answer a newer request with an outcome that says so. Everything the calls of a
job share is in the `JobSpec`, stored once under its digest; the request names the digest and is therefore small, and
the trust anchor: all the worker fetches is checked against digests in it.

Records are named tuples here and in `wrenml.outcome`: a worker's cold start has no time for dataclasses.
"""

from __future__ import annotations

import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from wrenml.errors import VersionMismatchError, WireError

__all__ = [
    "PROTOCOL",
    "PYTHON",
    "Applied",
    "ArgumentRange",
    "Input",
    "JobSpec",
    "Request",
    "args_key",
    "blob_key",
    "decode_request",
    "decode_spec",
    "encode_request",
    "encode_spec",
    "lease_key",
    "manifest_key",
    "outcome_prefix",
    "state_key",
]

PROTOCOL = 1
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


def blob_key(digest: str) -> str:
    """Name a content-addressed object."""
    return f"blobs/{digest}"


def manifest_key(job: str) -> str:
    """Name the record from which another process attaches."""
    return f"jobs/{job}/manifest"


def args_key(job: str, segment: int) -> str:
    """Name a segment of the argument list."""
    return f"jobs/{job}/args/{segment:010d}"


def state_key(job: str) -> str:
    """Name the record that says running or cancelled."""
    return f"jobs/{job}/state"


def lease_key(job: str, epoch: int) -> str:
    """Name the record that says which client may invoke."""
    return f"jobs/{job}/lease/{epoch}"


def outcome_prefix(job: str) -> str:
    """Prefix of everything a job's workers write."""
    return f"jobs/{job}/out/"


class Applied:
    """How an element becomes arguments: ``fn(x)``, ``fn(*x)`` or ``fn(*x[0], **x[1])``."""

    ITEM = "item"
    STAR = "star"
    KEYWORDS = "keywords"


class JobSpec(NamedTuple):
    """What all calls of a job share.

    Packed things (function, retry_on) are `wrenml.pickling` bytes.
    """

    function: bytes
    applied: str = Applied.ITEM
    archive: str | None = None  # digest of the zip of local modules
    timeout: float | None = None  # seconds, of one call
    retries: int = 0
    retry_on: bytes | None = None  # packed tuple of exception types
    seed: int | None = None
    env: Mapping[str, str] = MappingProxyType({})
    files: tuple[tuple[str, str], ...] = ()  # (name in the call's folder, digest)
    hooks: bool = False  # `function` is packed together with initializer and finalizer: they share their globals
    python: str = PYTHON
    cloudpickle: str | None = None  # None: no cloudpickle is needed to read the function


_PACKED = ("function", "retry_on")


def encode_spec(spec: JobSpec) -> bytes:
    """Encode a job spec; equal specs give equal bytes."""
    record: dict[str, object] = {name: getattr(spec, name) for name in JobSpec._fields}
    for name in _PACKED:
        value = record[name]
        record[name] = b64encode(value).decode() if isinstance(value, bytes) else None
    record["env"] = dict(sorted(spec.env.items()))
    return json.dumps(record, separators=(",", ":")).encode()


def decode_spec(data: bytes | memoryview) -> JobSpec:
    """Decode a job spec, refusing one made by another minor version of Python before anything is unpickled.

    Raises
    ------
    VersionMismatchError
        If the versions differ: a pickle of functions from another minor version usually ends in a crash.
    WireError
        If it is not a job spec.
    """
    record = _record(bytes(data), "job spec")
    python = record.get("python")
    if isinstance(python, str) and python != PYTHON:
        raise VersionMismatchError(
            f"the job was made by Python {python}, this worker runs Python {PYTHON}; functions cannot travel between "
            "minor versions. Run client and worker under the same one."
        )
    try:
        for name in _PACKED:
            value = record[name]
            record[name] = b64decode(value) if value is not None else None
        record["files"] = tuple((name, digest) for name, digest in record["files"])
        return JobSpec(**record)
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"not a wrenml job spec: {error!r}") from error


def _record(data: bytes, what: str) -> dict[str, Any]:
    try:
        record = json.loads(data)
    except ValueError as error:
        raise WireError(f"not a wrenml {what}: {error}") from error
    if not isinstance(record, dict):
        raise WireError(f"not a wrenml {what}: a JSON {type(record).__name__}, not an object")
    return record


class ArgumentRange(NamedTuple):
    """Where the arguments of a request lie when they do not travel in it: bytes of a segment, and their digest."""

    key: str
    start: int
    stop: int
    sha256: str


class Input(NamedTuple):
    """Where the result of another call lies that is an argument of this one.

    The range is that of the packed value inside the object; `sha256` is its digest.
    """

    job: str
    call: int
    key: str
    start: int
    stop: int
    sha256: str


class Request(NamedTuple):
    """One invocation: the calls ``first … first + count - 1`` of a job, under one attempt number.

    `offsets` has ``count + 1`` entries: call ``first + i`` finds its packed argument at ``offsets[i]:offsets[i + 1]``
    of `args` (or of the range that `range` names).
    """

    job: str
    first: int
    count: int  # type: ignore[assignment]  # hides a method of tuples that nobody wants here
    attempt: int
    spec: str
    key: bytes
    offsets: tuple[int, ...] | memoryview
    args: bytes | memoryview = b""
    range: ArgumentRange | None = None
    inputs: tuple[Input, ...] = ()
    storage: str = ""
    owner: str = ""  # the account that must own the storage's bucket
    carried: bytes = b""  # the job spec itself, where it is small enough to travel
    sent: float = 0.0  # Unix time, seconds
    start_by: float | None = None  # Unix time, seconds
    not_after: float | None = None  # Unix time, seconds
    cancel: str = ""  # SHA-256 of the token that a cancelled state reveals
    part: int = 1  # calls an outcome object covers
    largest: bool = True  # whether there is no function with more memory to try
    depth: int = 0  # of maps inside calls
    protocol: int = PROTOCOL

    def __repr__(self) -> str:
        return f"<Request {self.job} calls {self.first}-{self.first + self.count - 1} attempt {self.attempt}>"


def encode_request(request: Request) -> bytes:
    """Encode a request as the JSON payload of an invocation."""
    where = request.range
    record = {
        "protocol": request.protocol,
        "storage": request.storage,
        "owner": request.owner,
        "job": request.job,
        "calls": [request.first, request.count],
        "attempt": request.attempt,
        "spec": request.spec,
        "carried": b64encode(request.carried).decode(),
        "key": b64encode(request.key).decode(),
        "offsets": list(request.offsets),
        "args": b64encode(request.args).decode(),
        "range": None if where is None else [where.key, where.start, where.stop, where.sha256],
        "inputs": [[i.job, i.call, i.key, i.start, i.stop, i.sha256] for i in request.inputs],
        "sent": request.sent,
        "start_by": request.start_by,
        "not_after": request.not_after,
        "cancel": request.cancel,
        "part": request.part,
        "largest": request.largest,
        "depth": request.depth,
    }
    return json.dumps(record, separators=(",", ":")).encode()


def decode_request(data: bytes | Mapping[str, object]) -> Request:
    """Decode a request from JSON bytes, or from the dict that Lambda makes of them.

    Raises
    ------
    VersionMismatchError
        If the request speaks another protocol.
    WireError
        If it is not a request.
    """
    record = _record(data, "request") if isinstance(data, bytes) else dict(data)
    if record.get("protocol") != PROTOCOL:
        raise VersionMismatchError(
            f"the request speaks protocol {record.get('protocol')!r}, this worker {PROTOCOL}; deploy the client's one"
        )
    try:
        return _request(record)
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"not a wrenml request: {error!r}") from error


def _request(record: Mapping[str, object]) -> Request:
    values: dict[str, Any] = dict(record)
    first, count = values.pop("calls")
    where = values.pop("range")
    inputs = values.pop("inputs")
    values["key"] = b64decode(str(values["key"]))
    values["args"] = b64decode(str(values["args"]))
    values["carried"] = b64decode(str(values.get("carried", "")))
    values["offsets"] = tuple(values["offsets"])
    return Request(
        first=first,
        count=count,
        range=None if where is None else ArgumentRange(*where),
        inputs=tuple(Input(*entry) for entry in inputs),
        **values,
    )
