"""The archive of local modules: what they import is found, and all their files are packed."""

# Workers import this module, and pathlib is slow to import.
from __future__ import annotations

import functools
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from wrenml.errors import ConfigError
from wrenml.modules.sources import File, Source, find_source

__all__ = ["MAX_BYTES", "Archive", "collect"]

MAX_BYTES = 100_000_000

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can say


@dataclass(frozen=True, slots=True)
class Archive:
    """Local modules, packed.

    Parameters
    ----------
    digest : str
        SHA-256 of `data`, hexadecimal. Equal files give equal digests.
    data : bytes
        A zip: entries sorted, of one fixed time.
    names : tuple of str
        The modules and packages in it.
    """

    digest: str
    data: bytes = field(repr=False)
    names: tuple[str, ...]


def collect(names: Iterable[str], *, exclude: Sequence[str] = ()) -> Archive | None:
    """Pack the local ones of some modules, and the local modules that those import.

    Parameters
    ----------
    names : iterable of str
        Dotted names; what is not local is ignored.
    exclude : sequence of str
        Modules and packages to leave out; importing them in a call is an ImportError. Default: none.

    Returns
    -------
    Archive or None
        None if nothing is local. The same archive again while no file has changed.

    Raises
    ------
    ConfigError
        The files have more than 100 MB.
    """
    sources, files = _closure(names, frozenset(exclude))
    if not files:
        return None
    size = sum(file.size for file in files)
    if size > MAX_BYTES:
        raise ConfigError(_too_large(files, size))
    return _pack(tuple(sorted(files)), tuple(sorted(source.name for source in sources)))


def _closure(names: Iterable[str], exclude: frozenset[str]) -> tuple[set[Source], set[File]]:
    sources: set[Source] = set()
    files: set[File] = set()
    waiting, seen = set(names), set[str]()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        source = None if _is_in(name, exclude) else find_source(name)
        if source is None or source in sources:
            continue
        sources.add(source)
        for file in source.files():
            if _is_in(file.dotted, exclude):
                continue
            files.add(file)
            if file.name.endswith(".py"):
                waiting.update(_imports(file.path, file.mtime_ns, file.size, file.package))
        waiting -= seen
    return sources, files


def _is_in(name: str, packages: frozenset[str]) -> bool:
    parts = name.split(".") if packages else ()
    return any(".".join(parts[: i + 1]) in packages for i in range(len(parts)))


@functools.lru_cache(maxsize=4096)
def _imports(path: str, mtime_ns: int, size: int, package: str) -> frozenset[str]:  # noqa: ARG001 - the cache's key
    import ast  # noqa: PLC0415 - slow to load, and not for workers

    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError, RecursionError):
        # A template, or code for another Python: whoever imports it will be told.
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(_imported_from(node.module or "", node.level, package, [a.name for a in node.names]))
    return frozenset(found)


def _imported_from(module: str, level: int, package: str, names: Iterable[str]) -> Iterator[str]:
    if level:
        parts = package.split(".") if package else []
        if level > len(parts):
            return
        module = ".".join([*parts[: len(parts) - level + 1], *([module] if module else [])])
    yield module
    # What is imported from a namespace package is a module, and may be in another portion.
    yield from (f"{module}.{name}" for name in names if name != "*")


# Two, so that two functions mapped in turn do not pack their modules each time.
@functools.lru_cache(maxsize=2)
def _pack(files: tuple[File, ...], names: tuple[str, ...]) -> Archive:
    import hashlib  # noqa: PLC0415 - slow to load, and not for workers
    import zipfile  # noqa: PLC0415 - the same

    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.name, _LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if file.executable else 0o100644) << 16
            with open(file.path, "rb") as content:
                archive.writestr(entry, content.read())
    data = body.getvalue()
    return Archive(hashlib.sha256(data).hexdigest(), data, names)


def _too_large(files: Iterable[File], size: int) -> str:
    largest = sorted(files, key=lambda file: file.size, reverse=True)[:5]
    listed = "\n".join(f"  {file.size / 1e6:8.1f} MB  {os.path.normpath(file.path)}" for file in largest)
    return (
        f"The local modules that the function needs have {size / 1e6:.0f} MB of files, and at most "
        f"{MAX_BYTES / 1e6:.0f} MB travel. The largest:\n{listed}\n"
        "Leave modules out with exclude_modules=, ship data with files=, or move data out of the package."
    )
