"""Data in shards: what users give, as what workers load."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from wrenml.executor import Executor
from wrenml.ml.model_selection.content import as_content
from wrenml.ml.shards import check_some, given_parts, in_shard, is_dataset, taken

__all__ = ["loaded", "parts_of"]


def parts_of(shards: Any, executor: Executor) -> list[Any]:
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
    for number, shard in enumerate(shards.shards if is_dataset(shards) else shards):
        if hasattr(shard, "load"):
            parts.append(shard)
        else:
            parts.append(executor.put(tuple(map(as_content, given_parts(number, shard)))))
    check_some(parts)
    return parts


@contextlib.contextmanager
def loaded(number: int, part: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Load the features, labels and weights of a part, in a worker; what is refused meanwhile says which shard it was.

    Raises
    ------
    ValueError
        If there are no labels; or what the context raises, with the number before it.
    """
    X, y, *rest = taken(part)
    with in_shard(number):
        if y is None:
            raise ValueError("its rows have no labels")
        yield X, y, rest[0] if rest else None
