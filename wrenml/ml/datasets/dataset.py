"""Data sets in shards.

::

    from_arrays, from_libsvm, from_lines ──▶ <url>/00000-….npz, 00001-….npz, …, manifest.json
                                                   │ read where it is needed, its digest compared
    for X, y in dataset ◀── a shard, and the next ─┤
    dataset.map(fn) ──▶ workers: fn(X, y) ◀────────┤
    dataset.transform(fn, url) ──▶ workers ◀───────┘──▶ <url of another one>/…
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from wrenml.errors import KeyNotFoundError
from wrenml.ml.datasets.files import Paths, paths_of
from wrenml.ml.datasets.libsvm import Libsvm, parsed
from wrenml.ml.datasets.lines import Lines, cut_lines
from wrenml.ml.datasets.making import check_size, made, slices
from wrenml.ml.datasets.manifest import MANIFEST, Manifest
from wrenml.ml.datasets.places import Place, opened, url_of
from wrenml.ml.datasets.remote import OnWorkers
from wrenml.ml.datasets.writing import check_free

__all__ = ["ShardedDataset"]


class ShardedDataset(OnWorkers):
    """Rows in shards below a URL, larger than memory if need be.

    Make one with `open` or one of the ``from_`` functions. It pickles as what its manifest says: workers that can read
    the URL can read the rows.
    """

    @classmethod
    def open(cls, url: Place) -> Self:
        """Open a data set.

        Parameters
        ----------
        url : str or path
            A local directory, or the URL of a storage: ``s3://bucket/prefix``.

        Raises
        ------
        KeyNotFoundError
            There is none.
        DataError
            What is there is none.
        VersionMismatchError
            A newer wrenml wrote it.
        """
        place = url_of(url)
        try:
            data = opened(place).get(MANIFEST)
        except KeyNotFoundError as error:
            raise KeyNotFoundError(
                f"there is no data set at {place}: {MANIFEST} is missing. Its writer writes it last; if that was ended "
                "before, write the data set again."
            ) from error
        return cls(place, Manifest.from_json(bytes(data), place))

    @classmethod
    def from_shards(cls, shards: Iterable[Any], *, url: Place, overwrite: bool = False) -> Self:
        """Write shards as they come; one at a time is in memory.

        Parameters
        ----------
        shards : iterable of (X, y), or of X
            Rows as in `from_arrays`, or lists of str. Those without rows are left out.
        url : str or path
            Where: a local directory, or the URL of a storage.
        overwrite : bool, default False
            Replace the data set that is there.

        Raises
        ------
        ConfigError
            There is a data set already.
        DataError
            A shard cannot be one, or is not like the first; the message names it.
        """
        place = url_of(url)
        return cls(place, made(place, shards, overwrite=overwrite))

    @classmethod
    def from_arrays(
        cls, X: Any, y: Any = None, *, url: Place, rows_per_shard: int | None = None, overwrite: bool = False
    ) -> Self:
        """Write rows.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, n_features)
            Features, real numbers; NaN is kept. Sparse matrices are written as CSR. An array that is mapped from a file
            is read shard by shard.
        y : array of shape (n,) or (n, n_outputs), optional
            Labels: numbers, truth values or strings.
        url : str or path
            Where: a local directory, or the URL of a storage.
        rows_per_shard : int, optional
            Default: as many as make 16 MB.
        overwrite : bool, default False
            Replace the data set that is there.

        Raises
        ------
        ConfigError
            There is a data set already, or `rows_per_shard` is not 1 or more.
        DataError
            These are no rows of numbers, or there is not a label for each.
        """
        return cls.from_shards(slices(X, y, rows_per_shard), url=url, overwrite=overwrite)

    @classmethod
    def from_libsvm(
        cls,
        paths: Paths,
        url: Place,
        *,
        rows_per_shard: int = 50_000,
        n_features: int | None = None,
        zero_based: bool | str = "auto",
        dtype: Any = np.float64,
        overwrite: bool = False,
    ) -> Self:
        """Write the rows of files in libsvm's format; a shard at a time is in memory.

        The rows are those of `sklearn.datasets.load_svmlight_file`.

        Parameters
        ----------
        paths : path or iterable of paths
            Files, also compressed: ``.gz``, ``.bz2``, ``.xz``. Several are read as one.
        url : str or path
            Where: a local directory, or the URL of a storage.
        rows_per_shard : int, default 50,000
            Rows of a shard.
        n_features : int, optional
            Default: up to the largest index; to find it, the files are read twice.
        zero_based : bool or "auto", default "auto"
            Whether the first column is 0, not 1. "auto": 1 if no index is 0; the files are read twice.
        dtype : dtype, default float64
            Of the features.
        overwrite : bool, default False
            Replace the data set that is there.

        Raises
        ------
        ConfigError
            There is a data set already, or a parameter cannot be meant.
        DataError
            A line is malformed: the message names file and line, and says what was expected.
        OSError
            A file cannot be opened.
        """
        check_size("rows_per_shard", rows_per_shard)
        check_size("n_features", n_features)
        files = paths_of(paths)
        place = url_of(url)
        check_free(place, overwrite=overwrite)
        form = Libsvm.of(files, n_features=n_features, zero_based=zero_based)
        return cls.from_shards(parsed(files, form, rows_per_shard, dtype), url=place, overwrite=overwrite)

    @classmethod
    def from_lines(
        cls,
        lines: Lines,
        url: Place,
        *,
        lines_per_shard: int = 10_000,
        labels: Iterable[Any] | None = None,
        overwrite: bool = False,
    ) -> Self:
        """Write text, a document a line; a shard at a time is in memory.

        Parameters
        ----------
        lines : path, or iterable of paths or of lines
            A str alone is a path, a str among others is a line, and a `pathlib.Path` is always a file: UTF-8, also
            compressed: ``.gz``, ``.bz2``, ``.xz``.
        url : str or path
            Where: a local directory, or the URL of a storage.
        lines_per_shard : int, default 10,000
            Lines of a shard.
        labels : iterable, optional
            One for each line: numbers, truth values or strings.
        overwrite : bool, default False
            Replace the data set that is there.

        Raises
        ------
        ConfigError
            There is a data set already, or `lines_per_shard` is not 1 or more.
        DataError
            There are not as many labels as lines, a line has a line break, or a file is not UTF-8.
        OSError
            A file cannot be opened.
        """
        check_size("lines_per_shard", lines_per_shard)
        return cls.from_shards(cut_lines(lines, labels, lines_per_shard), url=url, overwrite=overwrite)
