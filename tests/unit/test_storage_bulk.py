from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from tests.support.memory import shm
from wrenml.errors import KeyNotFoundError, StorageError
from wrenml.storage import LocalStorage
from wrenml.storage.bulk import BULK
from wrenml.storage.room import has_room, memory_limit

__all__ = ["shm"]

LARGE = b"0123456789abcdef" * (BULK // 16)


def held(memory: Path) -> list[Path]:
    return sorted(path for path in memory.rglob("*") if path.is_file() and not path.is_symlink())


def test_only_large_frames_and_new_objects_lie_in_memory(tmp_path: Path, shm: Path) -> None:
    storage = LocalStorage(tmp_path, memory=str(shm))
    storage.put("a/plain", LARGE)
    storage.put("a/small", b"x", if_absent=True)
    storage.commit("j", 0, [b"x"], attempt=None, writer="w")
    assert held(shm) == []
    storage.put("a/large", LARGE, if_absent=True)
    storage.commit("j", 1, [LARGE], attempt=None, writer="w")
    storage.commit("j", 2, [LARGE], attempt=None, writer="w")
    assert [file.name.partition("~")[0] for file in held(shm)] == ["large", "w+"]
    assert list(storage.list("")) == ["a/large", "a/plain", "a/small", "jobs/j/out/w", "jobs/j/out/w+"]


def test_everybody_who_opens_the_root_sees_them(tmp_path: Path, shm: Path) -> None:
    (tmp_path / "other name").symlink_to(tmp_path / "root")
    LocalStorage(tmp_path / "root", memory=str(shm)).put("a", LARGE, if_absent=True)
    other = LocalStorage(tmp_path / "other name", memory=str(shm))
    assert bytes(other.get("a", start=5, stop=9)) == LARGE[5:9]
    assert other.persist() == len(LARGE)
    assert (tmp_path / "root" / "a").read_bytes() == LARGE
    assert not (tmp_path / "root" / "a").is_symlink()


def test_persist_moves_what_is_asked_for(tmp_path: Path, shm: Path) -> None:
    storage = LocalStorage(tmp_path, memory=str(shm))
    for key in ("a/1", "a/2", "b"):
        storage.put(key, LARGE, if_absent=True)
    assert storage.persist("a/", older_than=3600) == 0
    assert storage.persist("a/1") == len(LARGE)
    assert len(held(shm)) == 2
    assert storage.persist("a/") == len(LARGE)
    assert storage.persist("a/") == 0
    assert [file.name.partition("~")[0] for file in held(shm)] == ["b"]
    assert all(bytes(storage.get(key)) == LARGE for key in ("a/1", "a/2", "b"))
    assert storage.put("a/1", b"", if_absent=True) is False


def test_a_writer_goes_on_after_its_segment_was_moved(tmp_path: Path, shm: Path) -> None:
    storage = LocalStorage(tmp_path, memory=str(shm))
    frames = [bytes([number]) * BULK for number in range(4)]
    places = []
    for frame in frames:
        places.append(storage.commit("j", 0, [frame], attempt=None, writer="w"))
        LocalStorage(tmp_path, memory=str(shm)).persist("jobs/j/")
    assert held(shm) == []
    for place, frame in zip(places, frames, strict=True):
        assert bytes(storage.get(place.key, start=place.start, stop=place.stop)) == frame
    assert sorted(bytes(frame) for _, _, frame in storage.frames("j")) == frames


def test_a_mapping_outlives_the_move(tmp_path: Path, shm: Path) -> None:
    storage = LocalStorage(tmp_path, memory=str(shm))
    storage.put("a", LARGE, if_absent=True)
    data = memoryview(storage.get("a"))
    storage.persist()
    assert bytes(data) == LARGE
    data[:4] = b"MINE"
    assert bytes(storage.get("a")) == LARGE


def test_what_is_replaced_or_deleted_leaves_memory(tmp_path: Path, shm: Path) -> None:
    storage = LocalStorage(tmp_path, memory=str(shm))
    storage.put("a", LARGE, if_absent=True)
    storage.put("a", b"small")
    assert held(shm) == []
    storage.put("b/c", LARGE, if_absent=True)
    storage.commit("j", 0, [LARGE], attempt=None, writer="w")
    storage.delete(["b/c", "jobs/j/out/w+"])
    assert held(shm) == []
    assert list(storage.list("")) == ["a"]
    assert storage.persist() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_was_in_memory_that_is_gone_is_absent_and_may_come_again(tmp_path: Path, shm: Path) -> None:
    storage = LocalStorage(tmp_path, memory=str(shm))
    storage.put("a", LARGE, if_absent=True)
    storage.commit("j", 0, [LARGE], attempt=None, writer="w")
    storage.commit("j", 1, [b"on the disk"], attempt=None, writer="w")
    for file in held(shm):
        file.unlink()
    assert list(storage.list("")) == ["jobs/j/out/w"]
    with pytest.raises(KeyNotFoundError):
        storage.get("a")
    assert [bytes(frame) for _, _, frame in storage.frames("j")] == [b"on the disk"]
    assert storage.put("a", LARGE, if_absent=True) is True
    assert storage.put("a", b"", if_absent=True) is False
    place = storage.commit("j", 2, [LARGE], attempt=None, writer="w")
    assert bytes(storage.get(place.key, start=place.start, stop=place.stop)) == LARGE
    fresh = LocalStorage(tmp_path, memory=str(shm)).commit("j", 3, [LARGE], attempt=None, writer="w")
    assert bytes(storage.get(fresh.key, start=fresh.start, stop=fresh.stop)) == LARGE


@pytest.mark.parametrize("obstacle", ["file", "open to others", "absent"])
def test_without_memory_there_is_the_disk(tmp_path: Path, shm: Path, obstacle: str) -> None:
    first = LocalStorage(tmp_path, memory=str(shm))
    first.put("made to find the folder", LARGE, if_absent=True)
    first.persist()
    (folder,) = shm.iterdir()
    if obstacle == "open to others":
        folder.chmod(0o755)
    else:
        (folder / ".~root").unlink()
        folder.rmdir()
        if obstacle == "file":
            folder.touch()
    memory = shm / "absent" if obstacle == "absent" else shm
    storage = LocalStorage(tmp_path, memory=str(memory))
    assert storage.put("a", LARGE, if_absent=True) is True
    place = storage.commit("j", 0, [LARGE], attempt=None, writer="w")
    assert place.key == "jobs/j/out/w"
    assert (tmp_path / "a").read_bytes() == LARGE
    assert not (tmp_path / "a").is_symlink()


def test_names_that_only_fit_the_disk(tmp_path: Path, shm: Path) -> None:
    storage = LocalStorage(tmp_path, memory=str(shm))
    assert storage.put("x" * 255, LARGE, if_absent=True) is True
    assert bytes(storage.get("x" * 255)) == LARGE
    assert held(shm) == []


def test_links_to_elsewhere_in_memory_are_not_followed(tmp_path: Path, shm: Path) -> None:
    storage = LocalStorage(tmp_path, memory=str(shm))
    storage.put("a", LARGE, if_absent=True)
    (shm / "secret").write_bytes(b"secret")
    (folder,) = [path for path in shm.iterdir() if path.is_dir()]
    (tmp_path / "out").symlink_to(shm / "secret")
    (tmp_path / "up").symlink_to(f"{folder}/../secret")
    for key in ("out", "up"):
        with pytest.raises(StorageError):
            storage.get(key)
    assert list(storage.list("")) == ["a"]


def test_a_copy_made_by_pickle_keeps_out_of_memory_as_told(tmp_path: Path) -> None:
    copy = pickle.loads(pickle.dumps(LocalStorage(tmp_path, memory=None)))
    copy.put("a", LARGE, if_absent=True)
    assert not (tmp_path / "a").is_symlink()


def test_memory_of_storages_that_are_gone_is_freed(tmp_path: Path, shm: Path) -> None:
    for name in ("gone", "stays"):
        LocalStorage(tmp_path / name, memory=str(shm)).put("a/b", LARGE, if_absent=True)
    for path in sorted((tmp_path / "gone").rglob("*"), reverse=True):
        path.unlink() if path.is_symlink() else path.rmdir()
    (tmp_path / "gone").rmdir()
    LocalStorage(tmp_path / "another", memory=str(shm)).persist()
    assert len(held(shm)) == 1
    assert len(list(shm.iterdir())) == 1
    assert bytes(LocalStorage(tmp_path / "stays", memory=str(shm)).get("a/b")) == LARGE


def test_room_is_a_quarter_of_what_there_is(tmp_path: Path, shm: Path) -> None:
    (tmp_path / "proc").mkdir()
    status = os.statvfs(shm)
    used = (status.f_blocks - status.f_bfree) * status.f_frsize
    for available, limit, fits in [
        (10 * used + 100 * BULK, 1 << 60, True),
        (0, 1 << 60, False),
        (10 * used + 100 * BULK, 4 * BULK, False),
    ]:
        (tmp_path / "proc" / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable: {available // 1024} kB\n")
        assert has_room(str(shm), 8 * BULK, limit, root=str(tmp_path)) is fits
    assert has_room(str(shm / "absent"), 1, 1 << 60) is False


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/a/b\n", {"a/memory.max": "4096\n", "a/b/memory.max": "max\n"}, 4096),
        ("4:memory:/a\n1:cpu:/x\n", {"memory/memory.limit_in_bytes": "8192", "memory/a/memory.limit_in_bytes": "9"}, 9),
        ("", {}, 1 << 60),
    ],
)
def test_memory_limit_of_control_groups(tmp_path: Path, groups: str, files: dict[str, str], expected: int) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert memory_limit(root=str(tmp_path)) == expected
