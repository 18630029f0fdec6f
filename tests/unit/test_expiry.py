from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wrenml.local import local_executor
from wrenml.monitor.expiry import Removed, expire, expire_daily

DAY = 86_400

# A client that is gone when its jobs are looked at. The second job uses data of its own and what the first had put.
CLIENT = """
import numpy as np
from wrenml import local_executor

def total(pair):
    return float(sum(array.sum() for array in pair))

if __name__ == "__main__":
    shared, own = np.ones(100_000), np.full(100_000, 2.0)
    gone = np.full(100_000, 3.0)
    with local_executor(workers=1) as executor:
        print(executor.map(total, [(shared, gone)] * 2).id)
        futures = executor.map(total, [(shared, own)] * 2)
        print(futures.id)
        futures.results()
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "wrenml"


def age(path: Path, days: float) -> None:
    then = time.time() - days * DAY
    for each in [path, *path.rglob("*")]:
        os.utime(each, (then, then))


def client(folder: Path) -> list[str]:
    script = folder / "client.py"
    script.write_text(CLIENT)
    done = subprocess.run([sys.executable, script], text=True, stdout=subprocess.PIPE, timeout=60, check=True)
    return done.stdout.split()


def test_an_old_job_goes_with_what_only_it_needed(cache: Path, tmp_path: Path) -> None:
    old, recent = client(tmp_path)
    age(cache, 8)
    os.utime(cache / "jobs" / recent / "manifest")
    before = {path.name for path in (cache / "blobs").iterdir()}

    removed = expire(str(cache), 7 * DAY)

    after = {path.name for path in (cache / "blobs").iterdir()}
    assert removed.jobs == 1
    assert removed.blobs == len(before - after) >= 1
    assert removed.bytes > 800_000
    assert [path.name for path in (cache / "jobs").iterdir()] == [recent]
    assert not (cache / "jobs" / old).exists()
    with local_executor(workers=1) as executor:
        again, _ = executor.attach(recent)[0].owner.run_again([0, 1])  # type: ignore[union-attr]
        assert [future.result() for future in again.futures] == [300_000.0] * 2


def test_nothing_goes_before_its_time(cache: Path, tmp_path: Path) -> None:
    client(tmp_path)
    age(cache, 6)
    assert expire(str(cache), 7 * DAY) == Removed()


def test_a_dry_run_only_counts(cache: Path, tmp_path: Path) -> None:
    client(tmp_path)
    age(cache, 8)
    before = sorted(cache.rglob("*"))
    counted = expire(str(cache), 7 * DAY, dry_run=True)
    assert sorted(cache.rglob("*")) == before
    assert counted.jobs == 2
    assert expire(str(cache), 7 * DAY) == counted
    assert not list((cache / "jobs").iterdir())
    assert not list((cache / "blobs").iterdir())


def test_jobs_of_a_client_that_runs_stay(cache: Path) -> None:
    with local_executor(workers=1) as executor:
        data = np.ones(100_000)
        futures = executor.map(lambda array: float(array.sum()), [data] * 2)
        futures.results()
        executor.session.monitor.wait_until_idle()
        age(cache, 30)
        removed = expire(str(cache), 7 * DAY)
        assert (removed.jobs, removed.blobs, removed.workers, removed.busy) == (0, 0, 0, 1)
        assert futures.results() == [100_000.0] * 2


def test_what_is_stored_again_counts_as_new(cache: Path) -> None:
    with local_executor(workers=1) as executor:
        reference = executor.put(np.ones(100_000))
    age(cache, 30)
    with local_executor(workers=1) as executor:
        assert executor.put(np.ones(100_000)).digest == reference.digest
        assert expire(str(cache), 7 * DAY).blobs == 0


def test_folders_of_dead_workers_go(cache: Path) -> None:
    alive, dead = cache / "workers" / "alive", cache / "workers" / "dead"
    alive.mkdir(parents=True)
    dead.mkdir()
    (dead / "core").write_bytes(bytes(1000))
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=alive, stdin=subprocess.PIPE) as process:
        age(cache, 30)
        removed = expire(str(cache), 7 * DAY)
        process.kill()
    assert not dead.exists()
    assert removed.bytes == 1000
    if sys.platform == "linux":
        assert alive.exists()


def test_unpacked_archives_go_with_their_blob(cache: Path) -> None:
    kept, gone = "a" * 64, "b" * 64
    for digest in (kept, gone):
        folder = cache / "code" / digest
        folder.mkdir(parents=True)
        (folder / "module.py").write_text("x = 1")
    (cache / "blobs").mkdir()
    (cache / "blobs" / kept).write_text("zip")
    age(cache / "code", 30)
    assert expire(str(cache), 7 * DAY).archives == 1
    assert [path.name for path in (cache / "code").iterdir()] == [kept]


def test_once_a_day_in_the_background(cache: Path, tmp_path: Path, eventually: Callable[..., None]) -> None:
    assert expire_daily(str(cache)) is None
    client(tmp_path)
    (cache / "expired").unlink(missing_ok=True)
    age(cache, 15)
    first = expire_daily(str(cache))
    assert first is not None
    first.join(30)
    eventually(lambda: not list((cache / "jobs").iterdir()))
    assert expire_daily(str(cache)) is None
    age(cache / "expired", 2)
    second = expire_daily(str(cache))
    assert second is not None
    second.join(30)
