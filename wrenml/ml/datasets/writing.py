"""Shards are written, then the manifest: what is killed before that leaves nothing that can be opened.

A file is named by its content. So a data set that is written again where one is replaces it at once, when its manifest
is there; and of two workers that write the same shard, the one whose result counts is the one that is named.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

import numpy as np
from scipy import sparse

from wrenml.errors import AccessDeniedError, ConfigError, DataError, WrenmlError
from wrenml.ml.datasets.archive import packed_array, packed_arrays
from wrenml.ml.datasets.manifest import MANIFEST, Manifest, Record, Stored, Written, assembled, classes_of
from wrenml.ml.datasets.places import opened
from wrenml.storage.base import get_or_none

__all__ = ["check_free", "discard", "finish", "pair_of", "write_shard"]

_SHARD: Final = re.compile(r"\d{5,}-[0-9a-f]{12}\.(?:npz|txt|y\.npy)")
_NUMBERS: Final = "biuf"
_LABELS: Final = "biufU"
_INT32: Final = np.iinfo(np.int32).max


def check_free(url: str, *, overwrite: bool) -> None:
    """Refuse a place where a data set is.

    Raises
    ------
    ConfigError
        There is one, and it is not to be replaced.
    """
    if not overwrite and MANIFEST in opened(url).list(MANIFEST):
        raise ConfigError(f"there is a data set at {url}: overwrite=True replaces it.")


def pair_of(number: int, shard: Any, y: Any = None) -> tuple[Any, Any]:
    """Return X and y of what is given for a shard: both in a tuple, or X alone, whose labels are `y`.

    Raises
    ------
    DataError
        It is another tuple.
    """
    if not isinstance(shard, tuple):
        return shard, y
    if len(shard) != 2:  # noqa: PLR2004  # X and y
        raise DataError(f"shard {number}: a tuple of {len(shard)}: give (X, y), or X alone; weights are not kept.")
    return shard


def write_shard(url: str, number: int, X: Any, y: Any) -> Written:
    """Write a shard.

    Parameters
    ----------
    url : str
        Of the data set.
    number : int
        Of the shard.
    X : array, sparse matrix or sequence of str
        Rows.
    y : array, optional
        A label for each row.

    Raises
    ------
    DataError
        It cannot be a shard; the message names it.
    AccessDeniedError
        It may not be written there.
    """
    try:
        return _write(url, number, X, y)
    except (TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise DataError(f"shard {number}: {error}") from None
        raise DataError(f"shard {number}: {error}") from error


def finish(url: str, written: Iterable[Written], *, overwrite: bool) -> Manifest:
    """Write the manifest, and remove shards that it does not name.

    Raises
    ------
    ConfigError
        Another data set has come there meanwhile, and is not to be replaced.
    DataError
        The shards do not fit together.
    """
    manifest = assembled(list(written))
    storage = opened(url)
    if not storage.put(MANIFEST, manifest.to_json(), if_absent=not overwrite):
        raise ConfigError(f"another data set was written to {url} meanwhile: overwrite=True replaces it.")
    named = manifest.names
    storage.delete([name for name in storage.list("") if _SHARD.fullmatch(name) and name not in named])
    return manifest


def discard(url: str, written: Iterable[Written]) -> None:
    """Remove shards that were written in vain; what cannot be removed is left to the next writer.

    Parameters
    ----------
    url : str
        Of the data set.
    written : iterable of Written
        The shards. A data set that is there may name files of the same content: those stay.
    """
    storage = opened(url)
    with contextlib.suppress(WrenmlError):
        manifest = get_or_none(storage, MANIFEST)
        named = frozenset() if manifest is None else Manifest.from_json(bytes(manifest), url).names
        storage.delete([file.name for one in written for file in one.record.files if file.name not in named])


def _write(url: str, number: int, X: Any, y: Any) -> Written:
    y = _checked_labels(y)
    kind, X = _checked(X)
    rows = len(X) if kind == "lines" else X.shape[0]
    if y is not None and len(y) != rows:
        raise DataError(f"there are {rows} rows and {len(y)} labels: each row needs one.")
    files: dict[str, list[Any]] = {}
    nnz = None
    if kind == "lines":
        files["txt"] = [_text(X)]
        if y is not None:
            files["y.npy"] = [*packed_array(y)]
    elif kind == "dense":
        files["npz"] = [*packed_arrays({"X": X} if y is None else {"X": X, "y": y})]
    else:
        nnz = int(X.nnz)
        files["npz"] = [*packed_arrays(_parts_of(X) if y is None else {**_parts_of(X), "y": y})]
    # Nothing is left to name a shard without rows.
    stored = tuple(_put(url, number, ending, parts) for ending, parts in files.items()) if rows else ()
    features = None if kind == "lines" else X
    return Written(
        Record(rows, nnz, stored),
        kind,
        None if features is None else features.dtype.str,
        None if features is None else int(features.shape[1]),
        None if y is None else y.dtype.str,
        classes_of(y),
    )


def _put(url: str, number: int, ending: str, parts: list[Any]) -> Stored:
    digest, size = sha256(), 0
    for part in parts:
        digest.update(part)
        size += len(part)
    name = f"{number:05}-{digest.hexdigest()[:12]}.{ending}"
    try:
        opened(url).put(name, parts)
    except AccessDeniedError as error:
        raise type(error)(
            f"shard {number} cannot be written: {error} Workers on AWS may write what `wrenml deploy --write "
            f"{url}` grants."
        ) from error
    return Stored(name, size, digest.hexdigest())


def _checked(X: Any) -> tuple[str, Any]:
    if sparse.issparse(X):
        _check_dimensions(X)
        X = X.tocsr()
        if X.dtype.kind not in _NUMBERS:
            raise DataError(f"features are of type {X.dtype}: give real numbers.")
        return "sparse", X
    if isinstance(X, list | tuple) and (not X or isinstance(X[0], str)):
        return "lines", X
    array = np.ascontiguousarray(X)
    _check_dimensions(array)
    if array.dtype.kind not in _NUMBERS:
        raise DataError(f"features are of type {array.dtype}: give real numbers.")
    return "dense", array


def _check_dimensions(X: Any) -> None:
    if X.ndim != 2:  # noqa: PLR2004  # rows and columns
        raise DataError(f"features have {X.ndim} dimensions: give rows and columns, or a list of str.")


def _checked_labels(y: Any) -> Any:
    if y is None:
        return None
    labels = np.asarray(y)
    if labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels.flat):
        labels = labels.astype(str)
    if labels.dtype.kind not in _LABELS or not labels.ndim:
        raise DataError(f"labels are of type {labels.dtype}: give an array of numbers, truth values or strings.")
    return np.ascontiguousarray(labels)


def _parts_of(X: Any) -> dict[str, Any]:
    small = max(X.shape[1], X.nnz) <= _INT32
    kind = np.int32 if small else np.int64
    parts = {
        "indices": np.ascontiguousarray(X.indices, dtype=kind),
        "indptr": np.ascontiguousarray(X.indptr, dtype=kind),
        "format": np.asarray([b"csr"]).reshape(()),
        "shape": np.asarray(X.shape),
        "data": np.ascontiguousarray(X.data),
    }
    return parts if sparse.isspmatrix(X) else {**parts, "_is_array": np.asarray(True)}  # noqa: FBT003  # scipy's mark


def _text(lines: Any) -> bytes:
    for number, line in enumerate(lines):
        if not isinstance(line, str) or "\n" in line:
            raise DataError(f"line {number} is {line!r:.80}: give a str without a line break.")
    try:
        return "".join(f"{line}\n" for line in lines).encode()
    except UnicodeEncodeError as error:
        raise DataError(f"a line cannot be written in UTF-8: {error}") from error
