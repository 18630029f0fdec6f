"""The functions' package: one zip, the same bytes whenever it is made of the same parts."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any, Final

import wrenml
from wrenml.deploy.contents import compile_all, lay_out, own_digest, sizes_of
from wrenml.deploy.wheels import Wheel, file_sha256, resolve
from wrenml.errors import ConfigError

__all__ = ["MAX_BYTES", "Package", "build"]

MAX_BYTES: Final = 250 << 20
"""What Lambda unpacks at most, its layers included."""

_FORMAT: Final = 1
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can say
_LEVEL: Final = 6
_LARGEST: Final = 5
_KEPT_SECONDS: Final = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Package:
    """A package that is ready to be uploaded.

    Parameters
    ----------
    path : str
        The zip.
    sha256 : str
        Of the zip, hexadecimal.
    size, unpacked : int
        Bytes.
    packages : mapping of str to str
        Versions by normalised name.
    """

    path: str
    sha256: str
    size: int
    unpacked: int
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Where it lies in the stack's bucket."""
        return f"code/{self.sha256}.zip"

    @property
    def code_sha256(self) -> str:
        """The SHA-256 as Lambda says it: base64."""
        return b64encode(bytes.fromhex(self.sha256)).decode()


def build(
    python: str, arch: str, cache: str, *, requirements: str | None = None, say: Callable[[str], None] = lambda _: None
) -> Package:
    """Make the package of this environment, or take the one made before.

    Parameters
    ----------
    python, arch : str
        The runtime.
    cache : str
        A folder where wheels and packages are kept.
    requirements : str, optional
        A requirements file of what calls need beside numpy, scipy and scikit-learn.
    say : callable, optional
        Is told what takes time.

    Raises
    ------
    ConfigError
        A wheel is not to be had, or all together are too large.
    """
    os.makedirs(cache, exist_ok=True)
    say(f"finding wheels for python{python} on {arch}")
    wheels = [one for one in resolve(python, arch, requirements, cache) if one.name != "wrenml"]
    has_bytecode = python == f"{sys.version_info.major}.{sys.version_info.minor}"
    parts = [_FORMAT, python, arch, own_digest(), [one.sha256 for one in wheels], sys.version if has_bytecode else ""]
    base = os.path.join(cache, sha256(json.dumps(parts).encode()).hexdigest())
    known = _recall(base)
    if known:
        return known
    say(f"packing wrenml and {len(wheels)} wheels" + (", compiling their modules" if has_bytecode else ""))
    sizes = sizes_of(wheels)
    _check_size(sum(sizes.values()), sizes)
    with tempfile.TemporaryDirectory(dir=cache) as work:
        folder = os.path.join(work, "task")
        lay_out(wheels, python, arch, folder)
        if has_bytecode:
            compile_all(folder)
        draft = os.path.join(work, "package.zip")
        unpacked = _pack(folder, draft)
        _check_size(unpacked, sizes)
        os.replace(draft, f"{base}.zip")
    package = _describe(f"{base}.zip", unpacked, wheels)
    with open(f"{base}.json", "w", encoding="utf-8") as file:
        json.dump(asdict(package), file)
    _forget_old(cache)
    return package


def _describe(path: str, unpacked: int, wheels: Sequence[Wheel]) -> Package:
    versions = {one.name: one.version for one in wheels} | {"wrenml": wrenml.__version__}
    return Package(path, file_sha256(path), os.path.getsize(path), unpacked, dict(sorted(versions.items())))


def _recall(base: str) -> Package | None:
    try:
        with open(f"{base}.json", encoding="utf-8") as file:
            record: dict[str, Any] = json.load(file)
        known = Package(**record | {"path": f"{base}.zip"})
        if file_sha256(known.path) != known.sha256:
            return None
        os.utime(known.path)
    except (OSError, ValueError, TypeError):
        return None
    return known


def _pack(folder: str, path: str) -> int:
    """Zip a folder, sorted and with neither times nor owners; return its bytes."""
    unpacked = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name in sorted(_files(folder)):
            source = os.path.join(folder, name)
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.create_system = 3  # Unix, whose permissions follow
            entry.external_attr = (0o100755 if os.access(source, os.X_OK) else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.file_size = os.path.getsize(source)
            unpacked += entry.file_size
            with open(source, "rb") as file, archive.open(entry, "w") as into:
                shutil.copyfileobj(file, into, 1 << 20)
    return unpacked


def _files(folder: str) -> Iterator[str]:
    for inside, _, names in os.walk(folder):
        for name in names:
            yield os.path.relpath(os.path.join(inside, name), folder)


def _check_size(unpacked: int, sizes: Mapping[str, int]) -> None:
    if unpacked <= MAX_BYTES:
        return
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:_LARGEST]
    shown = ", ".join(f"{name} {size / 1e6:,.0f} MB" for name, size in largest)
    raise ConfigError(
        f"the package would unpack to {unpacked / 1e6:,.0f} MB, and Lambda takes {MAX_BYTES / 1e6:,.0f} MB, layers "
        f"included, so layers are no way out. The largest are {shown} (bytecode apart). Leave out of --requirements "
        "what calls do not import, or deploy another stack for what needs it: --stack NAME."
    )


def _forget_old(cache: str) -> None:
    """Remove what no build has used for a month."""
    before = time.time() - _KEPT_SECONDS
    for folder in (cache, os.path.join(cache, "wheels")):
        for entry in os.scandir(folder):
            if entry.is_file() and entry.stat().st_mtime < before:
                os.unlink(entry.path)
