"""Blobs as files without names, that a supervisor hands to its child: checked against their digests once."""

from __future__ import annotations

import os
from collections import OrderedDict
from hashlib import sha256

from wrenml.errors import AuthenticationError
from wrenml.storage.base import Buffer, Objects
from wrenml.wire import blob_key
from wrenml.worker.marks import anonymous_file

__all__ = ["Blobs"]


class Blobs:
    """Keeps blobs while there is room for them.

    Parameters
    ----------
    folder : str
        For files, where they cannot be in memory.
    room : int
        Bytes that may be kept.
    """

    def __init__(self, folder: str, room: int) -> None:
        self._folder = folder
        self._room = room
        self._files: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._held = 0

    def open(self, storage: Objects, key: str, start: int, stop: int | None) -> tuple[int, int]:
        """Open a file of an object's bytes, or of a range of them; return it, to be closed, and its size.

        Raises
        ------
        AuthenticationError
            If a blob is not what its name says.
        StorageError
            If it cannot be read.
        """
        whole = key.startswith(blob_key("")) and not start and stop is None
        if key in self._files and whole:
            self._files.move_to_end(key)
            file, size = self._files[key]
            return os.dup(file), size
        data = storage.get(key, start=start, stop=stop)
        if whole and blob_key(sha256(data).hexdigest()) != key:
            raise AuthenticationError(
                f"the object {key} was changed: its bytes are not those it is named by. It was not unpickled."
            )
        file, size = self._write(data), len(data)
        if whole and size <= self._room:
            self._keep(key, os.dup(file), size)
        return file, size

    def _write(self, data: Buffer) -> int:
        file = anonymous_file(self._folder, "blob")
        with open(file, "wb", closefd=False) as stream:
            stream.write(data)
        return file

    def _keep(self, key: str, file: int, size: int) -> None:
        while self._held + size > self._room:
            self._drop()
        self._files[key] = file, size
        self._held += size

    def _drop(self) -> None:
        _, (file, size) = self._files.popitem(last=False)
        os.close(file)
        self._held -= size

    def close(self) -> None:
        """Let go of all of them."""
        while self._files:
            self._drop()
