"""How much may lie in a file system that is kept in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator

__all__ = ["has_room", "memory_limit"]

_SHARE = 4
_UNLIMITED = 1 << 60


def has_room(memory: str, size: int, limit: int, *, root: str = "/") -> bool:
    """Whether a file of `size` bytes may be added without anybody going short.

    Twice its size must be free, and all files in there together stay below a quarter of the file system, of the
    memory that they and new programs can have, and of `limit`.

    Parameters
    ----------
    memory : str
        The file system's folder.
    size : int
        Bytes to be written.
    limit : int
        Of this process's memory, bytes; from `memory_limit`.
    root : str, default "/"
        Where ``proc`` is mounted.
    """
    try:
        status = os.statvfs(memory)
    except OSError:
        return False
    block = status.f_frsize
    used = (status.f_blocks - status.f_bfree) * block
    most = min(status.f_blocks * block, _available(root) + used, limit)
    return status.f_bavail * block >= 2 * size and used + size <= most // _SHARE


def memory_limit(*, root: str = "/") -> int:
    """The least memory limit, bytes, of this process's control groups (version 1 or 2); 2**60 if they have none."""
    return min([_UNLIMITED, *_limits(root)])


def _limits(root: str) -> Iterator[int]:
    groups = os.path.join(root, "sys/fs/cgroup")
    for line in _read(os.path.join(root, "proc/self/cgroup")).splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        folder, name = ("memory", "memory.limit_in_bytes") if controllers else ("", "memory.max")
        # In a container the path may be the host's; the mount's own root always counts.
        parts = [part for part in path.split("/") if part not in {"", ".."}]
        for length in range(len(parts) + 1):
            text = _read(os.path.join(groups, folder, *parts[:length], name)).strip()
            if text.isdecimal():
                yield int(text)


def _available(root: str) -> int:
    for line in _read(os.path.join(root, "proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""
