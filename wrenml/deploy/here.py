"""Examines this machine: settings, key, and where local jobs lie."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping

import wrenml
from wrenml.config import Settings, root_key_path
from wrenml.cpus import usable_cpus
from wrenml.deploy.health import Finding, bad, fine, odd
from wrenml.errors import ConfigError
from wrenml.rootkey import load_root_key

__all__ = ["examine_folders", "examine_settings"]

_LITTLE = 1e9  # bytes


def examine_settings(settings: Settings) -> Iterator[Finding]:
    """Look at what holds for maps on this machine."""
    yield fine("settings", f"backend {settings.backend} ({settings.why})")
    python = ".".join(map(str, sys.version_info[:3]))
    yield fine("wrenml", f"{wrenml.__version__}, Python {python} on {sys.platform}, {usable_cpus()} usable CPUs")


def examine_folders(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at what local jobs need.

    Parameters
    ----------
    settings : Settings
        Name the folder of jobs.
    environ : mapping of str to str
        Names the folder of keys.
    """
    try:
        root = load_root_key(root_key_path(environ, "local"))
    except ConfigError as error:
        yield bad("root key", str(error), "do that, then look again: wrenml doctor")
    else:
        if root.persistent:
            yield fine("root key", "there, readable by its owner only")
        else:
            remedy = "make the folder writable: without a key in a file no other process can attach to jobs"
            yield odd("root key", root.why, remedy)
    yield _jobs(settings.cache_dir)


def _jobs(folder: str) -> Finding:
    try:
        os.makedirs(folder, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return bad("jobs", f"{folder} cannot be made or read: {error.strerror}", "set XDG_CACHE_HOME to another folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        return bad("jobs", f"{folder} cannot be written to", "set XDG_CACHE_HOME to another folder")
    text = f"{folder}: {free / 1e9:,.1f} GB free"
    return odd("jobs", text, "make room: wrenml clean") if free < _LITTLE else fine("jobs", text)
