"""Which files `files=` ships, and what they are called where calls run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from wrenml.errors import ConfigError

__all__ = ["shipped_files"]


def shipped_files(paths: Iterable[str]) -> dict[str, str]:
    """Find the files that travel: a file under its own name, a folder's under the folder's.

    Parameters
    ----------
    paths : iterable of str
        Files and folders.

    Returns
    -------
    dict of str to str
        Name in the folder where calls run, with ``/`` between its parts, and path here; sorted by name.

    Raises
    ------
    ConfigError
        If two files would have one name.
    """
    found: dict[str, str] = {}
    for path in paths:
        for name, file in _files(os.path.abspath(path)):
            other = found.setdefault(name, file)
            if other != file:
                raise ConfigError(
                    f"files= has two files that calls would find as {name!r}: {other!r} and {file!r}. "
                    "Rename one, or give the folder that holds both."
                )
    return dict(sorted(found.items()))


def _files(path: str) -> Iterator[tuple[str, str]]:
    if not os.path.isdir(path):
        yield os.path.basename(path), path
        return
    above = os.path.dirname(path)
    for folder, _, names in os.walk(path, followlinks=True):
        for name in names:
            file = os.path.join(folder, name)
            yield os.path.relpath(file, above).replace(os.sep, "/"), file
