"""Shards of text, a document a line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from wrenml.errors import DataError
from wrenml.ml.datasets.files import lines_of

__all__ = ["Lines", "cut_lines"]

Lines = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def cut_lines(lines: Lines, labels: Iterable[Any] | None, size: int) -> Iterator[tuple[list[str], Any]]:
    """Cut lines into shards.

    Parameters
    ----------
    lines : path, or iterable of paths or of lines
        As for `ShardedDataset.from_lines`.
    labels : iterable, optional
        One for each line.
    size : int
        Lines of a shard.

    Raises
    ------
    DataError
        There are more or fewer labels than lines, or a file is not UTF-8.
    """
    texts = _texts(lines)
    beside = None if labels is None else iter(labels)
    count = 0
    while chunk := list(islice(texts, size)):
        some = None if beside is None else list(islice(beside, len(chunk)))
        count += len(chunk)
        if some is not None and len(some) < len(chunk):
            raise DataError(f"there are {count - len(chunk) + len(some):,} labels, and more lines: each needs one.")
        yield chunk, None if some is None else np.asarray(some)
    if beside is not None and next(beside, beside) is not beside:
        raise DataError(f"there are more labels than the {count:,} lines: each line has one.")


def _texts(lines: Lines) -> Iterator[str]:
    for given in [lines] if isinstance(lines, str | os.PathLike) else lines:
        if given is lines or isinstance(given, os.PathLike):
            yield from _decoded(os.fspath(given))
        else:
            yield given


def _decoded(path: str) -> Iterator[str]:
    for number, line in enumerate(lines_of(path), 1):
        try:
            yield line.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise DataError(f"{os.path.abspath(path)}, line {number}: {error}. Expected: text in UTF-8.") from error
