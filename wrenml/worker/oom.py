"""Whether the system killed a process for want of memory: the kernel counts that for each control group."""

from __future__ import annotations

import os

__all__ = ["SystemKills"]


class SystemKills:
    """The processes that the kernel killed for want of memory in this process's control group (Linux, v1 and v2).

    Where there is no such count nothing is ever reported.

    Parameters
    ----------
    root : str, default "/"
        Where ``/proc`` and ``/sys`` are.
    """

    def __init__(self, root: str = "/") -> None:
        self._files = list(_files(root))
        self._known = self._count()

    def one_more(self) -> bool:
        """Whether there was a kill that this was not told of yet."""
        if self._count() <= self._known:
            return False
        self._known += 1
        return True

    def _count(self) -> int:
        for path in self._files:
            try:
                with open(path, encoding="ascii") as file:
                    counts = dict(line.split() for line in file)
                return int(counts["oom_kill"])
            except (OSError, ValueError, KeyError):
                continue
        return 0


def _files(root: str) -> list[str]:
    groups = os.path.join(root, "sys/fs/cgroup")
    try:
        with open(os.path.join(root, "proc/self/cgroup"), encoding="utf-8") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return []
    found = []
    for _, controllers, path in lines:
        # In a container the path may be one that only its host sees; then the group is the root of what is mounted.
        for group in (path.lstrip("/"), ""):
            if "memory" in controllers.split(","):
                found.append(os.path.join(groups, "memory", group, "memory.oom_control"))
            elif not controllers:
                found += [os.path.join(groups, part, group, "memory.events") for part in ("", "unified")]
    return found
