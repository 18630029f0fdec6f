"""What goes into a package: wheels without what no call needs, wrenml, the handler, bytecode, a list of it all."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Final

import wrenml
from wrenml.deploy.template import bundled
from wrenml.deploy.wheels import Wheel
from wrenml.errors import ConfigError

__all__ = ["MANIFEST", "compile_all", "lay_out", "own_digest", "sizes_of"]

MANIFEST: Final = "wrenml-package.json"

# Of these it is known that nothing they run by needs what is left out; others are taken whole.
_TRIMMED: Final = frozenset({"numpy", "scipy", "scikit-learn", "pandas", "joblib"})
_NO_FOLDERS: Final = frozenset({"tests", "test", "include"})
_NO_SUFFIXES: Final = (".pyi", ".pxd", ".pyx", ".pxi", ".h", ".hpp", ".c", ".cpp", ".a", ".build", ".tp")
_DATA: Final = re.compile(r"[^/]+\.data/(\w+)/(.+)")
_NOT_ON_LAMBDA: Final = frozenset({"_bundled", "cli", "dashboard", "testing", "__pycache__", "__main__.py"})
_TASK: Final = "/var/task"


def sizes_of(wheels: Sequence[Wheel]) -> dict[str, int]:
    """Bytes that each wheel brings, and wrenml itself, without unpacking anything."""
    sizes = {one.name: sum(entry.file_size for entry, _ in _entries(one)) for one in wheels}
    return sizes | {"wrenml": sum(len(data) for _, data in _own())}


def lay_out(wheels: Sequence[Wheel], python: str, arch: str, folder: str) -> None:
    """Put everything but bytecode into a folder.

    Parameters
    ----------
    wheels : sequence of Wheel
        What to unpack.
    python, arch : str
        The runtime, for the list.
    folder : str
        An empty one.

    Raises
    ------
    ConfigError
        A wheel would write outside of the folder.
    """
    for one in wheels:
        _unpack(one, folder)
    for name, data in _own():
        _write(os.path.join(folder, name), data)
    record = {
        "python": python,
        "arch": arch,
        "wrenml": {"version": wrenml.__version__, "sha256": own_digest()},
        "wheels": [{"file": os.path.basename(one.path), "sha256": one.sha256} for one in wheels],
    }
    _write(os.path.join(folder, MANIFEST), json.dumps(record, indent=1).encode())


def own_digest() -> str:
    """SHA-256 of wrenml's own files and the handler, hexadecimal."""
    digest = sha256()
    for name, data in _own():
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def _own() -> Iterator[tuple[str, bytes]]:
    package = os.path.dirname(os.path.abspath(wrenml.__file__))
    for folder, folders, names in os.walk(package):
        at_top = folder == package
        folders[:] = sorted(name for name in folders if name != "__pycache__" and not (at_top and _is_apart(name)))
        for name in sorted(names):
            if not (at_top and _is_apart(name)) and not name.endswith(".pyc"):
                path = os.path.join(folder, name)
                yield f"wrenml/{os.path.relpath(path, package)}", _read(path)
    about = f"Metadata-Version: 2.1\nName: wrenml\nVersion: {wrenml.__version__}\n"
    yield f"wrenml-{wrenml.__version__}.dist-info/METADATA", about.encode()
    yield "handler.py", _read(bundled("handler/handler.py"))


def _is_apart(name: str) -> bool:
    return name in _NOT_ON_LAMBDA


def _entries(wheel: Wheel) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    """What is taken of a wheel, and where it goes."""
    with zipfile.ZipFile(wheel.path) as archive:
        for entry in archive.infolist():
            name = _place(entry.filename, trimmed=wheel.name in _TRIMMED)
            if name is not None and not entry.is_dir():
                yield entry, name


def _unpack(wheel: Wheel, folder: str) -> None:
    with zipfile.ZipFile(wheel.path) as archive:
        for entry, name in _entries(wheel):
            parts = name.split("/")
            if not {"", ".", ".."}.isdisjoint(parts) or "\\" in name or "\0" in name:
                raise ConfigError(f"{wheel.path} has an entry {entry.filename!r}: it is no proper wheel; remove it.")
            path = os.path.join(folder, *parts)
            _write(path, archive.read(entry))
            if (entry.external_attr >> 16) & 0o100:
                os.chmod(path, 0o755)  # noqa: S103 - Lambda runs the package as another user


def _place(name: str, *, trimmed: bool) -> str | None:
    """Where a wheel's entry goes; None for what is left out."""
    data = _DATA.fullmatch(name)
    if data is not None:
        if data[1] not in {"purelib", "platlib"}:
            return None
        name = data[2]
    folders = name.split("/")[:-1]
    if "__pycache__" in folders or name.endswith(".pyc"):
        return None
    if trimmed and (name.endswith(_NO_SUFFIXES) or not _NO_FOLDERS.isdisjoint(folders)):
        return None
    return name


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _write(path: str, data: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def compile_all(folder: str) -> None:
    """Add bytecode that is used without a look at its source: most of a cold start would be compiling.

    Parameters
    ----------
    folder : str
        Holds modules for this very Python.
    """
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # One process and one hash seed, so that the same modules give the same bytes. A module that does not compile
    # (some are templates) stays source.
    subprocess.run(
        [
            *(sys.executable, "-m", "compileall", "-qq", "-j", "1", "--invalidation-mode", "unchecked-hash"),
            *("-s", folder, "-p", _TASK, folder),
        ],
        env=variables | {"PYTHONHASHSEED": "0"},
        stdout=subprocess.DEVNULL,
        check=False,
    )
