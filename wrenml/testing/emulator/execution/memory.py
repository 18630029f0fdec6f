"""What the processes of an environment use: found by looking at /proc."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

__all__ = ["Usage", "kill_all", "look", "precisely", "signal_tree"]

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MB = 1 << 20


class Usage(dict[int, int]):
    """Resident bytes of each process of a tree, by process id."""

    @property
    def mb(self) -> int:
        """Of all together, MB."""
        return sum(self.values()) // _MB

    @property
    def largest(self) -> int:
        """The process that uses the most: whom the kernel would kill."""
        return max(self, key=self.__getitem__)


def look(root: int) -> Usage:
    """Measure a process and all below it; those that are gone count nothing."""
    return Usage({pid: _resident(pid) for pid in _tree(root)})


def precisely(usage: Usage) -> Usage:
    """Measure the same processes, memory that they share divided among them; slower."""
    return Usage({pid: _proportional(pid, resident) for pid, resident in usage.items()})


def kill_all(root: int | None, mark: str) -> None:
    """Kill a process, all below it, and those it left behind: their first variables hold `mark`, as its own do.

    `root` is None for a process that has ended: its number may be another's by now.
    """
    for pid in {*(() if root is None else _tree(root)), *_marked(mark.encode())}:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def signal_tree(root: int, number: int) -> None:
    """Send a signal to a process and all below it."""
    for pid in _tree(root):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _marked(mark: bytes) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                if mark in file.read():
                    found.append(int(name))
    return found


def _tree(root: int) -> list[int]:
    found, new = [root], [root]
    while new:
        pid = new.pop()
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                    children = [int(one) for one in file.read().split()]
                found += children
                new += children
    return found


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return 0


def _proportional(pid: int, otherwise: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return otherwise
