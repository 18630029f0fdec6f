"""Lines of files that are larger than memory, compressed or not."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Final, cast

from wrenml.errors import ConfigError, DataError

__all__ = ["Paths", "lines_of", "paths_of"]

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

_DAMAGED: Final = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error, OSError)


def paths_of(paths: Paths) -> list[str]:
    """Return one path or several as several.

    Raises
    ------
    ConfigError
        There are none.
    """
    found = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not found:
        raise ConfigError("there are no files: name at least one; a pattern may have matched none.")
    return found


def lines_of(path: str) -> Iterator[bytes]:
    """Yield the lines of a file, each with its end.

    Parameters
    ----------
    path : str
        What ends in ``.gz``, ``.bz2`` or ``.xz`` is decompressed.

    Raises
    ------
    OSError
        It cannot be opened.
    DataError
        It is cut short or no compressed file.
    """
    with _opened(path) as file:
        try:
            yield from file
        except _DAMAGED as error:
            raise DataError(f"{path} cannot be read to its end ({error}): it is damaged or was cut short.") from error


def _opened(path: str) -> IO[bytes]:
    if path.endswith(".gz"):
        return cast("IO[bytes]", gzip.open(path))
    if path.endswith(".bz2"):
        return bz2.open(path)
    return lzma.open(path) if path.endswith(".xz") else open(path, "rb")
