"""Rows of a shard, chosen at random and told by a few numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from wrenml.errors import DataError

__all__ = ["Choice", "chosen", "dealt"]

_MOST_ROWS: Final = 10**9  # numpy's


@dataclass(frozen=True, slots=True)
class Choice:
    """Some of a shard's rows.

    Parameters
    ----------
    seed : tuple of int
        Of the order in which rows are drawn.
    start, stop : int
        Which of those drawn.
    """

    seed: tuple[int, ...]
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def chosen(rows: int, choices: Sequence[Choice]) -> Any:
    """Return the numbers of the rows that are left when each choice takes of what the one before has left.

    Parameters
    ----------
    rows : int
        How many there are.
    choices : sequence of Choice
        In turn.

    Returns
    -------
    ndarray of int64
        Rising.
    """
    left = np.arange(rows)
    for choice in choices:
        order = np.random.default_rng(choice.seed).permutation(len(left))
        left = left[np.sort(order[choice.start : choice.stop])]
    return left


def dealt(sizes: Sequence[int], totals: Sequence[int], random: np.random.Generator) -> Any:
    """Draw how many rows each shard gives to each part, as if all rows had been shuffled together.

    Parameters
    ----------
    sizes : sequence of int
        Rows of each shard.
    totals : sequence of int
        Rows of each part; together no more than there are.
    random : Generator
        Draws.

    Returns
    -------
    ndarray of shape (n_parts, n_shards), int64
        Its rows sum to `totals`.

    Raises
    ------
    DataError
        There are 10⁹ rows or more.
    """
    left = np.asarray(sizes, dtype=np.int64)
    if left.sum() >= _MOST_ROWS:
        raise DataError(
            f"{int(left.sum()):,} rows are too many to draw from; up to {_MOST_ROWS - 1:,} are possible. Draw within "
            "shards: map()."
        )
    counts = []
    for total in totals:
        counts.append(random.multivariate_hypergeometric(left, total, method="marginals"))
        left = left - counts[-1]
    return np.asarray(counts)
