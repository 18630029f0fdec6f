"""Where settings come from: the environment, then files, then defaults.

::

    WRENML_<NAME> ▶ [tool.wrenml] in the nearest pyproject.toml ▶ ~/.config/wrenml/config.toml ▶ defaults

The first place that names a setting decides it. Everything here is a function of the environment and the
folder passed in: nothing is read at import, and nothing is remembered.
"""

# pathlib takes longer to import than the rest of this module.

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from wrenml import checks
from wrenml.errors import ConfigError, UnknownOptionError
from wrenml.folders import cache_dir, config_dir
from wrenml.options import Options, resolve_options

__all__ = ["Backend", "Settings", "load_settings", "root_key_path"]

Backend = Literal["inline", "local", "aws"]
"""Where calls run."""


@dataclass(frozen=True)
class Settings:
    """What an executor starts from.

    Parameters
    ----------
    backend : str
        ``"inline"``, ``"local"`` or ``"aws"``. Default: ``"local"``.
    why : str
        What decided the backend, for people. Default: ``"the default"``.
    stack : str
        Name of the deployed stack. Default: ``"wrenml"``.
    region, profile : str, optional
        The stack's region, and the profile whose credentials are used. Default: as AWS's own configuration says.
    workers : int, optional
        Local workers. Default: one for each usable CPU.
    options : Options
        What holds for a map that says nothing else.
    cache_dir : str
        Folder of local jobs.
    config_dir : str
        Folder of settings and keys.
    """

    backend: Backend
    why: str
    stack: str
    region: str | None
    profile: str | None
    workers: int | None
    options: Options
    cache_dir: str
    config_dir: str


def load_settings(environ: Mapping[str, str], cwd: str) -> Settings:
    """Read the settings that hold in a folder.

    Parameters
    ----------
    environ : mapping of str to str
        The environment; `os.environ` for a program.
    cwd : str
        Folder from which the nearest ``pyproject.toml`` is looked for, upwards.

    Returns
    -------
    Settings
        Every setting from the nearest place that names it.

    Raises
    ------
    ConfigError
        A value cannot be meant, a name is unknown or not allowed there, or a file cannot be read; the message
        names the variable, or the file and the key.
    """
    settings = config_dir(environ)
    places = [_from_environment(environ, cwd), _from_project(cwd), _from_user(settings)]
    named: dict[str, tuple[Any, str]] = {}
    for values, origin in reversed(places):
        named.update({name: (value, origin) for name, value in values.items()})
    backend, why = named.pop("backend", ("local", "the default"))
    stack, _ = named.pop("stack", ("wrenml", ""))
    region, _ = named.pop("region", (None, ""))
    profile, _ = named.pop("profile", (None, ""))
    workers, _ = named.pop("workers", (None, ""))
    return Settings(
        backend=cast("Backend", backend),
        why="WRENML_BACKEND" if why == _ENVIRONMENT else why,
        stack=stack,
        region=region,
        profile=profile,
        workers=workers,
        options=resolve_options({name: value for name, (value, _) in named.items()}),
        cache_dir=cache_dir(environ),
        config_dir=settings,
    )


def root_key_path(environ: Mapping[str, str], owner: str = "local") -> str:
    """Say where the root key of a stack is kept.

    Parameters
    ----------
    environ : mapping of str to str
        The environment.
    owner : str
        ``"<account>-<region>-<stack>"``. Default: ``"local"``, the key of local storage.

    Raises
    ------
    ConfigError
        `owner` is no plain name.
    """
    return os.path.join(config_dir(environ), "keys", checks.safe_name("owner", owner))


def _from_environment(environ: Mapping[str, str], cwd: str) -> tuple[dict[str, Any], str]:
    values = {}
    for variable, text in environ.items():
        if not (variable.startswith(_PREFIX) and text):
            continue
        name = variable.removeprefix(_PREFIX).lower()
        if name in _READERS:
            values[name] = _checked(name, _READERS[name](variable, text), variable, cwd)
        elif name in _CODE:
            raise ConfigError(f"{variable} is set, but {name} is code: give it to the executor or the map.")
        elif near := checks.nearest(name, _READERS, cutoff=0.85):
            # Other variables of this prefix have other readers; only near misses are certain to be mistakes.
            raise UnknownOptionError(
                f"{variable} is set, but there is no such setting; did you mean {_PREFIX}{near.upper()}?"
            )
    return values, _ENVIRONMENT


def _from_project(cwd: str) -> tuple[dict[str, Any], str]:
    for folder in _upwards(os.path.abspath(cwd)):
        path = os.path.join(folder, "pyproject.toml")
        if os.path.isfile(path):
            tool = _read_toml(path).get("tool", {})
            table = tool.get("wrenml", {}) if isinstance(tool, dict) else {}
            return _from_table(table, path, f"[tool.wrenml] in {path}")
    return {}, ""


