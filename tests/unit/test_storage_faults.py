from __future__ import annotations

import pickle

import pytest

from wrenml.errors import StorageUnavailableError
from wrenml.storage import MemoryStorage, Objects, Storage
from wrenml.testing.storage_contract import StorageContract
from wrenml.testing.storage_faults import FlakyStorage, SlowStorage, StorageFault, Strike


class _OverMemory(StorageContract):
    """A wrapper that is told nothing keeps every promise of what it wraps."""

    def raw_put(self, storage: Objects, key: str, data: bytes) -> None:
        assert storage.url == self._inner.url
        self._inner.put(key, data)

    def raw_get(self, storage: Objects, key: str) -> bytes:
        assert storage.url == self._inner.url
        return bytes(self._inner.get(key))

    @pytest.fixture
    def inner(self) -> MemoryStorage:
        self._inner = MemoryStorage()
        return self._inner


class TestFlakyContract(_OverMemory):
    @pytest.fixture
    def storage(self, inner: MemoryStorage) -> Storage:
        return FlakyStorage(inner, [StorageFault("put", key="never such a key")])


class TestSlowContract(_OverMemory):
    @pytest.fixture
    def storage(self, inner: MemoryStorage) -> Storage:
        return SlowStorage(inner, 0.0)


def test_a_refused_write_did_not_happen() -> None:
    inner = MemoryStorage()
    fault = StorageFault("put", key="b", skip=1, times=2)
    storage = FlakyStorage(inner, [fault])
    storage.put("a", b"1")
    storage.put("b", b"1")
    for _ in range(2):
        with pytest.raises(StorageUnavailableError, match="'b'"):
            storage.put("b", b"2")
    assert inner.get("b") == b"1"
    storage.put("b", b"3")
    assert inner.get("b") == b"3"
    assert storage.struck == [fault, fault]


def test_a_lost_answer_did_happen() -> None:
    inner = MemoryStorage()
    storage = FlakyStorage(inner, [StorageFault("commit", Strike.LOSE_ANSWER)])
    with pytest.raises(StorageUnavailableError):
        storage.commit("job", 0, [b"x"], attempt=None, writer="w")
    assert storage.commit("job", 0, [b"x"], attempt=None, writer="w").settled is False


@pytest.mark.parametrize(("strike", "seen"), [(Strike.TRUNCATE, b"ab"), (Strike.FLIP, b"abbd")])
def test_damaged_bytes(strike: Strike, seen: bytes) -> None:
    inner = MemoryStorage()
    inner.put("a", b"abcd")
    inner.commit("job", 0, [b"abcd"], attempt=None, writer="w")
    storage = FlakyStorage(inner, [StorageFault("get", strike), StorageFault("frames", strike)])
    assert bytes(storage.get("a")) == seen
    assert storage.get("a") == b"abcd"
    assert [bytes(data) for _, _, data in storage.frames("job")] == [seen]


def test_a_rate_strikes_the_same_operations_for_a_seed() -> None:
    def outcomes(seed: int) -> list[bool]:
        storage = FlakyStorage(MemoryStorage(), rate=0.5, seed=seed)
        done = []
        for number in range(40):
            try:
                done.append(storage.put(f"k{number}", b""))
            except StorageUnavailableError:
                done.append(False)
        assert done.count(False) == len(storage.struck)
        return done

    assert outcomes(1) == outcomes(1) != outcomes(2)
    assert 5 < sum(outcomes(1)) < 35


def test_a_pickled_copy_starts_its_plan_afresh() -> None:
    inner = MemoryStorage()
    storage = FlakyStorage(inner, [StorageFault("list")], rate=0.0, seed=3)
    for flaky in (storage, pickle.loads(pickle.dumps(storage))):
        with pytest.raises(StorageUnavailableError):
            flaky.list("")
        assert list(flaky.list("")) == []
    with pytest.raises(StorageUnavailableError):
        FlakyStorage(inner, [StorageFault("delete", key="y")]).delete(["x", "y"])
    with pytest.raises(StorageUnavailableError):
        FlakyStorage(inner, [StorageFault("frames")]).frames("job")


def test_slow_storage_waits_before_every_operation() -> None:
    waited: list[float] = []
    storage = SlowStorage(MemoryStorage(), 0.25, sleep=waited.append)
    storage.put("a", b"")
    storage.get("a")
    storage.list("")
    storage.delete([])
    storage.commit("job", 0, [b"x"], attempt=None, writer="w")
    storage.frames("job")
    assert waited == [0.25] * 6
