"""Where settings, keys and local jobs lie: a function of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["cache_dir", "config_dir", "working_dir"]


def config_dir(environ: Mapping[str, str]) -> str:
    """Say where settings and keys lie: ``$XDG_CONFIG_HOME/wrenml``, else ``~/.config/wrenml``."""
    return _user_dir(environ, "XDG_CONFIG_HOME", ".config")


def cache_dir(environ: Mapping[str, str]) -> str:
    """Say where local jobs lie: ``$XDG_CACHE_HOME/wrenml``, else ``~/.cache/wrenml``."""
    return _user_dir(environ, "XDG_CACHE_HOME", ".cache")


def working_dir() -> str:
    """Say where this process is: the working directory, or ``/`` where that has been deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "/"


def _user_dir(environ: Mapping[str, str], variable: str, default: str) -> str:
    base = environ.get(variable, "")
    # The XDG specification has relative paths ignored.
    if not os.path.isabs(base):
        home = environ.get("HOME") or os.path.expanduser("~")
        base = os.path.join(home if os.path.isabs(home) else "/", default)
    return os.path.join(base, "wrenml")
