from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrenml.deploy.usersettings import change_settings, read_settings
from wrenml.errors import ConfigError

AWS = {"backend": "aws", "stack": "wrenml", "region": "eu-west-1", "profile": None}
LOCAL = {"backend": "local", "stack": None, "region": None, "profile": None}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wrenml" / "config.toml"


def test_a_new_file(path: Path) -> None:
    change_settings(str(path), AWS)
    assert path.read_text() == 'backend = "aws"\nstack = "wrenml"\nregion = "eu-west-1"\n'
    assert not stat.S_IMODE(path.parent.stat().st_mode) & 0o077
    assert [one.name for one in path.parent.iterdir()] == ["config.toml"]


def test_all_else_stays_comments_too(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(
        '# mine\nbackend = "inline"  # for now\nretries = 2\nprofile = "old"\n\n[env]\nstack = "not this"\n'
    )
    change_settings(str(path), AWS)
    assert path.read_text() == (
        '# mine\nretries = 2\n\nbackend = "aws"\nstack = "wrenml"\nregion = "eu-west-1"\n[env]\nstack = "not this"\n'
    )
    change_settings(str(path), LOCAL)
    assert tomllib.loads(path.read_text()) == {"retries": 2, "backend": "local", "env": {"stack": "not this"}}


def test_a_last_line_without_an_end(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("retries = 2")
    change_settings(str(path), {"backend": "aws"})
    assert path.read_text() == 'retries = 2\nbackend = "aws"\n'


def test_what_cannot_be_changed_line_by_line_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    text = 'exclude_modules = [\n  "a",\n]\nname = """\nbackend = "trap"\n"""\n'
    path.write_text(text)
    with pytest.raises(ConfigError, match=r'set it there yourself: backend = "aws"'):
        change_settings(str(path), {"backend": "aws"})
    assert path.read_text() == text


def test_a_file_that_is_no_toml(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("backend = aws")
    with pytest.raises(ConfigError, match="not valid TOML"):
        change_settings(str(path), AWS)
    assert read_settings(str(path.parent / "absent.toml")) == {}


@given(value=st.text(alphabet=st.characters(codec="utf-8"), max_size=40))
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    path = tmp_path_factory.mktemp("any") / "config.toml"
    path.write_text('[tags]\nteam = "a"\n')
    change_settings(str(path), {"profile": value})
    assert read_settings(str(path)) == {"profile": value, "tags": {"team": "a"}}
