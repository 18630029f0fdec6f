"""Digests of files that have not changed since they were computed."""

from __future__ import annotations

import os
import time
from hashlib import sha256
from typing import Final

__all__ = ["Digests", "Identity", "identity_of"]

Identity = tuple[object, ...]

_MOST: Final = 1 << 14
_TICK: Final = 2.0  # seconds: coarser than any file system's clock


def identity_of(path: str) -> Identity | None:
    """Return what is another one when a file is changed or replaced.

    None if that cannot be told: the file cannot be looked at, or is so new that a change within the same tick of the
    file system's clock would not show.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    if time.time() - found.st_ctime < _TICK:
        return None
    return path, found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns, found.st_mtime_ns


class Digests:
    """SHA-256 of files that were read; threads may share it."""

    def __init__(self) -> None:
        self._found: dict[Identity, str] = {}

    def digest(self, identity: Identity, data: memoryview) -> str:
        """Return the digest of a file's bytes, computed only if it is not known.

        Parameters
        ----------
        identity : tuple
            The file's, taken before its bytes were read.
        data : memoryview
            Its bytes.
        """
        found = self._found.get(identity)
        if found is None:
            found = sha256(data).hexdigest()
            if len(self._found) >= _MOST:
                self._found.clear()
            self._found[identity] = found
        return found
