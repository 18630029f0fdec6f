from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wrenml.errors import ConfigError
from wrenml.rootkey import load_root_key


def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "wrenml" / "keys" / "local"
    made = load_root_key(str(path))
    assert (len(made.key), made.persistent, made.why) == (32, True, "")
    assert load_root_key(str(path)) == made
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [entry.name for entry in path.parent.iterdir()] == ["local"]


def test_two_stacks_have_two_keys(tmp_path: Path) -> None:
    assert load_root_key(str(tmp_path / "a")).key != load_root_key(str(tmp_path / "b")).key


def test_processes_that_race_get_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "local"
    program = (
        "import sys\nfrom wrenml.rootkey import load_root_key\n"
        "print('ready', flush=True)\nsys.stdin.readline()\nprint(load_root_key(sys.argv[1]).key.hex())\n"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    keys = [racer.communicate("go\n")[0] for racer in racers]
    assert set(keys) == {path.read_bytes().hex() + "\n"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_open_to_others_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "local"
    load_root_key(str(path))
    path.chmod(mode)
    with pytest.raises(ConfigError, match=rf"chmod 600 '{path}'"):
        load_root_key(str(path))


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "local"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="does not hold 32 bytes"):
        load_root_key(str(path))
    assert path.read_bytes() == content


def test_where_no_key_can_be_written_it_is_this_processs_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = str(tmp_path / "file" / "keys" / "local")
    first, second = load_root_key(path), load_root_key(path)
    assert (len(first.key), first.persistent) == (32, False)
    assert first.key != second.key
    assert path in first.why


def test_a_repr_does_not_show_the_key(tmp_path: Path) -> None:
    root = load_root_key(str(tmp_path / "local"))
    assert repr(root) == "RootKey(key=…, persistent=True, why='')"
    assert repr(root.key) not in f"{root} {root!r}"
