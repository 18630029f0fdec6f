"""Five numbers that a worker child and its supervisor share in memory.

Calls are numbered through a child's life. The child says which it is running, since when, where in the captured
output that call's begins, and whether it is about to end of its own accord; the supervisor says where to stop. So a
supervisor knows at any time which call it would lose, and can take back what has not started, without a message that
a busy child could not read.
"""

from __future__ import annotations

import mmap
import os
import signal

__all__ = [
    "CURRENT",
    "DUMP_SIGNAL",
    "LEAVING",
    "LIMIT",
    "NEVER",
    "OUTPUT",
    "SIZE",
    "STARTED",
    "anonymous_file",
    "map_marks",
]

CURRENT = 0  # number of the call that runs; 0 before the first
STARTED = 1  # monotonic nanoseconds when it started; 0 while idle
LIMIT = 2  # number of the first call that must not start any more
OUTPUT = 3  # where what the running call writes begins in the captured output, bytes
LEAVING = 4  # 1 once the child ends because a call has left something behind
SIZE = 64
DUMP_SIGNAL = signal.SIGUSR2  # has a child write where its threads are
NEVER = 2**63


def anonymous_file(folder: str, name: str) -> int:
    """Open a file without a name that two processes can share; return its descriptor."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, f"{name}-{os.getpid()}-{os.urandom(6).hex()}")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(path)
    return descriptor


def map_marks(descriptor: int) -> memoryview:
    """Map the shared numbers as unsigned 64-bit integers."""
    return memoryview(mmap.mmap(descriptor, SIZE)).cast("Q")
