from __future__ import annotations

import pytest

from wrenml.storage import MemoryStorage, Objects, PrefixedStorage
from wrenml.testing.storage_contract import ObjectsContract, StorageContract


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> MemoryStorage:
        return MemoryStorage()

    # There is no second way to this process's memory, so another storage of the same name stands in.
    def raw_put(self, storage: Objects, key: str, data: bytes) -> None:
        MemoryStorage(storage.url.removeprefix("memory://")).put(key, data)

    def raw_get(self, storage: Objects, key: str) -> bytes:
        return bytes(MemoryStorage(storage.url.removeprefix("memory://")).get(key))


class TestPrefixedStorage(ObjectsContract):
    @pytest.fixture
    def inner(self) -> MemoryStorage:
        inner = MemoryStorage()
        for key in ["data", "data-", "data.x/a", "data/", "other/a"]:
            if not key.endswith("/"):
                inner.put(key, b"not in scope")
        return inner

    @pytest.fixture
    def storage(self, inner: MemoryStorage) -> PrefixedStorage:
        return PrefixedStorage(inner, "data/mine")

    def raw_put(self, storage: Objects, key: str, data: bytes) -> None:
        self._inner(storage).put(f"data/mine/{key}", data)

    def raw_get(self, storage: Objects, key: str) -> bytes:
        return bytes(self._inner(storage).get(f"data/mine/{key}"))

    @staticmethod
    def _inner(storage: Objects) -> MemoryStorage:
        return MemoryStorage(storage.url.removeprefix("memory://").partition("/")[0])

    def test_nothing_outside_is_touched(self, inner: MemoryStorage, storage: PrefixedStorage) -> None:
        before = list(inner.list(""))
        storage.put("a", b"x")
        assert list(storage.list("")) == ["a"]
        storage.delete(storage.list(""))
        assert list(inner.list("")) == before
