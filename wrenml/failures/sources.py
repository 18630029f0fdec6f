"""The source lines that a traceback shows: read by the worker, shown here where the file is missing."""

# Imports inside functions: only failures need linecache, and it is slow to import.
# ruff: noqa: PLC0415

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from wrenml.failures.chain import related
from wrenml.failures.frames import Row, read_traceback

__all__ = ["read_sources", "remember_sources"]

_CHARS = 8 * 1024
_LINE_CHARS = 300
_LINES_EACH = 8  # of an expression that spans many lines


def read_sources(exc: BaseException) -> dict[str, dict[str, str]]:
    """Return the source lines of all frames of the exception and what is linked to it, 8 KB of them at most.

    Returns
    -------
    dict
        File name to line number (as text, from 1) to line; those nearest to where it was raised come first.
    """
    import linecache

    sources: dict[str, dict[str, str]] = {}
    left = _CHARS
    for file, number in _places(exc):
        lines = sources.get(file, {})
        line = linecache.getline(file, number).rstrip("\n")
        if str(number) in lines or not line or len(line) > _LINE_CHARS:
            continue
        left -= len(line)
        if left < 0:
            break
        sources.setdefault(file, lines)[str(number)] = line
    return sources


def _places(exc: BaseException) -> Iterator[tuple[str, int]]:
    seen: set[Row] = set()
    for each in related(exc):
        for row in reversed(read_traceback(each.__traceback__)):
            if row in seen:
                continue
            seen.add(row)
            file, _, _, first, last, *_ = row
            for number in range(first, min(last or first, first + _LINES_EACH - 1) + 1):
                yield file, number


class _SparseLines(list[str]):
    """Lines of a file of which only some are known; the type tells them from what others told `linecache`."""


def remember_sources(sources: Mapping[str, Mapping[str, str]]) -> None:
    """Let `traceback` and debuggers show these lines of files that do not exist here.

    Parameters
    ----------
    sources : mapping
        As `read_sources` returns it. Files that exist here, or are known to `linecache`, are left alone.
    """
    import linecache

    for file, lines in sources.items():
        entry = linecache.cache.get(file)
        known = entry[2] if entry and len(entry) > 2 else None  # noqa: PLR2004  (size, mtime, lines, name)
        if not isinstance(known, _SparseLines):
            if entry or os.path.exists(file):
                continue
            known = _SparseLines()
        for number, line in ((int(number), line) for number, line in lines.items()):
            known.extend(["\n"] * (number - len(known)))
            known[number - 1] = line + "\n"
        # Without a time of change linecache never looks for the file.
        linecache.cache[file] = (len(known), None, known, file)
