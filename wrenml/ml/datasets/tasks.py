"""What workers do with shards."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from wrenml.executor import Executor
from wrenml.ml.datasets.manifest import Written
from wrenml.ml.datasets.shards import DatasetShard
from wrenml.ml.datasets.writing import pair_of, write_shard

__all__ = ["Applied", "Transformed", "shards_a_call"]

_HERE: Final = ("inline", "local")
_WORTH: Final = 32 * 2**20  # bytes that a worker elsewhere should get to read


@dataclass(frozen=True, slots=True)
class Applied:
    """A function of a shard's rows, as a function of the shard.

    Parameters
    ----------
    fn : callable
        ``fn(X, y, *extra)``.
    extra : tuple
        Sent once.
    """

    fn: Callable[..., Any]
    extra: tuple[Any, ...]

    def __call__(self, shard: DatasetShard) -> Any:
        """Read the shard, and call the function."""
        return self.fn(*shard.load(), *self.extra)


@dataclass(frozen=True, slots=True)
class Transformed:
    """Writes what a function makes of a shard.

    Parameters
    ----------
    fn : callable
        ``fn(X, y, *extra)`` returns features, or features and labels.
    extra : tuple
        Sent once.
    url : str
        Of the data set that is written.
    """

    fn: Callable[..., Any]
    extra: tuple[Any, ...]
    url: str

    def __call__(self, item: tuple[int, DatasetShard]) -> Written:
        """Read a shard, and write what becomes of it under a number."""
        number, shard = item
        X, y = shard.load()
        return write_shard(self.url, number, *pair_of(number, self.fn(X, y, *self.extra), y))


def shards_a_call(shards: tuple[DatasetShard, ...], executor: Executor) -> int | None:
    """How many shards an invocation takes: one, unless they are so small that it would not be worth it."""
    session = executor.session
    if session.backend in _HERE:
        return None
    mean = sum(shard.nbytes for shard in shards) / max(1, len(shards))
    return max(1, min(int(_WORTH / max(mean, 1)), math.ceil(len(shards) / session.workers)))
