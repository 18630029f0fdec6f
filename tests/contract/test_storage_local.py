from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.memory import shm
from wrenml.storage import LocalStorage, Objects, PrefixedStorage, Storage
from wrenml.testing.storage_contract import ObjectsContract, StorageContract

__all__ = ["shm"]


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

    @pytest.fixture(params=["memory", "disk"])
    def storage(self, tmp_path: Path, request: pytest.FixtureRequest) -> LocalStorage:
        memory = str(request.getfixturevalue("shm")) if request.param == "memory" else None
        return LocalStorage(tmp_path / "not made yet" / "%20 root", memory=memory)

    def tear(self, storage: Storage, key: str, size: int) -> None:
        os.truncate(_file(storage, key), size)


class TestPrefixedLocalStorage(_Files, ObjectsContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> PrefixedStorage:
        return PrefixedStorage(LocalStorage(tmp_path), "data")
