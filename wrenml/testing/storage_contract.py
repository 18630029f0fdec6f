"""What every storage must do, as tests to inherit.

A storage's test module holds one class::

    class TestMyStorage(StorageContract):
        @pytest.fixture
        def storage(self): ...

        def raw_put(self, storage, key, data): ...
        def raw_get(self, storage, key): ...

`raw_put` and `raw_get` reach the bytes without the storage under test, so that a storage whose `put` and
`get` are wrong in the same way is found out. A storage without outcomes inherits from `ObjectsContract`
only.
"""

# ruff: noqa: S101 - these are tests
from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence

import pytest

from wrenml.errors import ConfigError, KeyNotFoundError
from wrenml.storage.base import LARGE, Objects, Storage
from wrenml.testing.outcomes_contract import OutcomesContract
from wrenml.testing.tools import floats, pattern, race

__all__ = ["ObjectsContract", "OutcomesContract", "StorageContract"]

_BAD_KEYS = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    "a\0b",
    "a\nb",
    "a\x7fb",
    "a\ud800b",
    ".~a",
    "a/.~b",
    "x" * 256,
    "é" * 128,
    "/".join(["x" * 200] * 6),
]


class ObjectsContract:
    """What `wrenml.storage.base.Objects` promises. A subclass defines `storage`, `raw_put` and `raw_get`."""

    @pytest.fixture
    def storage(self) -> Objects:
        """A fresh, empty storage."""
        raise NotImplementedError

    def raw_put(self, storage: Objects, key: str, data: bytes) -> None:
        """Place an object without calling the storage."""
        raise NotImplementedError

    def raw_get(self, storage: Objects, key: str) -> bytes:
        """Read an object without calling the storage."""
        raise NotImplementedError

    @pytest.mark.parametrize("size", [0, 1, 300, LARGE - 1, LARGE, LARGE + 1, 3 << 20])
    def test_put_writes_the_bytes(self, storage: Objects, size: int) -> None:
        """What `put` takes is what lies there."""
        assert storage.put("a/b", pattern(size)) is True
        assert self.raw_get(storage, "a/b") == pattern(size)

    @pytest.mark.parametrize("size", [0, 1, 300, LARGE - 1, LARGE, LARGE + 1, 3 << 20])
    def test_get_reads_the_bytes(self, storage: Objects, size: int) -> None:
        """What lies there is what `get` returns."""
        self.raw_put(storage, "a/b", pattern(size))
        assert bytes(storage.get("a/b")) == pattern(size)

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_put_takes_every_buffer(self, storage: Objects, kind: Callable[[bytes], bytes]) -> None:
        """Bytes, bytearrays and memoryviews are written alike."""
        storage.put("a", kind(b"abc"))
        assert self.raw_get(storage, "a") == b"abc"

    def test_put_joins_buffers_in_order(self, storage: Objects) -> None:
        """Several buffers, empty ones and wide items among them, make one object."""
        wide = floats(80)
        grid = memoryview(pattern(24)).cast("B", (4, 6))
        storage.put("a", [b"x", b"", wide, grid, floats(0), bytearray(b"z")])
        assert self.raw_get(storage, "a") == b"x" + pattern(80) + pattern(24) + b"z"

    def test_put_takes_very_many_buffers(self, storage: Objects) -> None:
        """More buffers than one system call takes."""
        storage.put("a", [number.to_bytes(4, "little") for number in range(5000)])
        assert self.raw_get(storage, "a") == pattern(20_000)

    def test_put_takes_several_large_buffers(self, storage: Objects) -> None:
        """Large buffers are written whole and in order."""
        data = pattern(4 << 20)
        storage.put("a", [data[:100], memoryview(data)[100 : 3 << 20], data[3 << 20 :]])
        assert self.raw_get(storage, "a") == data

    def test_put_of_nothing_is_an_empty_object(self, storage: Objects) -> None:
        """No buffers at all make an object without bytes."""
        storage.put("a", [])
        assert bytes(storage.get("a")) == b""

    def test_put_replaces(self, storage: Objects) -> None:
        """A shorter object leaves nothing of the longer one before it."""
        storage.put("a", b"long before")
        assert storage.put("a", b"new") is True
        assert bytes(storage.get("a")) == b"new"

    def test_put_keeps_its_own_copy(self, storage: Objects) -> None:
        """Changing a buffer after `put` changes no object."""
        data = bytearray(b"abc")
        storage.put("a", data)
        data[:] = b"xyz"
        assert bytes(storage.get("a")) == b"abc"

    def test_if_absent_keeps_the_first(self, storage: Objects) -> None:
        """The second conditional write says False and changes nothing."""
        assert storage.put("a", b"first", if_absent=True) is True
        assert storage.put("a", b"second", if_absent=True) is False
        assert self.raw_get(storage, "a") == b"first"
        assert list(storage.list("")) == ["a"]

    def test_if_absent_after_delete(self, storage: Objects) -> None:
        """Once deleted, the key is free again."""
        storage.put("a", b"first", if_absent=True)
        storage.delete(["a"])
        assert storage.put("a", b"second", if_absent=True) is True

    def test_if_absent_has_one_winner(self, storage: Objects) -> None:
        """Of writers that race, exactly one is told that it wrote, and its bytes lie there."""
        for turn in range(5):
            key = f"race/{turn}"
            won = race(lambda number, key=key: storage.put(key, bytes([number]) * 1000, if_absent=True))  # type: ignore[misc]
            assert won.count(True) == 1
            assert self.raw_get(storage, key) == bytes([won.index(True)]) * 1000

    def test_readers_see_whole_objects(self, storage: Objects) -> None:
        """While writers replace an object, a reader sees one of theirs, never parts of two."""
        storage.put("a", bytes(200_000))

        def act(number: int) -> bool:
            if number % 2:
                storage.put("a", bytes([number]) * 200_000)
                return True
            data = bytes(storage.get("a"))
            return len(data) == 200_000 and len(set(data)) == 1  # noqa: PLR2004 - as written

        assert all(race(act))

    def test_get_of_an_absent_key(self, storage: Objects) -> None:
        """The error is the standard library's, too, and names the key."""
        storage.put("a/b", b"")
        for key in ["x", "a/x", "a/b/c", "a"]:
            with pytest.raises(KeyNotFoundError, match=key) as caught:
                storage.get(key)
            assert isinstance(caught.value, FileNotFoundError)
        with pytest.raises(KeyNotFoundError):
            storage.get("x", start=5, stop=5)

    @pytest.mark.parametrize("size", [10, 3 * LARGE, 3 << 20])
    @pytest.mark.parametrize(
        ("start", "stop"),
        [(0, None), (0, 4), (3, 7), (9, 10), (5, 5), (0, 0), (4, 10**9), (10**8, None), (10**8, 10**9)],
    )
    def test_ranges(self, storage: Objects, size: int, start: int, stop: int | None) -> None:
        """A range is what slicing gives; beyond the end there is nothing."""
        self.raw_put(storage, "a", pattern(size))
        assert bytes(storage.get("a", start=start, stop=stop)) == pattern(size)[start:stop]

    @pytest.mark.parametrize("start", [1, 4095, 4096, 4097, LARGE, 70_001])
    def test_large_ranges_at_odd_offsets(self, storage: Objects, start: int) -> None:
        """Pages and blocks do not show."""
        self.raw_put(storage, "a", pattern(4 << 20))
        stop = start + (2 << 20)
        assert bytes(storage.get("a", start=start, stop=stop)) == pattern(4 << 20)[start:stop]

    @pytest.mark.parametrize(("start", "stop"), [(-1, None), (0, -1), (5, 4)])
    def test_bad_ranges(self, storage: Objects, start: int, stop: int) -> None:
        """Ranges that count from the end or run backwards are refused."""
        storage.put("a", b"0123456789")
        with pytest.raises(ConfigError, match="range"):
            storage.get("a", start=start, stop=stop)

    @pytest.mark.parametrize("size", [LARGE, 3 << 20])
    def test_large_results_are_private(self, storage: Objects, size: int) -> None:
        """A caller may write to what it got: nobody else sees it."""
        self.raw_put(storage, "a", pattern(size))
        first, second = memoryview(storage.get("a")), storage.get("a")
        assert not first.readonly
        first[:5] = b"MINE!"
        assert bytes(second) == pattern(size)
        assert bytes(storage.get("a")) == pattern(size)
        assert self.raw_get(storage, "a") == pattern(size)

    def test_results_outlive_the_object(self, storage: Objects) -> None:
        """What was read stays as it was when the object is replaced or deleted."""
        storage.put("a", pattern(3 << 20))
        before = storage.get("a")
        storage.put("a", bytes(3 << 20))
        replaced = storage.get("a")
        storage.delete(["a"])
        assert bytes(before) == pattern(3 << 20)
        assert bytes(replaced) == bytes(3 << 20)

    def test_list_is_in_byte_order(self, storage: Objects) -> None:
        """Folders sort among files by their slash, and letters by their UTF-8 bytes."""
        keys = ["a-b", "a.b", "a/b", "a/b2/c", "a/é", "a/\uffee", "a/\U0001f600", "a0", "B", "é", "z/y/x"]
        for key in keys:
            storage.put(key, b"")
        assert list(storage.list("")) == sorted(keys, key=str.encode)

    @pytest.mark.parametrize(
        ("prefix", "found"),
        [
            ("", ["a/1", "a/10", "a/2/x", "ab", "b"]),
            ("a", ["a/1", "a/10", "a/2/x", "ab"]),
            ("a/", ["a/1", "a/10", "a/2/x"]),
            ("a/1", ["a/1", "a/10"]),
            ("a/2", ["a/2/x"]),
            ("a/2/x", ["a/2/x"]),
            ("a/2/x/", []),
            ("c", []),
            ("../", []),
            ("/", []),
            ("a//", []),
        ],
    )
    def test_list_by_prefix(self, storage: Objects, prefix: str, found: Sequence[str]) -> None:
        """A prefix is a string, not a folder."""
        for key in ["a/1", "a/10", "a/2/x", "ab", "b"]:
            self.raw_put(storage, key, b"")
        assert list(storage.list(prefix)) == found

    @pytest.mark.parametrize("after", ["", "a", "a/1", "a/10", "a/2", "a/2/x", "a/2/y", "ab", "b", "c"])
    def test_list_after(self, storage: Objects, after: str) -> None:
        """`after` is exclusive, and need not be a key."""
        keys = ["a/1", "a/10", "a/2/x", "ab", "b"]
        for key in keys:
            storage.put(key, b"")
        assert list(storage.list("", after=after)) == [key for key in keys if key > after]
        assert list(storage.list("a/", after=after)) == [key for key in keys[:3] if key > after]

    def test_list_sees_every_put(self, storage: Objects) -> None:
        """More keys than a page holds are all listed, and deleted again."""
        keys = [f"many/{number:04d}" for number in range(1050)]
        for key in keys:
            self.raw_put(storage, key, b"")
        assert list(storage.list("many/")) == keys
        assert list(storage.list("many/", after=keys[1020])) == keys[1021:]
        storage.delete(keys)
        assert list(storage.list("")) == []

    def test_delete(self, storage: Objects) -> None:
        """Only what is named goes, and what is absent does not matter."""
        for key in ["a/b", "a/c", "d/e/f", "g"]:
            storage.put(key, b"")
        storage.delete(iter(["a/b", "nothing", "d/e/f", "a/b/c", "a"]))
        assert list(storage.list("")) == ["a/c", "g"]
        with pytest.raises(KeyNotFoundError):
            storage.get("a/b")
        storage.delete([])

    def test_delete_refuses_one_string(self, storage: Objects) -> None:
        """A single key would be taken for its letters."""
        storage.put("a", b"")
        with pytest.raises(ConfigError, match="several keys"):
            storage.delete("a")
        assert list(storage.list("")) == ["a"]

    @pytest.mark.parametrize("key", _BAD_KEYS)
    def test_bad_keys(self, storage: Objects, key: str) -> None:
        """A key that some storage could not hold, or that leaves this one, is refused by every verb."""
        for act in (lambda: storage.put(key, b""), lambda: storage.get(key), lambda: storage.delete([key])):
            with pytest.raises(ConfigError, match="key"):
                act()

    def test_puts_and_deletes_side_by_side(self, storage: Objects) -> None:
        """Deleting the last object of a folder never makes a write beside it fail."""

        def act(number: int) -> None:
            for turn in range(20):
                storage.put(f"x/y/{number}", bytes([turn]))
                assert bytes(storage.get(f"x/y/{number}")) == bytes([turn])
                storage.delete([f"x/y/{number}"])

        race(act)
        assert list(storage.list("")) == []

    def test_pickles(self, storage: Objects) -> None:
        """A copy made by pickle is the same storage."""
        storage.put("a", b"abc")
        copy: Objects = pickle.loads(pickle.dumps(storage))
        assert copy.url == storage.url
        assert bytes(copy.get("a")) == b"abc"
        copy.put("b", b"def")
        assert bytes(storage.get("b")) == b"def"


class StorageContract(ObjectsContract, OutcomesContract):
    """All that `wrenml.storage.base.Storage` promises."""

    @pytest.fixture
    def storage(self) -> Storage:
        """A fresh, empty storage."""
        raise NotImplementedError
