"""Sees to it that what workers and clients left in memory gets to the disk."""

from __future__ import annotations

import contextlib
import logging
import os
import threading

from wrenml.errors import StorageError
from wrenml.storage import LocalStorage
from wrenml.storage.base import Storage
from wrenml.wire import blob_key

__all__ = ["Keeper"]

_log = logging.getLogger("wrenml")

# What is read at all is mostly read by then; and what another client left is no longer being written.
_AFTER = 60.0  # seconds
_LEAST_URGENT = 19


class Keeper:
    """Moves a session's large objects to the disk: those that have not been written to for a minute while it is open.

    Parameters
    ----------
    storage : Storage
        The session's. Only local files can be in memory; for other storages nothing happens.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage if isinstance(storage, LocalStorage) else None
        self._jobs: set[str] = set()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    def add(self, job: str) -> None:
        """Take note of a job of this session."""
        if self._storage is None:
            return
        self._jobs.add(job)
        if self._thread is None:
            arguments = (self._storage, self._ended)
            thread = threading.Thread(target=_keep, args=arguments, name="wrenml-keeper", daemon=True)
            thread.start()
            self._thread = thread

    def close(self) -> None:
        """Move what this session's jobs have in memory to the disk; to be called when nobody writes any more."""
        if self._storage is None or self._thread is None:
            return
        self._ended.set()
        self._thread.join()
        self._thread = None
        for job in self._storage.in_memory("jobs/") & self._jobs:
            _persist(self._storage, f"jobs/{job}/", 0.0)
        _persist(self._storage, blob_key(""), 0.0)


def _keep(storage: LocalStorage, ended: threading.Event) -> None:
    # Linux has a priority for each thread.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LEAST_URGENT)
    _persist(storage, "", _AFTER)
    while not ended.wait(_AFTER):
        _persist(storage, "", _AFTER)


def _persist(storage: LocalStorage, prefix: str, older_than: float) -> None:
    try:
        storage.persist(prefix, older_than=older_than)
    except StorageError as error:
        _log.warning("wrenml: results stay in memory, where they are lost when the machine is shut down: %s", error)
