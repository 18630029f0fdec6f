from __future__ import annotations

import os
from pathlib import Path

import pytest

from wrenml.storage import LocalStorage, Objects, PrefixedStorage, Storage
from wrenml.testing.storage_contract import ObjectsContract, StorageContract


def _file(storage: Objects, key: str) -> Path:
    return Path(storage.url.removeprefix("file://")) / key


class _Files:
    def raw_put(self, storage: Objects, key: str, data: bytes) -> None:
        path = _file(storage, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def raw_get(self, storage: Objects, key: str) -> bytes:
        return _file(storage, key).read_bytes()


class TestLocalStorage(_Files, StorageContract):
    first_wins = False

    @pytest.fixture
    def storage(self, tmp_path: Path) -> LocalStorage:
        return LocalStorage(tmp_path / "not made yet" / "%20 root")

    def tear(self, storage: Storage, key: str, size: int) -> None:
        os.truncate(_file(storage, key), size)


class TestPrefixedLocalStorage(_Files, ObjectsContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> PrefixedStorage:
        return PrefixedStorage(LocalStorage(tmp_path), "data")
