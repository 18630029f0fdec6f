"""Jobs as a client would send them, and their outcomes as it would read them, without a client."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from wrenml import auth
from wrenml.failures import rebuild
from wrenml.outcome import Outcome, Status, parse_frame
from wrenml.pickling import Packer, Unpacker
from wrenml.storage import Storage
from wrenml.storage.base import Buffer
from wrenml.wire import JobSpec, Request, blob_key, encode_request, encode_spec


@dataclass(frozen=True)
class Read:
    """An outcome as read back: where it lay, what it says, and the result or exception."""

    key: str
    outcome: Outcome
    value: Any

    @property
    def lost(self) -> bool:
        return self.outcome.status == Status.LOST

    @property
    def log(self) -> str:
        return str(self.outcome.extra.get("log", ""))


@dataclass
class SentJob:
    """A job in a storage, and the requests for its calls."""

    storage: Storage
    fn: object
    items: Sequence[object]
    settings: Mapping[str, Any] = field(default_factory=dict)
    id: str = "0123456789abcdef"
    key: bytes = bytes(range(32))

    def __post_init__(self) -> None:
        packer = Packer(self._put)
        self.spec = encode_spec(JobSpec(function=packer.dumps(self.fn), **self.settings))
        self.digest = sha256(self.spec).hexdigest()
        self.storage.put(blob_key(self.digest), self.spec)
        self._packed = packer.dumps_many(list(self.items))

    def _put(self, digest: bytes, data: Sequence[Buffer]) -> None:
        self.storage.put(blob_key(digest.hex()), data)

    def request(self, *, attempt: int = 1, **changes: object) -> Request:
        request = Request(
            job=self.id,
            first=0,
            count=len(self.items),
            attempt=attempt,
            spec=self.digest,
            key=auth.invocation_key(self.key, 0, attempt),
            offsets=tuple(self._packed.offsets),
            args=self._packed.data,
            storage=self.storage.url,
        )
        return request._replace(**changes)  # type: ignore[arg-type]  # the fields of a request

    def event(self, **changes: object) -> dict[str, object]:
        event: dict[str, object] = json.loads(encode_request(self.request()._replace(**changes)))  # type: ignore[arg-type]
        return event

    def outcomes(self) -> list[Read]:
        """All that is stored, in the order of keys and calls."""
        unpacker = Unpacker(lambda digest: self.storage.get(blob_key(digest.hex())))
        found = []
        for key, _, data in self.storage.frames(self.id):
            frame = parse_frame(bytes(data), self.id, lambda f, a: auth.invocation_key(self.key, f, a))
            for outcome, start, stop in frame.outcomes():
                capture = outcome.extra.get("capture", 0)
                assert isinstance(capture, int)
                assert frame.bodies is not None
                body = bytes(memoryview(frame.bodies)[start : stop - capture])
                failed = outcome.status != Status.SUCCESS
                value = rebuild(outcome.extra, body) if failed else unpacker.loads(body)
                found.append(Read(key.rpartition("/")[2], outcome, value))
        return found

    def values(self) -> list[object]:
        return [read.value for read in self.outcomes()]
