from __future__ import annotations

from pathlib import Path

import pytest

from wrenml.cpus import usable_cpus


def mount(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


# Each quota allows one CPU, or less, so that the count is known whatever machine runs the test.
QUOTAS = {
    "version 2": {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"},
    "version 2, half": {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"},
    "version 2, around": {
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
        "sys/fs/cgroup/a/cpu.max": "100000 100000\n",
    },
    "version 1": {
        "proc/self/cgroup": "4:memory:/x\n3:cpu,cpuacct:/x\n",
        "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "100000\n",
        "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n",
    },
    "version 1, a container's": {
        "proc/self/cgroup": "3:cpu,cpuacct:/docker/host/path\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    },
}

NO_QUOTAS = {
    "no files": {},
    "none": {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"},
    "large": {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "900000000 1000\n"},
    "version 1, none": {
        "proc/self/cgroup": "3:cpu:/\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    },
    "another controller's": {"proc/self/cgroup": "3:cpuset:/\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"},
    "outside": {"proc/self/cgroup": "0::/../..\n", "cpu.max": "100000 100000\n"},
    "nonsense": {"proc/self/cgroup": "x\n\n", "sys/fs/cgroup/cpu.max": "a b c\n"},
}


@pytest.mark.parametrize("files", QUOTAS.values(), ids=QUOTAS.keys())
def test_a_quota_counts(tmp_path: Path, files: dict[str, str]) -> None:
    assert usable_cpus(root=mount(tmp_path, files)) == 1


@pytest.mark.parametrize("files", NO_QUOTAS.values(), ids=NO_QUOTAS.keys())
def test_without_a_quota_the_affinity_counts(tmp_path: Path, files: dict[str, str]) -> None:
    bare = usable_cpus(root=str(tmp_path / "nothing"))
    assert bare >= 1
    assert usable_cpus(root=mount(tmp_path, files)) == bare
