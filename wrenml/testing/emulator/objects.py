"""The objects of S3's buckets, in memory: whole, ordered by key, written under conditions without races."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import md5
from threading import Lock

from wrenml.testing.emulator.refusing import RefusedError, new_id

__all__ = ["Bucket", "Page", "StoredObject", "Upload"]

_LEAST_PART = 5 << 20


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object.

    Parameters
    ----------
    data : bytes
        Its bytes.
    etag : str
        Without quotes.
    modified : float
        Seconds since the epoch.
    headers : mapping of str to str
        Its content type, metadata and checksums, as they are answered.
    """

    data: bytes
    etag: str
    modified: float
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Upload:
    """An object that arrives in parts."""

    key: str
    headers: Mapping[str, str]
    parts: dict[int, StoredObject] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a listing; `entries` are keys, or common prefixes, which have no object."""

    entries: list[tuple[str, StoredObject | None]]
    truncated: bool


class Bucket:
    """One bucket.

    Parameters
    ----------
    name : str
        Its name.
    owner : str
        The account.
    """

    def __init__(self, name: str, owner: str) -> None:
        self.name = name
        self.owner = owner
        self.uploads: dict[str, Upload] = {}
        self._objects: dict[str, StoredObject] = {}
        self._keys: list[str] = []
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._keys))

    def find(self, key: str) -> StoredObject | None:
        """The object at a key."""
        return self._objects.get(key)

    def put(
        self,
        key: str,
        data: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        conditions: Mapping[str, str] | None = None,
        etag: str = "",
    ) -> StoredObject:
        """Write an object, unless the conditions say otherwise; a condition and its write are one step.

        Raises
        ------
        RefusedError
            412 if ``if-none-match: *`` finds an object, or ``if-match`` another one; 404 if it finds none.
        """
        etag = etag or md5(data, usedforsecurity=False).hexdigest()
        new = StoredObject(data, etag, time.time(), headers or {})
        with self._lock:
            old = self._objects.get(key)
            _check(conditions or {}, old)
            if old is None:
                # UTF-8's order is that of code points, which is that of Python's strings.
                insort(self._keys, key)
            self._objects[key] = new
        return new

    def delete(self, key: str, conditions: Mapping[str, str] | None = None) -> None:
        """Remove an object; it need not be there.

        Raises
        ------
        RefusedError
            412 if ``if-match`` finds another object.
        """
        with self._lock:
            old = self._objects.get(key)
            _check(conditions or {}, old)
            if old is not None:
                del self._objects[key]
                del self._keys[bisect_left(self._keys, key)]

    def page(self, prefix: str, after: str, most: int, delimiter: str = "") -> Page:
        """List what begins with `prefix` and comes after `after`, at most so many entries.

        What a delimiter folds is one entry; a common prefix that begins `after` has been listed already.
        """
        with self._lock:
            keys, objects = self._keys, self._objects
            at = max(bisect_left(keys, prefix), bisect_right(keys, after) if after else 0)
            entries: list[tuple[str, StoredObject | None]] = []
            while at < len(keys) and keys[at].startswith(prefix):
                key = keys[at]
                end = key.find(delimiter, len(prefix)) if delimiter else -1
                folded = key[: end + len(delimiter)] if end >= 0 else ""
                if folded and after.startswith(folded):
                    at = _past(keys, folded, at)
                    continue
                if len(entries) >= most:
                    return Page(entries, truncated=True)
                entries.append((folded, None) if folded else (key, objects[key]))
                at = _past(keys, folded, at) if folded else at + 1
            return Page(entries, truncated=False)

    def begin(self, key: str, headers: Mapping[str, str]) -> str:
        """Begin an object that arrives in parts; its id."""
        name = new_id().replace("-", "")
        self.uploads[name] = Upload(key, headers)
        return name

    def upload(self, name: str, key: str) -> Upload:
        """What has arrived.

        Raises
        ------
        RefusedError
            404 if there is no such upload.
        """
        found = self.uploads.get(name)
        if found is None or found.key != key:
            raise RefusedError(404, "NoSuchUpload", "The specified multipart upload does not exist.")
        return found

    def complete(
        self, name: str, key: str, parts: list[tuple[int, str]], conditions: Mapping[str, str]
    ) -> StoredObject:
        """Make an object of its parts.

        Raises
        ------
        RefusedError
            As `put`; 400 if parts are missing, in no order or too small.
        """
        upload = self.upload(name, key)
        numbers = [number for number, _ in parts]
        if numbers != sorted(set(numbers)) or not parts:
            raise RefusedError(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
        found = []
        for number, etag in parts:
            part = upload.parts.get(number)
            if part is None or part.etag != etag:
                raise RefusedError(400, "InvalidPart", "One or more of the specified parts could not be found.")
            found.append(part)
        if any(len(part.data) < _LEAST_PART for part in found[:-1]):
            raise RefusedError(400, "EntityTooSmall", "A part is smaller than the minimum allowed size.")
        digests = b"".join(bytes.fromhex(part.etag) for part in found)
        etag = f"{md5(digests, usedforsecurity=False).hexdigest()}-{len(found)}"
        data = b"".join(part.data for part in found)
        stored = self.put(key, data, upload.headers, conditions=conditions, etag=etag)
        self.uploads.pop(name, None)
        return stored


def _past(keys: list[str], folded: str, at: int) -> int:
    """Where the keys end that begin with `folded`."""
    return bisect_left(keys, folded[:-1] + chr(ord(folded[-1]) + 1), at)


def _check(conditions: Mapping[str, str], old: StoredObject | None) -> None:
    failed = RefusedError(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
    if conditions.get("if-none-match") == "*" and old is not None:
        raise failed
    match = conditions.get("if-match")
    if match is not None:
        if old is None:
            raise RefusedError(404, "NoSuchKey", "The specified key does not exist.")
        if match not in {"*", old.etag, f'"{old.etag}"'}:
            raise failed
