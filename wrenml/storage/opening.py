"""Opens a storage from its URL, loading only the module of that kind of storage."""

from __future__ import annotations

import importlib
from typing import Any

from wrenml.errors import ConfigError
from wrenml.storage.base import Storage

__all__ = ["open_storage"]


def open_storage(url: str, *, bucket_owner: str | None = None) -> Storage:
    """Open the storage that a URL names.

    Parameters
    ----------
    url : str
        ``memory://<name>`` (of this process), ``file:///<path>``, taken as it is, without percent-encoding,
        or ``s3://<bucket>[/<prefix>]``.
    bucket_owner : str, optional
        The AWS account that must own the bucket; S3 only.

    Returns
    -------
    Storage
        The storage.

    Raises
    ------
    ConfigError
        The URL does not name a storage.
    NotSupportedError
        A memory storage of another process.
    """
    scheme, _, rest = url.partition("://")
    storage: Storage
    if scheme == "s3":
        storage = _load("s3").S3Storage(url, bucket_owner)
        return storage
    if bucket_owner is not None:
        raise ConfigError(f"{url!r} has no bucket owner: that is for s3:// storages. Leave bucket_owner out.")
    if scheme == "file" and rest.startswith("/"):
        storage = _load("local").LocalStorage(rest)
        return storage
    if scheme == "memory":
        storage = _load("memory").MemoryStorage(rest, create=False)
        return storage
    raise ConfigError(
        f"{url!r} does not name a storage. Use file:///absolute/folder, s3://bucket/prefix, "
        "or memory://name for one that this process made."
    )


def _load(module: str) -> Any:  # noqa: ANN401 - the class that is taken from it is a Storage
    return importlib.import_module(f"wrenml.storage.{module}")
