"""Shards one after another, the next ones read meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from wrenml.ml.datasets.shards import DatasetShard

__all__ = ["streamed"]

Rows = tuple[Any, Any]


def streamed(shards: Iterable[DatasetShard], prefetch: int) -> Iterator[Rows]:
    """Yield shards' rows in order, at most `prefetch` of them read ahead by a thread."""
    if not prefetch:
        yield from (shard.load() for shard in shards)
        return
    pool = ThreadPoolExecutor(1, thread_name_prefix="wrenml-prefetch")
    waiting: deque[Future[Rows]] = deque()
    try:
        for shard in shards:
            waiting.append(pool.submit(shard.load))
            if len(waiting) > prefetch:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
