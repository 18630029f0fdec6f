"""Shards of a data set, read and checked where they are used."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from scipy import sparse

from wrenml.errors import AccessDeniedError, DataError, KeyNotFoundError
from wrenml.ml.datasets.archive import array_in, arrays_in
from wrenml.ml.datasets.digests import Digests, identity_of
from wrenml.ml.datasets.manifest import Record, Stored
from wrenml.ml.datasets.places import opened, path_of
from wrenml.ml.datasets.selection import Choice, chosen

__all__ = ["DatasetShard"]

_DIGESTS: Final = Digests()


@dataclass(frozen=True, slots=True)
class DatasetShard:
    """A shard, or some of its rows: a few hundred bytes that travel, and read the rows where they are needed.

    Parameters
    ----------
    url : str
        Of the data set.
    number : int
        Of the shard in it.
    kind : str
        ``"dense"``, ``"sparse"`` or ``"lines"``.
    record : Record
        What the manifest says about it.
    choices : tuple of Choice
        Which rows. Default: all.
    """

    url: str
    number: int
    kind: str
    record: Record
    choices: tuple[Choice, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows are meant."""
        return len(self.choices[-1]) if self.choices else self.record.rows

    @property
    def nbytes(self) -> int:
        """How many bytes the whole shard has, as it is stored."""
        return self.record.size

    def load(self) -> tuple[Any, Any]:
        """Read the rows.

        A file of this machine is mapped, not read: what is written to the arrays stays in this process. Its digest is
        checked once, and again when the file has changed.

        Returns
        -------
        X : ndarray or csr matrix of shape (n, n_features), or list of str
            Features or lines.
        y : ndarray of shape (n,), or None
            Labels.

        Raises
        ------
        KeyNotFoundError
            The shard is not there.
        AccessDeniedError
            It may not be read; where listing is not allowed, S3 says so of a shard that is not there, too.
        DataError
            It is not what was written.
        """
        whole = self._whole()
        if not self.choices:
            return whole
        rows = chosen(self.record.rows, self.choices)
        X, y = whole
        X = [X[row] for row in rows] if self.kind == "lines" else X[rows]
        return X, None if y is None else y[rows]

    def check(self) -> None:
        """Read all of it and compare rows and digests, also of what was checked before.

        Raises
        ------
        KeyNotFoundError
            The shard is not there.
        AccessDeniedError
            It may not be read; where listing is not allowed, S3 says so of a shard that is not there, too.
        DataError
            It is not what was written.
        """
        X, _ = self._whole(anew=True)
        found = len(X) if self.kind == "lines" else X.shape[0]
        if found != self.record.rows:
            raise DataError(
                f"shard {self.number}, {self.url}, has {found:,} rows, and the manifest says {self.record.rows:,}: "
                "write the data set again."
            )

    def _whole(self, *, anew: bool = False) -> tuple[Any, Any]:
        first, *others = [self._checked(file, anew=anew) for file in self.record.files]
        if self.kind == "lines":
            return str(first, "utf-8").split("\n")[:-1], array_in(others[0]) if others else None
        arrays = arrays_in(first)
        if self.kind == "dense":
            return arrays["X"], arrays.get("y")
        kind = sparse.csr_array if "_is_array" in arrays else sparse.csr_matrix
        parts = (arrays["data"], arrays["indices"], arrays["indptr"])
        return kind(parts, shape=tuple(arrays["shape"].tolist())), arrays.get("y")

    def _checked(self, file: Stored, *, anew: bool) -> memoryview:
        path = None if anew else path_of(self.url, file.name)
        identity = None if path is None else identity_of(path)
        data = self._bytes(file)
        self._compare(file, sha256(data).hexdigest() if identity is None else _DIGESTS.digest(identity, data))
        # Small ones come as bytes, which arrays could not be written to.
        return data if not data.readonly else memoryview(bytearray(data))

    def _bytes(self, file: Stored) -> memoryview:
        try:
            data = memoryview(opened(self.url).get(file.name))
        except KeyNotFoundError as error:
            raise KeyNotFoundError(
                f"shard {self.number} is missing: {self.url}/{file.name}. It was deleted, or the data set was written "
                "again meanwhile: open it again, or write it again."
            ) from error
        except AccessDeniedError as error:
            raise type(error)(
                f"shard {self.number} cannot be read: {error} Workers on AWS may read what `wrenml deploy --read "
                f"{self.url}` grants."
            ) from error
        if data.nbytes != file.size:
            raise DataError(
                f"shard {self.number}, {self.url}/{file.name}, has {data.nbytes:,} bytes instead of {file.size:,}: it "
                "was truncated or changed. Write the data set again."
            )
        return data

    def _compare(self, file: Stored, digest: str) -> None:
        if digest != file.sha256:
            raise DataError(
                f"shard {self.number}, {self.url}/{file.name}, was changed after it was written: its SHA-256 is "
                f"{digest} instead of {file.sha256}. Write the data set again."
            )
