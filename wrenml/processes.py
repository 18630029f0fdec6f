"""Whether a process of this machine is still the one that it was."""

from __future__ import annotations

import os
import time
from functools import cache

__all__ = ["age", "began", "is_alive"]


@cache
def began(pid: int) -> str:
    """When a process began, as the system counts; empty where that cannot be told.

    A process id is used again some day; together with this it is not.
    """
    fields = _fields(pid)
    return fields[19].decode() if fields else ""


def age() -> float:
    """How long this process has been running, seconds; 0 where that cannot be told."""
    fields = _fields(os.getpid())
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def is_alive(pid: int, since: str) -> bool:
    """Whether the process of that id is running, and began when it is said to have.

    Parameters
    ----------
    pid : int
        Process id.
    since : str
        What `began` said of it; empty if that is not known.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it belongs to somebody else, but it is there
    fields = _fields(pid)
    if not fields:
        return True
    return fields[0] != b"Z" and since in ("", fields[19].decode())


def _fields(pid: int) -> list[bytes]:
    """The fields of the process's status from its state on; empty where there is no such file."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []
