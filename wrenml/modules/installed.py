"""Archives of modules in a worker: unpacked once, importable while their job is the current one."""

# Workers start cold, and pathlib is slow to import.
from __future__ import annotations

import importlib
import io
import mmap
import os
import sys
from types import ModuleType

from wrenml.errors import AuthenticationError, WireError

__all__ = ["activate", "install"]


def install(archive: bytes | bytearray | memoryview | mmap.mmap, digest: str, into: str) -> str:
    """Unpack an archive, unless that was done before.

    Parameters
    ----------
    archive : Buffer
        The zip.
    digest : str
        Its SHA-256, hexadecimal.
    into : str
        Folder of all archives; made if missing.

    Returns
    -------
    str
        ``<into>/<digest>``, whole whenever it exists, whoever else installs it at the same time.

    Raises
    ------
    AuthenticationError
        The archive is not the one that the digest names.
    WireError
        An entry would land outside the folder.
    """
    target = os.path.join(into, digest)
    if os.path.isdir(target):
        return target
    _unpack(archive, digest, target)
    return target


def _unpack(archive: bytes | bytearray | memoryview | mmap.mmap, digest: str, target: str) -> None:
    import hashlib  # noqa: PLC0415 - needed once a worker and archive
    import shutil  # noqa: PLC0415 - the same
    import tempfile  # noqa: PLC0415 - the same

    if hashlib.sha256(archive).hexdigest() != digest:
        raise AuthenticationError(
            "The archive of local modules is not the one that the job names; it was not unpacked. Map again."
        )
    into = os.path.dirname(target)
    os.makedirs(into, exist_ok=True)
    fresh = tempfile.mkdtemp(prefix=f".{digest[:16]}-", dir=into)
    try:
        _extract(archive, fresh)
        os.rename(fresh, target)
    except OSError:
        # Another worker was faster, and what it made is the same.
        if not os.path.isdir(target):
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _extract(archive: bytes | bytearray | memoryview | mmap.mmap, folder: str) -> None:
    import zipfile  # noqa: PLC0415 - needed once a worker and archive

    with zipfile.ZipFile(io.BytesIO(archive)) as content:
        for entry in content.infolist():
            mode = entry.external_attr >> 16
            parts = entry.filename.split("/")
            if "\\" in entry.filename or not {"", ".", ".."}.isdisjoint(parts) or mode >> 12 not in {0, 0o10}:
                raise WireError(
                    f"The archive of local modules has an entry {entry.filename!r}, which wrenml does not "
                    "write; it was not unpacked. Map again with the same wrenml on both sides."
                )
            path = os.path.join(folder, *parts)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content.read(entry))
            if mode & 0o100:
                os.chmod(path, 0o755)  # noqa: S103 - an executable is executable by whoever runs the worker


def activate(path: str | None, previous: str | None) -> None:
    """Make one archive's modules importable in place of another's.

    Parameters
    ----------
    path : str or None
        What `install` returned; None for no local modules.
    previous : str or None
        The path that was active. If it is another, its modules are forgotten, so that none of them meets the
        new ones.
    """
    if previous is not None and previous != path:
        sys.path[:] = [entry for entry in sys.path if entry != previous]
        _forget(previous)
    if path is not None and (not sys.path or sys.path[0] != path):
        sys.path[:] = [path, *(entry for entry in sys.path if entry != path)]
    importlib.invalidate_caches()


def _forget(folder: str) -> None:
    inside = os.path.join(folder, "")
    # All are found before any goes: a namespace package looks its parent up to say where it is.
    found = [(name, module) for name, module in list(sys.modules.items()) if _is_from(module, inside)]
    for name, module in found:
        del sys.modules[name]
        parent, _, child = name.rpartition(".")
        # A parent may stay: a namespace package that also has installed portions.
        if parent in sys.modules and getattr(sys.modules[parent], child, None) is module:
            delattr(sys.modules[parent], child)
    for entry in [entry for entry in sys.path_importer_cache if f"{entry}/".startswith(inside)]:
        del sys.path_importer_cache[entry]


def _is_from(module: ModuleType, inside: str) -> bool:
    # Not by getattr: a lazy module may import things when it is asked.
    attributes = getattr(module, "__dict__", {})
    file = attributes.get("__file__")
    if isinstance(file, str):
        return file.startswith(inside)
    portions = [entry for entry in attributes.get("__path__", ()) if isinstance(entry, str)]
    return bool(portions) and all(f"{entry}/".startswith(inside) for entry in portions)
