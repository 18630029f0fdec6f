"""Memory, disk and size: what is too much ends one call, and says how to get further."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import wrenml
from tests.faults import deeds
from tests.faults.clients import client
from wrenml.errors import WorkerOutOfMemory

PATIENCE = 60


def test_a_call_over_its_memory_is_ended_alone(own: wrenml.Executor) -> None:
    futures = own.map(deeds.Only(400, deeds.use_memory), [1, 400, 2], chunksize=3, memory_mb=150)
    errors = futures.exceptions(PATIENCE)
    assert [type(error) for error in errors] == [type(None), WorkerOutOfMemory, type(None)]
    error = errors[1]
    assert isinstance(error, WorkerOutOfMemory)
    assert error.memory_mb == 150
    assert error.peak_mb is not None
    assert error.peak_mb > 150
    assert "memory_mb=" in str(error)
    assert own.map(deeds.same, range(5), memory_mb=150).results(timeout=PATIENCE) == list(range(5))


def test_a_list_of_sizes_escalates(own: wrenml.Executor) -> None:
    futures = own.map(deeds.hold_memory, [10, 200], memory_mb=[100, 120, 2000])
    assert futures.results(timeout=PATIENCE) == [10, 200]
    error = own.map(deeds.hold_memory, [400], memory_mb=[100, 120])[0].exception(PATIENCE)
    assert isinstance(error, WorkerOutOfMemory)
    assert error.memory_mb == 120


def test_memory_error_is_the_calls_own(own: wrenml.Executor) -> None:
    worker = own.submit(deeds.process).result(PATIENCE)
    assert isinstance(own.submit(deeds.large, 1 << 60).exception(PATIENCE), MemoryError)
    assert own.submit(deeds.process).result(PATIENCE) == worker


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=4m", "none", folder], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no right to mount a small file system")
    yield folder
    subprocess.run(["/bin/umount", "-l", folder], check=True)


def test_a_full_disk_in_a_call_names_folder_and_size(small_disk: Path) -> None:
    script = """
import wrenml
from tests.faults import deeds
with wrenml.local_executor(workers=1) as executor:
    futures = executor.map(deeds.Only(1, deeds.fill_disk), range(3), chunksize=3)
    for error in futures.exceptions(60):
        print(type(error).__name__, *getattr(error, "__notes__", []))
    print(executor.map(deeds.same, range(200)).results(timeout=60) == list(range(200)))
"""
    out = client(script, XDG_CACHE_HOME=str(small_disk)).splitlines()
    assert out[0] == "NoneType"
    assert out[1].startswith("OSError wrenml: the disk of the worker's folder")
    assert str(small_disk) in out[1]
    assert out[-1] == "True"


def test_outcomes_that_find_no_room_fail_clearly(small_disk: Path) -> None:
    script = """
import wrenml
from tests.faults import deeds
with wrenml.local_executor(workers=1) as executor:
    futures = executor.map(deeds.large, [60_000] * 100, chunksize=10, infra_retries=0)
    errors = futures.exceptions(60)
    print(errors.count(None))
    for error in filter(None, errors):
        print(type(error).__name__, str(error)[:300].replace(chr(10), " "))
"""
    stored, *refused = client(script, XDG_CACHE_HOME=str(small_disk)).splitlines()
    assert 30 < int(stored) < 70
    assert len(refused) == 100 - int(stored)
    assert all("StorageError No room" in line for line in refused)


def test_arguments_that_find_no_room_are_refused_at_once(small_disk: Path) -> None:
    script = """
import wrenml
from tests.faults import deeds
with wrenml.local_executor(workers=1) as executor:
    try:
        error = executor.map(deeds.length, [bytes(9_000_000)])[0].exception(60)
    except wrenml.errors.StorageError as refused:
        error = refused
    print(type(error).__name__, str(error)[:300].replace(chr(10), " "))
    print(executor.map(deeds.same, range(20)).results(timeout=60) == list(range(20)))
"""
    out = client(script, XDG_CACHE_HOME=str(small_disk)).splitlines()
    assert "StorageError" in out[0]
    assert "space" in out[0].lower()
    assert out[-1] == "True"


def test_a_client_with_many_open_files_has_workers_all_the_same(tmp_path: Path) -> None:
    script = """
import operator, os, resource, sys, wrenml
from pathlib import Path
from tests.unit.test_worker_remote import Bench
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
with wrenml.local_executor(workers=1) as executor:
    print(executor.map(abs, [-1]).results(timeout=30))
bench = Bench(Path(sys.argv[1]))
job = bench.job(operator.neg, [1])
bench.run(job)
print(job.values())
bench.remote.close()
"""
    assert client(script, str(tmp_path)).split() == ["[1]", "[-1]"]


@pytest.mark.parametrize("size", [200_000_000])
def test_huge_arguments_and_results(own: wrenml.Executor, size: int) -> None:
    data = os.urandom(1 << 20) * (size >> 20)
    assert own.map(deeds.length, [data, b"small"]).results(timeout=PATIENCE) == [len(data), 5]
    assert len(own.submit(deeds.large, size).result(PATIENCE)) == size
    assert own.submit(lambda x: len(data) + x, 1).result(PATIENCE) == len(data) + 1
