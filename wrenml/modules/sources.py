"""Which modules are local, and where their files are."""

# Thousands of files are looked at for each map, and pathlib is several times slower.
from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib import util
from importlib.machinery import ModuleSpec, PathFinder
from typing import NamedTuple

__all__ = ["File", "Source", "find_source"]

_NEVER = frozenset({"__main__", "__mp_main__", "wrenml"})
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_LEFT_OUT = frozenset({"__pycache__", ".git", ".hg", ".svn", ".tox", ".nox", ".mypy_cache", ".pytest_cache"})
_STANDARD_LIBRARY = os.path.join(os.path.dirname(os.__file__), "")


class File(NamedTuple):
    """A file that travels: its name in the archive, and what it was when it was looked at."""

    name: str
    path: str
    mtime_ns: int
    size: int
    executable: bool

    @property
    def dotted(self) -> str:
        """The name as a module's, its first suffix and what follows left off."""
        folder, _, last = self.name.rpartition("/")
        return f"{folder}/{last.partition('.')[0]}".strip("/").replace("/", ".")

    @property
    def package(self) -> str:
        """What relative imports in this file are relative to."""
        return self.name.rpartition("/")[0].replace("/", ".")


class Source(NamedTuple):
    """A module or package that travels whole: its dotted name, and its file or folder."""

    name: str
    path: str

    def files(self) -> Iterator[File]:
        """Yield the files: data files too, but no caches, version control or virtual environments."""
        base = self.name.replace(".", "/")
        if not os.path.isdir(self.path):
            yield from _file(base + _suffix(self.path, self.name), self.path)
            return
        seen: set[str] = set()
        for folder, folders, names in os.walk(self.path, followlinks=True):
            real = os.path.realpath(folder)
            if real in seen or (folder != self.path and "pyvenv.cfg" in names):
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
            relative = os.path.relpath(folder, self.path).replace(os.sep, "/")
            inside = base if relative == "." else f"{base}/{relative}"
            for name in names:
                if not (name.endswith(".pyc") and name[:-1] in names):
                    yield from _file(f"{inside}/{name}", os.path.join(folder, name))


def find_source(name: str) -> Source | None:
    """Return what has to travel for a module to be importable, or None if it is not local.

    Parameters
    ----------
    name : str
        Dotted name. It is not imported, and neither are its parents.

    Notes
    -----
    A module in a package means the whole top-level package; of a namespace package, the portion it is in.
    """
    top = name.partition(".")[0]
    if top in _NEVER or top in sys.stdlib_module_names:
        return None
    source = _outermost(name.split("."))
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if loaded is None or (source is not None and _is_in(loaded, source.path)):
        return source
    # Loaded under a name that does not say where it is, as test runners and notebooks do.
    is_package = hasattr(sys.modules[name], "__path__")
    return _local(name, os.path.dirname(loaded) if is_package else loaded)


def _outermost(parts: list[str]) -> Source | None:
    search: Sequence[str] | None = None
    for depth in range(1, len(parts) + 1):
        name = ".".join(parts[:depth])
        spec = _spec(name, search)
        if spec is None:
            return None
        if spec.has_location and spec.origin is not None:
            is_package = spec.submodule_search_locations is not None
            return _local(name, os.path.dirname(spec.origin) if is_package else spec.origin)
        search = list(spec.submodule_search_locations or ())
    return None


def _spec(name: str, search: Sequence[str] | None) -> ModuleSpec | None:
    spec = getattr(sys.modules.get(name), "__spec__", None)
    if isinstance(spec, ModuleSpec):
        return spec
    if search is not None:
        return PathFinder.find_spec(name, search)
    try:
        return util.find_spec(name)
    except (ImportError, ValueError):
        # ValueError: it is loaded, but does not know where from.
        return None


def _local(name: str, path: str) -> Source | None:
    path = os.path.abspath(path)
    if path.startswith(_STANDARD_LIBRARY) or not _INSTALLED.isdisjoint(path.split(os.sep)):
        return None
    return Source(name, path) if os.path.exists(path) else None


def _is_in(path: str, folder: str) -> bool:
    path = os.path.abspath(path)
    return path == folder or path.startswith(os.path.join(folder, ""))


def _suffix(path: str, name: str) -> str:
    # An extension module's suffix has several parts, and a loaded file need not be called as its module is.
    base, last = os.path.basename(path), name.rpartition(".")[2]
    return base.removeprefix(last) if base.startswith(f"{last}.") else os.path.splitext(base)[1]


def _file(name: str, path: str) -> Iterator[File]:
    try:
        found = os.stat(path)
    except OSError:
        # A broken link, or a file that vanished while we looked.
        return
    if os.path.isfile(path):
        yield File(name, path, found.st_mtime_ns, found.st_size, bool(found.st_mode & 0o100))
