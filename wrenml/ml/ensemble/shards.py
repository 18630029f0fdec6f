"""Data in shards: what users give, as what workers load."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from wrenml.executor import Executor
from wrenml.ml.model_selection.content import as_content

__all__ = ["check_width", "loaded", "naming", "parts_of"]


def parts_of(shards: Iterable[Any], executor: Executor) -> list[Any]:
    """Return shards as what workers load, each on its own.

    Parameters
    ----------
    shards : ShardedDataset, or iterable of DatasetShard, (X, y) or (X, y, sample_weight)
        Data is taken and stored one shard at a time, unless it is stored already; shards of a data set are read by the
        workers only.
    executor : Executor
        Where to put data.

    Raises
    ------
    ValueError
        If there are none, or one is something else, which is said with its number.
    """
    parts = []
    for number, shard in enumerate(getattr(shards, "shards", shards)):
        if hasattr(shard, "load"):
            parts.append(shard)
        elif isinstance(shard, tuple | list) and len(shard) in (2, 3):
            parts.append(executor.put(tuple(map(as_content, shard))))
        else:
            raise ValueError(f"shard {number} is {type(shard).__name__}: give (X, y) or (X, y, sample_weight)")
    if not parts:
        raise ValueError("there are no shards: give at least one")
    return parts


def loaded(part: Any) -> tuple[Any, Any, Any]:
    """Return the features, labels and weights of a part: in a worker."""
    X, y, *rest = part.load() if hasattr(part, "load") else part
    return X, y, rest[0] if rest else None


@contextlib.contextmanager
def naming(number: int) -> Iterator[None]:
    """Have what is refused say which shard it was."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"shard {number}: {error}") from error


def check_width(number: int, width: int, first: int) -> None:
    """Refuse a shard with other features than the first, which is said with its number."""
    if width != first:
        raise ValueError(f"shard {number}: X has {width} features, but shard 0 has {first} features")
