"""How much each shard's model counts in the mean of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

__all__ = ["MIXINGS", "shares_of"]

MIXINGS: Final = ("uniform", "samples", "errors")


def shares_of(mixing: str, sizes: Sequence[float], mistakes: Sequence[int]) -> Any:
    """Return each shard's share.

    Parameters
    ----------
    mixing : {"uniform", "samples", "errors"}
        The same for all, by size, or by mistakes made (McDonald, Hall and Mann 2010, section 4.2).
    sizes : sequence of float
        Of the shards: rows, or the sum of their weights.
    mistakes : sequence of int
        That each shard's model made while it learned.

    Returns
    -------
    ndarray of shape (n_shards,), float64
        They sum to 1. Where nothing distinguishes the shards all have the same.
    """
    amounts = {"uniform": np.ones(len(sizes)), "samples": sizes, "errors": mistakes}[mixing]
    shares = np.asarray(amounts, dtype=np.float64)
    total = shares.sum()
    return shares / total if total > 0 else np.full(len(sizes), 1 / len(sizes))
