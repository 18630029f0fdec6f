"""What is known of a data set without reading its rows."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np

from wrenml.ml.datasets.manifest import Manifest
from wrenml.ml.datasets.places import opened
from wrenml.ml.datasets.selection import Choice
from wrenml.ml.datasets.shards import DatasetShard

__all__ = ["Described"]


class Described:
    """A manifest, and which rows of each shard are meant.

    Parameters
    ----------
    url : str
        Where it lies.
    manifest : Manifest
        What it holds.
    choices : sequence of tuple of Choice, optional
        Of each shard. Default: all rows.
    """

    def __init__(self, url: str, manifest: Manifest, choices: Sequence[tuple[Choice, ...]] | None = None) -> None:
        self._url = url
        self._manifest = manifest
        self._choices = tuple(choices or ((),) * len(manifest.shards))
        self._storage = opened(url)  # a memory storage lasts as long as somebody holds it

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._url, self._manifest, self._choices)

    @property
    def url(self) -> str:
        """Where it lies."""
        return self._url

    @property
    def kind(self) -> str:
        """``"dense"``, ``"sparse"`` or ``"lines"``."""
        return self._manifest.kind

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Of the features; None for lines."""
        return None if self._manifest.dtype is None else np.dtype(self._manifest.dtype)

    @property
    def n_features(self) -> int | None:
        """How many features a row has; None for lines."""
        return self._manifest.n_features

    @property
    def has_labels(self) -> bool:
        """Whether rows have labels."""
        return self._manifest.labels is not None

    @property
    def classes(self) -> Any:
        """Ndarray of distinct labels, sorted, of all rows that were written.

        None if there are no labels, more than a thousand different ones, or several for a row.
        """
        if self._manifest.classes is None:
            return None
        return np.asarray(self._manifest.classes, dtype=self._manifest.labels)

    @property
    def shards(self) -> tuple[DatasetShard, ...]:
        """The shards that have rows, in order."""
        manifest = self._manifest
        shards = (
            DatasetShard(self._url, number, manifest.kind, record, choices)
            for number, (record, choices) in enumerate(zip(manifest.shards, self._choices, strict=True))
        )
        return tuple(shard for shard in shards if shard.rows)

    @property
    def n_samples(self) -> int:
        """How many rows it has."""
        return sum(shard.rows for shard in self.shards)

    @property
    def nbytes(self) -> int:
        """How many bytes its shards have, as they are stored."""
        return sum(shard.nbytes for shard in self.shards)

    @property
    def digest(self) -> str:
        """SHA-256 of the rows and their order, wherever they lie."""
        whole = self._manifest.digest
        return sha256(f"{whole}{self._choices}".encode()).hexdigest() if any(self._choices) else whole

    def __len__(self) -> int:
        return len(self.shards)

    def __repr__(self) -> str:
        width = "" if self.n_features is None else f" of {self.n_features:,} features"
        return f"<{self.kind} data set: {self.n_samples:,} rows{width} in {len(self)} shards, {self._url}>"
