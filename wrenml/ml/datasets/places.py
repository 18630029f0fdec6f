"""Where data sets lie: storages opened once for a URL in a process."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from wrenml.storage import LocalStorage, PrefixedStorage, open_storage

__all__ = ["Place", "opened", "path_of", "url_of"]

Place = str | os.PathLike[str]
Objects = Any  # any of the storages


def url_of(place: Place) -> str:
    """Return a place as a URL: a path is that of a local directory."""
    path = os.fspath(place)
    return path.rstrip("/") if "://" in path else f"file://{os.path.abspath(path)}"


def opened(url: str) -> Objects:
    """Return the storage that a URL names; it may be one that this process has opened before.

    Raises
    ------
    ConfigError
        The URL does not name a storage.
    NotSupportedError
        It names a memory storage of another process.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "memory":
        # It lasts as long as somebody holds it, which must not be us.
        name, _, prefix = rest.partition("/")
        storage = open_storage(f"memory://{name}")
        return PrefixedStorage(storage, prefix) if prefix else storage
    # Credentials and endpoints are found when a storage is opened.
    return _opened(url, tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_"))))


@lru_cache(maxsize=8)
def _opened(url: str, _surroundings: tuple[tuple[str, str], ...]) -> Objects:
    # Not in memory: the files are to be there for other programs.
    return LocalStorage(url.removeprefix("file://"), memory=None) if url.startswith("file:///") else open_storage(url)


def path_of(url: str, name: str) -> str | None:
    """Return the path of an object that is a file of this machine; None if it is none."""
    return f"{url.removeprefix('file://')}/{name}" if url.startswith("file://") else None
