from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wrenml.errors import AccessDeniedError, KeyNotFoundError, StorageError
from wrenml.storage import LocalStorage

LIMIT = 100_000


def _run_limited(code: str, root: Path) -> None:
    """Run code where no file may grow beyond LIMIT bytes, the portable likeness of a full disk."""
    head = f"""
import resource, sys
from wrenml.errors import StorageError
from wrenml.storage import LocalStorage
resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, {LIMIT}))
storage = LocalStorage(sys.argv[1])
"""
    subprocess.run([sys.executable, "-c", head + code, str(root)], check=True)


def _leftovers(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.name.startswith("."))


def test_folders_and_files_are_this_users_only(tmp_path: Path) -> None:
    root = tmp_path / "a" / "b"
    storage = LocalStorage(root)
    assert not (tmp_path / "a").exists()
    storage.put("x/y", b"1")
    storage.commit("j", 0, [b"1"], attempt=None, writer="w")
    for folder in [tmp_path / "a", root, root / "x", root / "jobs" / "j" / "out"]:
        assert folder.stat().st_mode & 0o777 == 0o700
    for file in [root / "x" / "y", root / "jobs" / "j" / "out" / "w"]:
        assert file.stat().st_mode & 0o777 == 0o600


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "root")
    for _ in range(2):
        storage.put("a/b/c", b"1", if_absent=True)
        storage.put("a/b/c", b"2")
    assert _leftovers(tmp_path) == []
    storage.delete(["a/b/c"])
    assert list((tmp_path / "root").iterdir()) == []


