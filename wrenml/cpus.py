"""How many CPUs this process may really use."""

# pathlib takes longer to import than the rest of this module.

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator

__all__ = ["usable_cpus"]


def usable_cpus(*, root: str = "/") -> int:
    """Count the CPUs this process may use.

    Parameters
    ----------
    root : str
        Where ``proc`` and ``sys`` are mounted. Default: ``"/"``.

    Returns
    -------
    int
        At least 1: the CPUs of its affinity mask, or fewer where its control group (version 1 or 2) has
        a quota; a part of a CPU counts as one.
    """
    return max(1, min([_affinity(), *map(math.ceil, _quotas(root))]))


def _affinity() -> int:
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    # Not every platform has an affinity mask.
    mask = getattr(os, "sched_getaffinity", None)
    return len(mask(0)) if mask else os.cpu_count() or 1


def _quotas(root: str) -> Iterator[float]:
    """Yield the quotas, in CPUs, of this process's control groups and of those around them."""
    groups = os.path.join(root, "sys/fs/cgroup")
    for line in _read(os.path.join(root, "proc/self/cgroup")).splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        # In a container the path may be the host's; the mount's own root always counts.
        for group in _outwards(path):
            if controllers:
                yield from _quota_v1(os.path.join(groups, "cpu", group))
            else:
                yield from _quota_v2(os.path.join(groups, group))


def _outwards(path: str) -> Iterator[str]:
    parts = [part for part in path.split("/") if part not in {"", ".."}]
    for length in range(len(parts), -1, -1):
        yield "/".join(parts[:length])


def _quota_v1(folder: str) -> Iterator[float]:
    quota = _read(os.path.join(folder, "cpu.cfs_quota_us"))
    yield from _ratio(quota, _read(os.path.join(folder, "cpu.cfs_period_us")))


def _quota_v2(folder: str) -> Iterator[float]:
    quota, _, period = _read(os.path.join(folder, "cpu.max")).partition(" ")
    yield from _ratio(quota, period)


def _ratio(quota: str, period: str) -> Iterator[float]:
    # No quota is written as "max" or as -1.
    if quota.strip().isdecimal() and period.strip().isdecimal() and int(quota) and int(period):
        yield int(quota) / int(period)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""
