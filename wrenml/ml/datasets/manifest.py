"""What a data set says about itself: `manifest.json`, written last."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final

import numpy as np

from wrenml.errors import DataError, VersionMismatchError

__all__ = ["MANIFEST", "Manifest", "Record", "Stored", "Written", "assembled", "classes_of"]

MANIFEST: Final = "manifest.json"
_KINDS: Final = ("dense", "sparse", "lines")

_FORMAT: Final = "wrenml data set"
_VERSION: Final = 1
_MOST_CLASSES: Final = 1000


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of a shard.

    Parameters
    ----------
    name : str
        Beside the manifest.
    size : int
        Bytes.
    sha256 : str
        Of its bytes, hexadecimal.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """A shard.

    Parameters
    ----------
    rows : int
        Rows or lines.
    nnz : int, optional
        Stored values of a sparse matrix.
    files : tuple of Stored
        One; lines with labels have two.
    """

    rows: int
    nnz: int | None
    files: tuple[Stored, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Written:
    """A shard that was written, and what is to be the same in all.

    Parameters
    ----------
    record : Record
        The shard.
    kind, dtype, n_features
        As in `Manifest`.
    labels : str, optional
        Type of the labels. Default: there are none.
    classes : ndarray, optional
        Distinct labels, sorted. Default: there are none, or too many.
    """

    record: Record
    kind: str
    dtype: str | None
    n_features: int | None
    labels: str | None
    classes: Any


@dataclass(frozen=True, slots=True)
class Manifest:
    """A data set.

    Parameters
    ----------
    kind : str
        ``"dense"``, ``"sparse"`` or ``"lines"``.
    dtype : str, optional
        Of the features; lines have none.
    n_features : int, optional
        Of each row; lines have none.
    labels : str, optional
        Type of the labels, such as ``"<i8"``. Default: there are none.
    classes : tuple, optional
        Distinct labels, sorted. Default: there are none, more than a thousand, or labels of several columns.
    shards : tuple of Record
        In order.
    """

    kind: str
    dtype: str | None
    n_features: int | None
    labels: str | None
    classes: tuple[Any, ...] | None
    shards: tuple[Record, ...]

    def to_json(self) -> bytes:
        """The manifest as a file; equal ones are equal bytes."""
        record = {"format": _FORMAT, "version": _VERSION, **asdict(self)}
        return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes, url: str) -> Manifest:
        """Read what `to_json` wrote.

        Raises
        ------
        DataError
            It is something else.
        VersionMismatchError
            A newer wrenml wrote it.
        """
        try:
            record = json.loads(data)
            format_, version = record.pop("format"), record.pop("version")
            if format_ == _FORMAT and version > _VERSION:
                raise VersionMismatchError(
                    f"the data set at {url} has format {version}, and this wrenml reads {_VERSION}: install a newer "
                    "wrenml, or write the data set again with this one."
                )
            record["shards"] = tuple(
                Record(one["rows"], one["nnz"], tuple(Stored(**file) for file in one["files"]))
                for one in record["shards"]
            )
            if record["classes"] is not None:
                record["classes"] = tuple(record["classes"])
            made = cls(**record)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, VersionMismatchError):
                raise
            raise DataError(
                f"{url}/{MANIFEST} is no manifest of a data set ({error!r}): name the folder of one."
            ) from error
        if format_ != _FORMAT or made.kind not in _KINDS or not made.shards:
            raise DataError(f"{url}/{MANIFEST} is no manifest of a data set: name the folder of one.")
        return made

    @property
    def names(self) -> frozenset[str]:
        """Of all files of all shards."""
        return frozenset(file.name for shard in self.shards for file in shard.files)

    @property
    def digest(self) -> str:
        """SHA-256 of what the data set is, wherever it lies."""
        return sha256(self.to_json()).hexdigest()


def assembled(written: Sequence[Written]) -> Manifest:
    """Put shards together.

    Raises
    ------
    DataError
        There are no rows, or a shard does not fit the first one; the message names it.
    """
    shards = [one for one in written if one.record.rows]
    if not shards:
        raise DataError("a data set needs at least one row, and none was given.")
    first = shards[0]
    for number, one in enumerate(written):
        if one.record.rows:
            _check_fits(number, one, first)
    labels = None if first.labels is None else np.result_type(*{np.dtype(one.labels) for one in shards}).str
    classes = None
    if all(one.classes is not None for one in shards):
        found = np.unique(np.concatenate([one.classes for one in shards]))
        classes = tuple(found.tolist()) if len(found) <= _MOST_CLASSES else None
    return Manifest(first.kind, first.dtype, first.n_features, labels, classes, tuple(one.record for one in shards))


def _check_fits(number: int, one: Written, first: Written) -> None:
    found, expected = _what(one), _what(first)
    if found != expected:
        raise DataError(f"shard {number}: {found}, but the first shard has {expected}: shards must be alike.")


def _what(one: Written) -> str:
    kind = None if one.labels is None else np.dtype(one.labels).kind
    labels = {None: "no labels", "U": "labels that are strings", "b": "labels that are truth values"}
    said = labels.get(kind, "labels that are numbers")
    if one.kind == "lines":
        return f"lines with {said}"
    return f"{one.n_features} {one.kind} features of {one.dtype} with {said}"


def classes_of(labels: Any) -> Any:
    """Return distinct labels, sorted; None if these are no classes."""
    if labels is None or labels.ndim != 1:
        return None
    found = np.unique(labels)
    if len(found) > _MOST_CLASSES or (found.dtype.kind == "f" and not np.isfinite(found).all()):
        return None
    return found
