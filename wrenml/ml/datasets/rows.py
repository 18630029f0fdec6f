"""Rows of a data set in this process, and some of them at random."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from scipy import sparse

from wrenml.errors import ConfigError
from wrenml.ml.datasets.described import Described
from wrenml.ml.datasets.selection import Choice, dealt
from wrenml.ml.datasets.streaming import streamed

__all__ = ["Rows"]

_SEEDS = 2**31 - 1


class Rows(Described):
    """Rows read here, one shard after another or all together."""

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return self.stream()

    def stream(self, *, prefetch: int = 1) -> Iterator[tuple[Any, Any]]:
        """Yield each shard's rows and labels, the next shards read meanwhile by a thread.

        Parameters
        ----------
        prefetch : int, default 1
            How many shards are read ahead, at most.

        Yields
        ------
        X : ndarray or csr matrix of shape (n, n_features), or list of str
            Features or lines.
        y : ndarray of shape (n,), or None
            Labels.
        """
        if prefetch < 0:
            raise ConfigError(f"prefetch={prefetch!r}: give 0 or more")
        return streamed(self.shards, prefetch)

    def to_arrays(self) -> tuple[Any, Any]:
        """Read all rows into memory; return features, or a list of lines, and labels or None."""
        if self.kind == "dense":
            X, filled = np.empty((self.n_samples, self.n_features or 0), dtype=self.dtype), 0
            labels: list[Any] = []
            for rows, y in self:
                X[filled : filled + len(rows)] = rows
                filled += len(rows)
                labels.append(y if y is None else y.copy())
            return X, np.concatenate(labels) if self.has_labels else None
        parts, every = zip(*self, strict=True)
        whole = (
            [line for part in parts for line in part] if self.kind == "lines" else sparse.vstack(parts, format="csr")
        )
        return whole, np.concatenate(every) if self.has_labels else None

    def sample(self, n: int, *, random_state: Any = None) -> Self:
        """Draw rows without replacement, each as likely as any other.

        Parameters
        ----------
        n : int
            Exactly so many.
        random_state : int, RandomState instance, optional
            Seed. Default: another one each time.

        Returns
        -------
        ShardedDataset
            A view: the rows stay where they are, and keep their order.

        Raises
        ------
        ConfigError
            There are not so many rows.
        """
        if not 1 <= n <= self.n_samples:
            raise ConfigError(f"n={n!r}: give 1 to {self.n_samples:,}, the number of rows")
        return self._parts([int(n)], random_state)[0]

    def split(
        self, test_size: float | Sequence[float] | np.ndarray[Any, Any] = 0.25, *, random_state: Any = None
    ) -> tuple[Self, ...]:
        """Divide the rows at random, as if all had been shuffled together.

        Parameters
        ----------
        test_size : int, float, or sequence or array of float, default 0.25
            How many rows the second of two parts has, or their share of all. Several numbers are the shares of as many
            parts; together 1 at most.
        random_state : int, RandomState instance, optional
            Seed. Default: another one each time.

        Returns
        -------
        tuple of ShardedDataset
            Training and test rows, or one for each share. Views: the rows stay where they are, and keep their order.

        Raises
        ------
        ConfigError
            A part would have no rows.
        """
        count = self.n_samples
        if isinstance(test_size, Sequence | np.ndarray):
            ends = [round(count * share) for share in np.cumsum([0, *test_size])]
            totals = [stop - start for start, stop in itertools.pairwise(ends)]
        else:
            test = int(test_size) if test_size >= 1 else math.ceil(count * test_size)
            totals = [count - test, test]
        if min(totals, default=0) < 1 or sum(totals) > count:
            raise ConfigError(f"test_size={test_size!r} of {count:,} rows: each part needs at least one")
        return tuple(self._parts(totals, random_state))

    def _parts(self, totals: Sequence[int], random_state: Any) -> list[Self]:
        from sklearn.utils import check_random_state  # noqa: PLC0415 - takes two seconds, and workers need none of it

        seed = int(check_random_state(random_state).randint(_SEEDS))
        sizes = [
            len(choices[-1]) if choices else record.rows
            for record, choices in zip(self._manifest.shards, self._choices, strict=True)
        ]
        # Each draw has a seed of its own, also from a part that the same number has drawn.
        depth = max(map(len, self._choices), default=0)
        counts = dealt(sizes, totals, np.random.default_rng([seed, 0, depth, 1]))
        stops = np.cumsum(counts, axis=0)
        return [
            type(self)(
                self._url,
                self._manifest,
                [
                    (*choices, Choice((seed, number, depth), int(stop - count), int(stop)))
                    for number, (choices, count, stop) in enumerate(zip(self._choices, part, ends, strict=True))
                ],
            )
            for part, ends in zip(counts, stops, strict=True)
        ]
