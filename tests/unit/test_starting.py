from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import wrenml
from wrenml.errors import ConfigError
from wrenml.invoke.starting import Starter


def ended(starter: Starter) -> int:
    """Take the worker that the starter has, end it, and return its process id."""
    child = starter.start()
    child.kill()
    child.bury()
    return child.pid


def test_the_first_worker_is_the_one_that_began(tmp_path: Path) -> None:
    starter = Starter(str(tmp_path))
    starter.begin()
    (name,) = os.listdir(tmp_path / "workers")
    child = starter.start()
    assert child.name.hex() == name
    child.kill()
    child.bury()
    assert ended(starter) != child.pid
    starter.close()


def test_a_worker_has_the_variables_of_when_there_is_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starter = Starter(str(tmp_path))
    starter.begin()
    (name,) = os.listdir(tmp_path / "workers")
    monkeypatch.setenv("WRENML_TEST_VARIABLE", "1")
    child = starter.start()
    assert child.name.hex() != name
    assert os.listdir(tmp_path / "workers") == [child.name.hex()]
    child.kill()
    child.bury()
    starter.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_a_worker_that_cannot_be_started_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starter = Starter(str(tmp_path))
    monkeypatch.setenv("WRENML_TEST_VARIABLE", "x" * (1 << 18))  # more than Linux passes on
    before = os.listdir("/proc/self/fd")

    with pytest.raises(OSError, match="too long"):
        starter.start()

    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert os.listdir(tmp_path / "workers") == []
    starter.close()


@pytest.fixture
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.usefixtures("_own_cache")
def test_a_worker_nobody_had_work_for_ends_with_the_executor() -> None:
    with wrenml.local_executor(workers=1) as executor:
        folder = Path(executor.session.storage.url.removeprefix("file://"), "workers")
        assert len(os.listdir(folder)) == 1
    assert os.listdir(folder) == []


@pytest.mark.usefixtures("_own_cache")
def test_no_worker_is_left_of_an_executor_that_could_not_be_made() -> None:
    with wrenml.local_executor(workers=1) as executor:
        folder = Path(executor.session.storage.url.removeprefix("file://"), "workers")
    with pytest.raises(ConfigError):
        wrenml.local_executor(workers=0)
    assert os.listdir(folder) == []


def test_little_is_loaded_before_the_first_worker_starts() -> None:
    code = "import sys, wrenml.local; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = ("wrenml.errors", "wrenml.config", "wrenml.executor", "dataclasses", "logging", "pickle", "json", "hashlib")
    assert [name for name in heavy if name in loaded] == []
