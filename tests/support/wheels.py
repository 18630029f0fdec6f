"""Wheels made on the spot, so that packages are built without a network."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

PYTHON = f"3.{sys.version_info.minor}"
CP = f"cp3{sys.version_info.minor}"
NATIVE = f"{CP}-{CP}-manylinux_2_17_x86_64.manylinux2014_x86_64"
DEFAULTS = ("cloudpickle", "numpy", "scipy", "scikit-learn")


def make_wheel(
    folder: Path,
    name: str,
    version: str | None = None,
    tag: str = "py3-none-any",
    *,
    files: Mapping[str, str] | None = None,
    requires: tuple[str, ...] = (),
    claimed: int | None = None,
) -> Path:
    """A wheel of these files; by default of the version installed here, with a module of its own name.

    Its first entry claims to have as many bytes as `claimed`.
    """
    version = version or metadata.version(name)
    escaped = name.replace("-", "_")
    about = f"{escaped}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    content = {
        **({f"{escaped}.py": "VALUE = 1\n"} if files is None else files),
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n"
        + "".join(f"Tag: {'-'.join([*tag.split('-')[:2], one])}\n" for one in tag.split("-")[2].split(".")),
        f"{about}/RECORD": "",
    }
    path = folder / f"{escaped}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, data in content.items():
            archive.writestr(entry, data)
        if claimed is not None:
            archive.infolist()[0].file_size = claimed
    return path


def make_defaults(folder: Path) -> None:
    """Tiny stand-ins for what every package holds."""
    for name in DEFAULTS:
        make_wheel(folder, name)


def make_real(folder: Path, name: str) -> Path:
    """A wheel of what is installed here under a name; it must be of pure Python."""
    found = metadata.distribution(name)
    files = [one for one in found.files or () if one.suffix == ".py" and ".dist-info" not in str(one)]
    return make_wheel(folder, name, files={str(one): one.read_text(encoding="utf-8") for one in files})


def pip_variables(folder: Path) -> dict[str, str]:
    """Variables that have pip look into a folder, and nowhere else."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": "/dev/null"}
