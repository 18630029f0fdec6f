from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import ClassVar

import boto3
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule
from moto import mock_aws

from tests.support.s3 import TwistedSession
from wrenml.errors import KeyNotFoundError
from wrenml.storage import LocalStorage, MemoryStorage, Objects, PrefixedStorage, S3Storage, Storage

PARTS = ["a", "a-", "a.b", "aa", "B", "é", "\uffee", "\U0001f600", "0", "~"]
# A leaf's name ends in one letter and a folder's in another, so that no key is the folder of another.
keys = st.builds(
    lambda folders, leaf: "/".join([*(f"{folder}d" for folder in folders), f"{leaf}f"]),
    st.lists(st.sampled_from(PARTS), max_size=3),
    st.sampled_from(PARTS),
)
small = st.binary(max_size=40)
large = st.tuples(st.binary(min_size=1, max_size=7), st.integers(60_000, 140_000)).map(
    lambda made: (made[0] * made[1])[: made[1]]
)
values = st.one_of(small, large)
prefixes = st.one_of(st.just(""), keys, keys.flatmap(lambda key: st.integers(0, len(key)).map(lambda n: key[:n])))
calls = st.integers(0, 5)


class StorageMachine(RuleBasedStateMachine):
    """Any storage against a dictionary."""

    stored = Bundle("stored")
    first_wins: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.model: dict[str, bytes] = {}
        self.outcomes: list[tuple[int, int | None, bytes]] = []

    def open(self) -> Storage:
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        self.storage = self.open()
        self.objects: Objects = PrefixedStorage(self.storage, "data")

    @rule(target=stored, key=keys, pieces=st.lists(values, max_size=3), if_absent=st.booleans())
    def put(self, key: str, pieces: list[bytes], *, if_absent: bool) -> str:
        refused = if_absent and key in self.model
        assert self.objects.put(key, pieces, if_absent=if_absent) is not refused
        if not refused:
            self.model[key] = b"".join(pieces)
        return key

    @rule(key=st.one_of(stored, keys), start=st.integers(0, 150_000), size=st.none() | st.integers(0, 100_000))
    def get_range(self, key: str, start: int, size: int | None) -> None:
        stop = None if size is None else start + size
        if key not in self.model:
            with pytest.raises(KeyNotFoundError):
                self.objects.get(key, start=start, stop=stop)
        else:
            assert bytes(self.objects.get(key, start=start, stop=stop)) == self.model[key][start:stop]

    @rule(key=stored)
    def get_and_scribble(self, key: str) -> None:
        if key in self.model:
            data = memoryview(self.objects.get(key))
            assert bytes(data) == self.model[key]
            if not data.readonly:
                data[:] = bytes(len(data))

    @rule(prefix=prefixes, after=prefixes)
    def list_some(self, prefix: str, after: str) -> None:
        expected = [key for key in self.model if key.startswith(prefix) and key > after]
        assert list(self.objects.list(prefix, after=after)) == sorted(expected, key=str.encode)

    @rule(gone=st.lists(st.one_of(stored, keys), max_size=4))
    def delete(self, gone: list[str]) -> None:
        self.objects.delete(gone)
        for key in gone:
            self.model.pop(key, None)

    @rule(
        call=calls,
        attempt=st.none() | st.integers(1, 3),
        frame=values.filter(len),
        writer=st.sampled_from("vw"),
    )
    def commit(self, call: int, attempt: int | None, frame: bytes, writer: str) -> None:
        place = self.storage.commit("job", call, [frame[:3], frame[3:]], attempt=attempt, writer=writer)
        refused = self.first_wins and any(known[:2] == (call, attempt) for known in self.outcomes)
        assert place.settled is not refused
        if not refused:
            self.outcomes.append((call, attempt, frame))
            assert bytes(self.storage.get(place.key, start=place.start, stop=place.stop)) == frame

    @precondition(lambda self: self.outcomes)
    @rule()
    def read_frames(self) -> None:
        found = [bytes(data) for _, _, data in self.storage.frames("job")]
        assert sorted(found) == sorted(frame for _, _, frame in self.outcomes)

    @rule()
    def reopen(self) -> None:
        self.storage = self.open()
        self.objects = PrefixedStorage(self.storage, "data")

    @invariant()
    def keys_agree(self) -> None:
        assert list(self.objects.list("")) == sorted(self.model, key=str.encode)

    def teardown(self) -> None:
        self.stack.close()


class MemoryMachine(StorageMachine):
    def open(self) -> Storage:
        self.kept = getattr(self, "kept", None) or MemoryStorage()
        return MemoryStorage(self.kept.url.removeprefix("memory://"))


class LocalMachine(StorageMachine):
    first_wins = False

    def open(self) -> Storage:
        if not hasattr(self, "root"):
            self.root = self.stack.enter_context(tempfile.TemporaryDirectory())
        return LocalStorage(self.root)


@contextmanager
def _bucket() -> Iterator[S3Storage]:
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="bucket")
        yield S3Storage("s3://bucket/prefix", session=TwistedSession())


class S3Machine(StorageMachine):
    def open(self) -> Storage:
        if not hasattr(self, "bucket"):
            self.bucket = self.stack.enter_context(_bucket())
        return self.bucket


TestMemoryModel = MemoryMachine.TestCase
TestMemoryModel.settings = settings(max_examples=60, stateful_step_count=30)
TestLocalModel = LocalMachine.TestCase
TestLocalModel.settings = settings(max_examples=60, stateful_step_count=30)
TestS3Model = S3Machine.TestCase
TestS3Model.settings = settings(max_examples=12, stateful_step_count=20)
