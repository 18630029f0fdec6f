"""What lies in memory survives everything but the end of the machine: kills in the middle of a move, and races."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import wrenml
from tests.faults.clients import start
from tests.support.memory import shm
from wrenml.monitor.expiry import expire
from wrenml.storage import LocalStorage
from wrenml.storage.bulk import BULK

__all__ = ["shm"]

LARGE = b"0123456789abcdef" * (BULK // 16)

# Kills itself the moment it is about to do the thing named.
KILLED = """
import os, signal, sys
from wrenml.storage import LocalStorage
root, memory, event, fragment, act = sys.argv[1:]
def hook(name, args):
    if name == event and any(fragment in str(arg) for arg in args):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
storage = LocalStorage(root, memory=memory)
exec(act)
"""


def killed(root: Path, memory: Path, event: str, fragment: str, act: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(root), str(memory), event, fragment, act], check=False, timeout=60
    )
    assert run.returncode == -signal.SIGKILL


def files(folder: Path) -> list[str]:
    return sorted(path.name.partition("~")[0] for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


@pytest.mark.parametrize(("event", "fragment"), [("os.rename", ".~"), ("os.remove", "~")])
def test_killed_in_the_middle_of_a_move(tmp_path: Path, shm: Path, event: str, fragment: str) -> None:
    storage = LocalStorage(tmp_path, memory=str(shm))
    storage.put("a/b", LARGE, if_absent=True)
    storage.commit("j", 0, [LARGE], attempt=None, writer="w")
    killed(tmp_path, shm, event, fragment, "storage.persist()")
    assert len(files(shm)) == 2
    assert bytes(storage.get("a/b")) == LARGE
    assert list(storage.list("")) == ["a/b", "jobs/j/out/w+"]
    assert [bytes(frame) for _, _, frame in storage.frames("j")] == [LARGE]
    storage.persist()
    assert files(shm) == []
    assert (tmp_path / "a" / "b").read_bytes() == LARGE
    assert [bytes(frame) for _, _, frame in storage.frames("j")] == [LARGE]


def test_killed_before_an_object_is_there(tmp_path: Path, shm: Path) -> None:
    act = "storage.put('a/b', bytes(1 << 20), if_absent=True)"
    killed(tmp_path, shm, "os.symlink", "a/b", act)
    storage = LocalStorage(tmp_path, memory=str(shm))
    assert list(storage.list("")) == []
    assert files(shm) == ["b"]
    assert storage.put("a/b", LARGE, if_absent=True) is True
    assert storage.persist() == len(LARGE)
    assert files(shm) == []
    assert bytes(storage.get("a/b")) == LARGE


def test_two_processes_move_while_one_writes(tmp_path: Path, shm: Path) -> None:
    code = """
import sys
from wrenml.storage import LocalStorage
storage = LocalStorage(sys.argv[1], memory=sys.argv[2])
print("ready", flush=True)
moved = 0
while not moved or sys.stdin.read(1) == "m":
    moved += storage.persist()
print(moved)
"""
    arguments = [sys.executable, "-c", code, str(tmp_path), str(shm)]
    movers = [subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    storage = LocalStorage(tmp_path, memory=str(shm))
    frames = [bytes([number]) * BULK for number in range(60)]
    for mover in movers:
        assert mover.stdout is not None
        assert mover.stdout.readline() == "ready\n"
    for number, frame in enumerate(frames):
        storage.commit("j", number, [frame], attempt=None, writer=f"w{number % 7}-{number // 20}")
        storage.put(f"blobs/{number}", frame, if_absent=True)
        for mover in movers:
            assert mover.stdin is not None
            mover.stdin.write("m")
            mover.stdin.flush()
        assert bytes(storage.get(f"blobs/{number}")) == frame
    for mover in movers:
        mover.communicate(timeout=60)
    storage.persist()
    assert files(shm) == []
    assert sorted(bytes(frame) for _, _, frame in storage.frames("j")) == frames
    assert all(bytes(storage.get(f"blobs/{number}")) == frame for number, frame in enumerate(frames))
    assert not any(os.path.islink(path) for path in tmp_path.rglob("*"))


@pytest.mark.usefixtures("shm")
def test_expired_jobs_leave_memory(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.commit("j", 0, [LARGE], attempt=None, writer="w")
    (link,) = (tmp_path / "jobs" / "j" / "out").iterdir()
    target = link.readlink()
    for path in (target, link, *link.parents[:3]):
        os.utime(path, (0, 0), follow_symlinks=False)
    expire(str(tmp_path), 3600, dry_run=True)
    assert target.exists()
    assert expire(str(tmp_path), 3600).jobs == 1
    assert not target.exists()
    assert list(storage.list("jobs/")) == []


SCRIPT = """
import sys, time, wrenml
executor = wrenml.local_executor(workers=2)
futures = executor.map(lambda number: bytes([number]) * (2 << 20), range(6))
futures.results()
if sys.argv[1] == "close":
    executor.shutdown()
print(futures.id, flush=True)
time.sleep(1000)
"""


def in_memory(job: str) -> list[Path]:
    (folder,) = Path(os.environ["HOME"]).rglob(f"jobs/{job}/out")
    return [path for path in folder.iterdir() if path.is_symlink()]


@pytest.mark.usefixtures("shm")
@pytest.mark.parametrize("ending", ["close", "kill"])
def test_large_results_are_found_whatever_became_of_their_client(ending: str) -> None:
    with start(SCRIPT, ending) as client:
        try:
            assert client.stdout is not None
            job = client.stdout.readline().strip()
        finally:
            client.kill()
    assert bool(in_memory(job)) is (ending == "kill")
    with wrenml.local_executor(workers=1) as executor:
        assert executor.attach(job).results() == [bytes([number]) * (2 << 20) for number in range(6)]
        storage = executor.session.storage
        assert isinstance(storage, LocalStorage)
        assert (
            storage.persist(f"jobs/{job}/") == sum(len(data) + 8 for _, _, data in storage.frames(job))
            or ending == "close"
        )
        assert in_memory(job) == []
        assert executor.attach(job).results() == [bytes([number]) * (2 << 20) for number in range(6)]
