"""Shards from files of libsvm's format: ``<label> [qid:<n>] <index>:<value> … # comment``, a row a line.

scikit-learn parses many lines at once. Only where it refuses are they looked at one by one, to say which it was.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from wrenml.errors import ConfigError, DataError
from wrenml.ml.datasets.files import lines_of

__all__ = ["Libsvm", "parsed"]

_LARGEST: Final = 2**31 - 1  # features; scikit-learn reads indices as C's int

Line = tuple[str, int, bytes]
"""A file, the number of a line in it, and the line."""


@dataclass(frozen=True, slots=True)
class Libsvm:
    """How indices are read.

    Parameters
    ----------
    n_features : int
        Columns.
    zero_based : bool
        Whether the first column is 0.
    """

    n_features: int
    zero_based: bool

    @classmethod
    def of(cls, paths: Sequence[str], *, n_features: int | None, zero_based: bool | str) -> Libsvm:
        """Return what is given; what is not is found by reading all files once more.

        Parameters
        ----------
        paths : sequence of str
            The files.
        n_features : int, optional
            Default: up to the largest index; 1 if there is none.
        zero_based : bool or "auto"
            "auto": unless every file has rows, and none has the index 0.
        """
        if zero_based not in (True, False, "auto"):
            raise ConfigError(f"zero_based={zero_based!r}: give True, False or 'auto'")
        if n_features is not None and isinstance(zero_based, bool):
            return cls(n_features, zero_based)
        spans = [_span(path) for path in paths]
        if zero_based == "auto":
            zero_based = not all(smallest > 0 for smallest, _ in spans)
        if n_features is None:
            n_features = max(1, *(largest + (1 if zero_based else 0) for _, largest in spans))
        return cls(n_features, bool(zero_based))


def parsed(paths: Sequence[str], form: Libsvm, rows: int, dtype: Any) -> Iterator[tuple[Any, Any]]:
    """Read files row by row, and yield shards.

    Parameters
    ----------
    paths : sequence of str
        Read one after another, as if they were one.
    form : Libsvm
        How indices are read.
    rows : int
        Of a shard.
    dtype : dtype
        Of the values.

    Raises
    ------
    DataError
        A line is not of the format; the message names file and line, and says what was expected.
    """
    from sklearn.datasets import load_svmlight_file  # noqa: PLC0415 - takes two seconds, and workers need none of it

    lines = (line for path in paths for line in _rows_of(path))
    while chunk := list(islice(lines, rows)):
        data = io.BytesIO(b"".join(line if line.endswith(b"\n") else line + b"\n" for _, _, line in chunk))
        try:
            yield load_svmlight_file(data, n_features=form.n_features, dtype=dtype, zero_based=form.zero_based)
        except (ValueError, OverflowError) as error:
            for path, number, line in chunk:
                problem = _problem(line, form)
                if problem:
                    raise DataError(
                        f"{os.path.abspath(path)}, line {number}: {problem}. Expected: <label> <index>:<value> …, "
                        "indices rising."
                    ) from error
            raise DataError(f"{chunk[0][0]}, from line {chunk[0][1]} on: {error}") from error


def _rows_of(path: str) -> Iterator[Line]:
    for number, line in enumerate(lines_of(path), 1):
        if line.lstrip()[:1] not in (b"", b"#"):
            yield path, number, line


def _span(path: str) -> tuple[int, int]:
    """Return the smallest and largest index of a file: the first and last of its lines; -1 without any."""
    smallest, largest = -1, -1
    for _, _, line in _rows_of(path):
        parts = line.partition(b"#")[0].split(None, 3)
        if len(parts) > 1 and parts[1].startswith(b"qid"):
            del parts[1]
        if len(parts) > 1:
            try:
                first, last = int(parts[1].partition(b":")[0]), int(parts[-1].split()[-1].partition(b":")[0])
            except ValueError:
                continue  # said when it is parsed
            smallest = first if smallest < 0 else min(smallest, first)
            largest = max(largest, last)
    return smallest, largest


def _problem(line: bytes, form: Libsvm) -> str:
    """Say what is wrong with a line, as strictly as scikit-learn reads it; nothing if it is all right."""
    label, *features = line.partition(b"#")[0].split()
    if not _reads(float, label):
        return f"{_shown(label)} is no label, which is a number"
    if features and features[0].startswith(b"qid") and b":" in features[0]:
        del features[0]
    return _problem_of(features, form)


def _problem_of(features: Iterable[bytes], form: Libsvm) -> str:
    first = before = 0 if form.zero_based else 1
    for feature in features:
        index, colon, value = feature.partition(b":")
        if not colon or not _reads(int, index) or not _reads(float, value):
            return f"{_shown(feature)} is no <index>:<value>"
        if int(index) < before:
            small = f"is too small: the first is {first}" if int(index) < first else f"comes after {before - 1}"
            return f"the index {int(index)} {small}"
        before = int(index) + 1
    most = min(form.n_features, _LARGEST)
    return f"the index {before - 1} is too large: the last is {first + most - 1}" if before > first + most else ""


def _reads(kind: Any, text: bytes) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def _shown(text: bytes) -> str:
    return repr(text.decode(errors="backslashreplace")[:40])
