"""The user's settings file, some settings of which are changed and all else in it kept."""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping

from wrenml.errors import ConfigError

__all__ = ["change_settings", "read_settings"]


def read_settings(path: str) -> dict[str, object]:
    """Read a settings file; empty where there is none.

    Raises
    ------
    ConfigError
        It is no TOML.
    """
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error


def change_settings(path: str, values: Mapping[str, str | None]) -> None:
    """Set texts at the top of a settings file, which is made if missing.

    Parameters
    ----------
    path : str
        The file.
    values : mapping of str to str or None
        None removes a setting.

    Raises
    ------
    ConfigError
        The file is no TOML, or is written in a way that cannot be changed line by line.
    """
    before = read_settings(path)
    text = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            text = file.read()
    head, tables = _split(text)
    for name, value in values.items():
        head = re.sub(rf"(?m)^[ \t]*{re.escape(name)}[ \t]*=.*\n?", "", head)
        if value is not None:
            head = f"{head}{'' if not head or head.endswith(chr(10)) else chr(10)}{name} = {_text(value)}\n"
    changed = f"{head}{tables}"
    wanted = {name: value for name, value in {**before, **values}.items() if value is not None}
    try:
        is_right = tomllib.loads(changed) == wanted
    except ValueError:
        is_right = False
    if not is_right:
        lines = ", ".join(f'{name} = "{value}"' for name, value in values.items() if value is not None)
        raise ConfigError(f"{path} is written in a way that wrenml cannot change; set it there yourself: {lines}.")
    _replace(path, changed)


def _text(value: str) -> str:
    """A text in TOML: as in JSON, but that DEL is escaped and halves of pairs are not known."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _split(text: str) -> tuple[str, str]:
    """What stands before the first table, and the rest."""
    found = re.search(r"(?m)^[ \t]*\[", text)
    return (text, "") if found is None else (text[: found.start()], text[found.start() :])


def _replace(path: str, text: str) -> None:
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=folder, prefix=".config-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(draft, path)