def _from_user(folder: str) -> tuple[dict[str, Any], str]:
    path = os.path.join(folder, "config.toml")
    return _from_table(_read_toml(path), path, path) if os.path.isfile(path) else ({}, "")


def _upwards(folder: str) -> Iterator[str]:
    yield folder
    while (parent := os.path.dirname(folder)) != folder:
        yield parent
        folder = parent


def _read_toml(path: str) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - slow to import, and most folders have no such file

    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error


def _from_table(table: object, path: str, origin: str) -> tuple[dict[str, Any], str]:
    if not isinstance(table, dict):
        raise ConfigError(f"{origin} must be a table of settings.")
    values = {}
    for name, value in table.items():
        if name in _CODE or "key" in name.lower().split("_"):
            raise ConfigError(
                f"{origin} sets {name!r}: files set neither keys nor code, so that a folder somebody else "
                "wrote cannot run anything. Remove it from the file and give it in your program."
            )
        if name not in _READERS:
            raise UnknownOptionError(f"{origin} sets {name!r}, which is no setting{checks.suggestion(name, _READERS)}")
        if name == "env":
            _refuse_loaders(value, origin)
        values[name] = _checked(name, value, origin, os.path.dirname(path))
    return values, origin


def _refuse_loaders(env: object, origin: str) -> None:
    for variable in env if isinstance(env, dict) else ():
        if variable.startswith(_LOADERS):
            raise ConfigError(
                f"{origin} sets {variable} under 'env', which makes an interpreter load code: "
                "files set no code. Give it in your program."
            )


def _checked(name: str, value: Any, origin: str, folder: str) -> object:  # noqa: ANN401 - whatever was read
    """Check one value by itself, so that the message can say where it stands."""
    try:
        if name == "files":
            names = value if isinstance(value, list) else [value]
            value = [os.path.join(folder, one) if isinstance(one, str) else one for one in names]
        if name in _CHECKS:
            return _CHECKS[name](name, value)
        return getattr(resolve_options({name: value}), name)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from error


def _backend(name: str, value: object) -> str:
    if value not in _BACKENDS:
        raise checks.wrong(name, value, "'inline', 'local' or 'aws'")
    return str(value)


def _stack(name: str, value: object) -> str:
    if not (isinstance(value, str) and _STACK_NAME.fullmatch(value)):
        raise checks.wrong(name, value, "letters, digits and '-', a letter first, at most 40")
    return value


def _region(name: str, value: object) -> str:
    if not (isinstance(value, str) and _REGION.fullmatch(value)):
        raise checks.wrong(name, value, "an AWS region such as 'eu-west-1'")
    return value


def _number(variable: str, text: str) -> object:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{variable}={text!r} cannot be used: it must be a number.") from None


def _whole(variable: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{variable}={text!r} cannot be used: it must be a whole number.") from None


def _switch(variable: str, text: str) -> bool:
    try:
        return _SWITCH[text.lower()]
    except KeyError:
        raise ConfigError(f"{variable}={text!r} cannot be used: it must be 1 or 0.") from None


def _text(_: str, text: str) -> str:
    return text


def _list(_: str, text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _path_list(_: str, text: str) -> list[str]:
    return [part for part in text.split(os.pathsep) if part]


def _wholes(variable: str, text: str) -> list[int]:
    return [_whole(variable, part) for part in _list(variable, text)]


def _pairs(variable: str, text: str) -> dict[str, str]:
    pairs = {}
    for part in _list(variable, text):
        key, sign, value = part.partition("=")
        if not sign:
            raise ConfigError(f"{variable} cannot be used: it must look like NAME=value,OTHER=value.")
        pairs[key.strip()] = value
    return pairs


_PREFIX: Final = "WRENML_"
_ENVIRONMENT: Final = "the environment"
_BACKENDS: Final = ("inline", "local", "aws")
_STACK_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,39}")
_REGION: Final = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")
_CODE: Final = frozenset({"retry_on", "initializer", "finalizer"})
_LOADERS: Final = ("PYTHON", "LD_", "DYLD_")
_SWITCH: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_CHECKS: Final[dict[str, checks.Check]] = {
    "backend": _backend,
    "stack": _stack,
    "region": _region,
    "profile": checks.line,
    "workers": checks.optional(checks.whole(1)),
}
_READERS: Final[dict[str, Callable[[str, str], object]]] = {
    "backend": _text,
    "stack": _text,
    "region": _text,
    "profile": _text,
    "workers": _whole,
    "chunksize": _whole,
    "retries": _whole,
    "infra_retries": _whole,
    "timeout": _number,
    "name": _text,
    "tags": _pairs,
    "memory_mb": _wholes,
    "max_in_flight": _whole,
    "max_calls": _whole,
    "max_cost": _number,
    "dry_run": _switch,
    "seed": _whole,
    "env": _pairs,
    "files": _path_list,
    "exclude_modules": _list,
    "strict": _switch,
    "cache": _text,
    "speculate": _switch,
    "progress": _switch,
}
