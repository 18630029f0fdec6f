"""Shards from what users have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from scipy import sparse

from wrenml.errors import ConfigError, DataError
from wrenml.ml.datasets.manifest import Manifest, Written
from wrenml.ml.datasets.writing import check_free, discard, finish, pair_of, write_shard

__all__ = ["check_size", "made", "slices"]

_SHARD_BYTES: Final = 16 * 10**6


def made(url: str, shards: Iterable[Any], *, overwrite: bool) -> Manifest:
    """Write shards, one at a time, and the manifest.

    Parameters
    ----------
    url : str
        Where.
    shards : iterable of (X, y), or of X
        Rows.
    overwrite : bool
        Replace what is there.
    """
    check_free(url, overwrite=overwrite)
    written: list[Written] = []
    try:
        for number, shard in enumerate(shards):
            written.append(write_shard(url, number, *pair_of(number, shard)))
        return finish(url, written, overwrite=overwrite)
    except BaseException:
        discard(url, written)
        raise


def slices(X: Any, y: Any, rows: int | None) -> Iterator[tuple[Any, Any]]:
    """Cut rows into shards.

    Parameters
    ----------
    X : array or sparse matrix of shape (n, n_features)
        Features.
    y : array of shape (n,), optional
        Labels.
    rows : int, optional
        Of a shard. Default: as many as make 16 MB.
    """
    check_size("rows_per_shard", rows)
    X = X.tocsr() if sparse.issparse(X) else np.asanyarray(X)
    y = None if y is None else np.asarray(y)
    if X.ndim != 2:  # noqa: PLR2004  # rows and columns
        raise DataError(f"features have {X.ndim} dimensions: give rows and columns.")
    count = X.shape[0]
    if y is not None and len(y) != count:
        raise DataError(f"there are {count:,} rows and {len(y):,} labels: each row needs one.")
    size = (X.data.nbytes + X.indices.nbytes if sparse.issparse(X) else X.nbytes) / max(1, count)
    step = rows or max(1, int(_SHARD_BYTES / max(1, size)))
    return ((X[i : i + step], None if y is None else y[i : i + step]) for i in range(0, count, step))


def check_size(name: str, value: Any) -> None:
    """Refuse shards of less than a row, and numbers that count nothing."""
    if value is not None and (not isinstance(value, int | np.integer) or value < 1):
        raise ConfigError(f"{name}={value!r}: give a whole number, 1 or more")
