"""Bytes under keys: in memory, in local files, in S3. Names are loaded when first used."""

from __future__ import annotations

import importlib

__all__ = [
    "Buffer",
    "Commit",
    "LocalStorage",
    "MemoryStorage",
    "Objects",
    "PrefixedStorage",
    "S3Storage",
    "Storage",
    "open_storage",
]

_HOMES = {
    "Buffer": "buffer",
    "Commit": "base",
    "LocalStorage": "local",
    "MemoryStorage": "memory",
    "Objects": "base",
    "PrefixedStorage": "prefixed",
    "S3Storage": "s3",
    "Storage": "base",
    "open_storage": "opening",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return __all__