def test_deleting_keeps_folders_in_use(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.put("a/b", b"")
    storage.put("a/c/d", b"")
    storage.delete(["a/c/d"])
    assert list(storage.list("")) == ["a/b"]
    assert not (tmp_path / "a" / "c").exists()


def test_unfinished_writes_are_not_listed(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.put("a/b", b"")
    (tmp_path / "a" / ".~left-by-a-killed-writer").write_bytes(b"half")
    assert list(storage.list("")) == ["a/b"]


def test_links_are_no_way_out(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    storage = LocalStorage(tmp_path / "root")
    storage.put("a", b"")
    (tmp_path / "root" / "file").symlink_to(tmp_path / "outside" / "secret")
    (tmp_path / "root" / "folder").symlink_to(tmp_path / "outside")
    assert list(storage.list("")) == ["a"]
    assert list(storage.list("folder/")) == []
    for key in ["file", "folder/secret"]:
        with pytest.raises(StorageError):
            storage.get(key)
        with pytest.raises(StorageError):
            storage.put(key + "/new", b"")
    with pytest.raises(StorageError):
        storage.delete(["folder/secret"])
    storage.put("file", b"a file of our own")
    assert (tmp_path / "outside" / "secret").read_bytes() == b"secret"


def test_a_key_below_an_object_is_refused(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.put("a", b"")
    storage.put("b/c", b"")
    for key in ["a/x", "b"]:
        for if_absent in (False, True):
            with pytest.raises(StorageError, match="folder") as caught:
                storage.put(key, b"", if_absent=if_absent)
            assert not isinstance(caught.value, KeyNotFoundError)
    assert list(storage.list("")) == ["a", "b/c"]
    assert _leftovers(tmp_path) == []


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    _run_limited(
        f"""
storage.put("old", b"1")
for if_absent in (False, True):
    try:
        storage.put("big", bytes({LIMIT} + 1), if_absent=if_absent)
    except StorageError as error:
        assert "Free some space" in str(error) and "big" in str(error), error
    else:
        raise SystemExit("no error")
assert list(storage.list("")) == ["old"]
""",
        tmp_path,
    )
    assert _leftovers(tmp_path) == []


def test_a_frame_that_did_not_fit_hides_no_other(tmp_path: Path) -> None:
    _run_limited(
        f"""
storage.commit("j", 0, [b"first"], attempt=None, writer="w")
try:
    storage.commit("j", 1, [b"x" * 10, bytes({LIMIT})], attempt=None, writer="w")
except StorageError as error:
    assert "No room" in str(error), error
else:
    raise SystemExit("no error")
place = storage.commit("j", 2, [b"second"], attempt=None, writer="w")
assert storage.get(place.key, start=place.start, stop=place.stop) == b"second"
""",
        tmp_path,
    )
    assert [bytes(data) for _, _, data in LocalStorage(tmp_path).frames("j")] == [b"first", b"second"]


def test_missing_permission_is_named(tmp_path: Path) -> None:
    # Root may do everything, so the storage is used as somebody else, or without write permission.
    code = """
import os, sys
from wrenml.errors import AccessDeniedError
from wrenml.storage import LocalStorage
storage = LocalStorage(sys.argv[1])
if os.getuid() == 0:
    os.setuid(65534)
for act in (lambda: storage.put("new/a", b""), lambda: storage.get("a"), lambda: list(storage.list("")),
            lambda: storage.commit("j", 0, [b"x"], attempt=None, writer="w"), lambda: storage.delete(["a"])):
    try:
        act()
    except AccessDeniedError as error:
        assert sys.argv[1] in str(error) and isinstance(error, PermissionError), error
    else:
        raise SystemExit("no error")
"""
    root = tmp_path / "locked"
    LocalStorage(root).put("a", b"")
    root.chmod(0)
    try:
        subprocess.run([sys.executable, "-c", code, str(root)], check=True)
    finally:
        root.chmod(0o700)


def test_many_mappings_leave_descriptors_for_others(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.put("a", bytes(1 << 20))
    held = [storage.get("a") for _ in range(400)]
    fd = os.open(os.devnull, os.O_RDONLY)
    os.close(fd)
    assert fd < 256
    assert all(len(data) == 1 << 20 for data in held)


def test_large_objects_are_mapped(tmp_path: Path) -> None:
    # In a process of its own: before Python 3.13 nothing is mapped where many files are open.
    code = """if True:
        import mmap, sys
        from wrenml.storage import LocalStorage
        storage = LocalStorage(sys.argv[1])
        storage.put("a", bytes(2 << 20))
        data = storage.get("a", start=5000)
        assert isinstance(data, memoryview)
        assert isinstance(data.obj, mmap.mmap)
    """
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_segments_in_use_are_few(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    before = len(os.listdir("/dev/fd"))
    for number in range(300):
        storage.commit(f"j{number}", 0, [b"x"], attempt=None, writer="w")
    assert len(os.listdir("/dev/fd")) - before < 100


def test_a_refused_open_is_no_broken_storage(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    (tmp_path / "jobs" / "j" / "out" / "w").mkdir(parents=True)
    with pytest.raises(StorageError, match="w"):
        storage.commit("j", 0, [b"x"], attempt=None, writer="w")
    storage.commit("j", 0, [b"x"], attempt=None, writer="v")
    assert [bytes(data) for _, _, data in storage.frames("j")] == [b"x"]


def test_zeros_at_the_end_of_a_segment_are_no_frames(tmp_path: Path) -> None:
    LocalStorage(tmp_path).commit("j", 0, [b"x"], attempt=None, writer="w")
    with (tmp_path / "jobs" / "j" / "out" / "w").open("ab") as file:
        file.write(bytes(100))
    assert [bytes(data) for _, _, data in LocalStorage(tmp_path).frames("j")] == [b"x"]
    LocalStorage(tmp_path).commit("j", 1, [b"y"], attempt=None, writer="w")
    assert [bytes(data) for _, _, data in LocalStorage(tmp_path).frames("j")] == [b"x", b"y"]


@pytest.mark.parametrize("processes", [4])
def test_processes_that_race_have_one_winner(tmp_path: Path, processes: int) -> None:
    code = """
import sys
from wrenml.storage import LocalStorage
storage = LocalStorage(sys.argv[1])
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
print([n for n in range(200) if storage.put(f"race/{n}", sys.argv[2].encode() * 5000, if_absent=True)])
"""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    won: list[int] = []
    for number, child in enumerate(children):
        out, _ = child.communicate(timeout=60)
        mine = [int(word) for word in out.strip("[]\n").split(",") if word.strip()]
        for turn in mine:
            assert bytes(LocalStorage(tmp_path).get(f"race/{turn}")) == str(number).encode() * 5000
        won += mine
    assert sorted(won) == list(range(200))
    assert _leftovers(tmp_path) == []


def test_access_denied_is_a_permission_error() -> None:
    assert issubclass(AccessDeniedError, PermissionError)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_file_system_that_takes_no_folders_is_an_error() -> None:
    storage = LocalStorage("/proc/wrenml")
    with pytest.raises(AccessDeniedError, match="/proc/wrenml"):
        storage.put("x/y", b"1")
    with pytest.raises(AccessDeniedError, match="/proc/wrenml"):
        storage.commit("j", 0, [b"1"], attempt=None, writer="w")
