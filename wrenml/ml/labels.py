"""Labels of several parts of the data, together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["kind_of", "united"]


def kind_of(labels: Any) -> str:
    """Return of what kind labels are, whatever the dtype of their array: ``"text"``, ``"bytes"`` or ``"numbers"``."""
    first = labels[0] if len(labels) else None
    if labels.dtype.kind in "UT" or isinstance(first, str):
        return "text"
    return "bytes" if isinstance(first, bytes) else "numbers"


def united(found: Sequence[Any]) -> Any:
    """Return the labels that there are in shards, sorted.

    Parameters
    ----------
    found : sequence of ndarray
        The labels of each shard, all of one kind within it.

    Raises
    ------
    ValueError
        If a shard has labels of another kind than the first, which is said with its number: together all would be text.
    """
    first = kind_of(found[0])
    for number, labels in enumerate(found):
        kind = kind_of(labels)
        if kind != first:
            raise ValueError(f"shard {number}: its labels are {kind}, those of shard 0 {first}: give one type")
    return np.unique(np.concatenate(found))
