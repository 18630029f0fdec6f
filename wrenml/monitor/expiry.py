"""What may go from a folder of local jobs: jobs that nobody looked after for long, and what only they needed.

::

    jobs/<job>      old, and its client is gone
    blobs/<sha256>  old, and no job that stays refers to it, be it by way of other blobs
    code/<sha256>   old, and its archive is no blob any more
    workers/<name>  old, and no process works in it
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass

from wrenml.auth import TAG_SIZE
from wrenml.errors import StorageError
from wrenml.processes import is_alive
from wrenml.storage import LocalStorage
from wrenml.storage.base import TEMPORARY

__all__ = ["Removed", "expire", "expire_daily"]

_DAY = 86_400.0  # seconds
_KEEP = 14 * _DAY
_UNUSED = 60.0  # seconds after which what lies in memory goes to the disk
_STAMP = "expired"
_PACKED = (b"\xc7", b"{")  # how blobs begin that may refer to others: packed values, job specs


@dataclass(slots=True)
class Removed:
    """How much went, and how many old jobs are `busy`: their client still runs, so they stay."""

    jobs: int = 0
    blobs: int = 0
    workers: int = 0
    archives: int = 0
    bytes: int = 0
    busy: int = 0


def expire_daily(folder: str) -> threading.Thread | None:
    """Remove jobs older than 14 days, in the background and at most once a day.

    Parameters
    ----------
    folder : str
        Of local jobs; nothing happens where there is none yet.

    Returns
    -------
    Thread or None
        What does it; None if it was done within a day.
    """
    stamp = os.path.join(folder, _STAMP)
    try:
        if time.time() - os.stat(stamp).st_mtime < _DAY:
            return None
    except FileNotFoundError:
        if not os.path.isdir(folder):
            return None
    with contextlib.suppress(OSError), open(stamp, "w"):
        os.utime(stamp)
    thread = threading.Thread(target=expire, args=(folder, _KEEP), name="wrenml-expiry", daemon=True)
    thread.start()
    return thread


def expire(folder: str, older_than: float, *, dry_run: bool = False) -> Removed:
    """Remove what nobody needs from a folder of local jobs. What cannot be removed is left alone.

    Parameters
    ----------
    folder : str
        Of local jobs.
    older_than : float
        Seconds since something was last written.
    dry_run : bool, default False
        Count only.
    """
    broom = _Broom(folder, time.time() - older_than, dry_run=dry_run)
    gone = broom.sweep_jobs()
    broom.sweep_blobs(gone)
    broom.sweep_workers()
    if not dry_run:
        # Frees the memory of what was removed, and of clients that were killed.
        with contextlib.suppress(StorageError):
            LocalStorage(folder).persist(older_than=_UNUSED)
    return broom.removed


class _Broom:
    def __init__(self, folder: str, before: float, *, dry_run: bool) -> None:
        self.removed = Removed()
        self._folder = folder
        self._before = before
        self._dry_run = dry_run

    def _old(self, name: str) -> list[str]:
        """What in a part of the folder was written last before the limit, by path."""
        return [path for path in _entries(os.path.join(self._folder, name)) if _newest(path) < self._before]

    def _remove(self, path: str) -> bool:
        size = sum(_size(file) for file in _files(path))
        if not self._dry_run:
            if os.path.isdir(path) and not os.path.islink(path):
                import shutil  # noqa: PLC0415  # slow to load, and most days there is nothing to remove

                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(path)
            if os.path.lexists(path):
                return False
        self.removed.bytes += size
        return True

    def sweep_jobs(self) -> set[str]:
        gone = set()
        for path in self._old("jobs"):
            if _at_work(path):
                self.removed.busy += 1
            elif self._remove(path):
                self.removed.jobs += 1
                gone.add(path)
        return gone

    def sweep_blobs(self, gone: set[str]) -> None:
        old = {os.path.basename(path): path for path in self._old("blobs")}
        for name in _referred(self._folder, set(old), gone):
            del old[name]
        for name, path in old.items():
            counted = self._remove(path) and not name.startswith(TEMPORARY)
            self.removed.blobs += counted
        for path in self._old("code"):
            name = os.path.basename(path)
            if name in old or not os.path.exists(os.path.join(self._folder, "blobs", name)):
                self.removed.archives += self._remove(path)

    def sweep_workers(self) -> None:
        busy = _working_folders()
        for path in self._old("workers"):
            if os.path.realpath(path) not in busy:
                self.removed.workers += self._remove(path)


def _referred(folder: str, wanted: set[str], gone: set[str]) -> set[str]:
    """Those of the wanted blobs that jobs and blobs which stay refer to."""
    found: set[str] = set()
    missing = {name: bytes.fromhex(name) for name in wanted if _is_digest(name)}
    sources = [file for job in _entries(os.path.join(folder, "jobs")) if job not in gone for file in _said(job)]
    sources += [path for path in _entries(os.path.join(folder, "blobs")) if os.path.basename(path) not in wanted]
    while sources and missing:
        path = sources.pop()
        for data in _texts(path, whole=not path.startswith(os.path.join(folder, "blobs", ""))):
            for name in [name for name, raw in missing.items() if raw in data or name.encode() in data]:
                del missing[name]
                found.add(name)
                sources.append(os.path.join(folder, "blobs", name))
    return found


def _said(job: str) -> Iterator[str]:
    yield os.path.join(job, "manifest")
    yield from _entries(os.path.join(job, "args"))


def _texts(path: str, *, whole: bool) -> Iterator[bytes]:
    """What a file says that may name blobs; packed values in a job spec are decoded."""
    with contextlib.suppress(OSError, ValueError), open(path, "rb") as file:
        start = file.read(1)
        if not whole and start not in _PACKED:
            return
        data = start + file.read()
        yield data
        if not whole and start == b"{":
            for value in json.loads(data).values():
                if isinstance(value, str):
                    with contextlib.suppress(ValueError):
                        yield b64decode(value, validate=True)


def _at_work(job: str) -> bool:
    """Whether the client that made a job still runs; its futures may not have been read."""
    try:
        with open(os.path.join(job, "manifest"), "rb") as file:
            record = json.loads(file.read()[TAG_SIZE:])
        if record["host"] != socket.gethostname():
            return False
        return is_alive(int(record["pid"]), record.get("began", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _working_folders() -> set[str]:
    """Working directories of this user's processes, where the system tells."""
    folders = set()
    for process in _entries("/proc"):
        with contextlib.suppress(OSError):
            folders.add(os.readlink(os.path.join(process, "cwd")))
    return folders


def _is_digest(name: str) -> bool:
    return len(name) == 64 and all(digit in "0123456789abcdef" for digit in name)  # noqa: PLR2004 - SHA-256


def _entries(folder: str) -> list[str]:
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder)]
    except OSError:
        return []


def _files(path: str) -> Iterator[str]:
    yield path
    if os.path.isdir(path) and not os.path.islink(path):
        for entry in _entries(path):
            yield from _files(entry)


def _newest(path: str) -> float:
    return max((_mtime(file) for file in _files(path)), default=0.0)


def _mtime(path: str) -> float:
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return 0.0


def _size(path: str) -> int:
    try:
        status = os.lstat(path)
    except OSError:
        return 0
    return 0 if os.path.isdir(path) else status.st_size
