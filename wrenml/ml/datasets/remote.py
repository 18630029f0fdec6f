"""Data sets on the workers of an executor: each reads its shards itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from wrenml import FutureList
from wrenml.errors import AccessDeniedError, ConfigError, DataError, KeyNotFoundError
from wrenml.executor import Executor
from wrenml.ml.choosing import chosen
from wrenml.ml.datasets.places import Place, opened, url_of
from wrenml.ml.datasets.rows import Rows
from wrenml.ml.datasets.shards import DatasetShard
from wrenml.ml.datasets.tasks import Applied, Transformed, shards_a_call
from wrenml.ml.datasets.writing import check_free, finish

__all__ = ["OnWorkers"]


class OnWorkers(Rows):
    """Rows read by workers, each a shard at a time."""

    def map(
        self, fn: Callable[..., Any], *extra: Any, executor: Executor | None = None, **options: Any
    ) -> FutureList[Any]:
        """Call ``fn(X, y, *extra)`` for each shard on a worker, which reads the shard itself.

        Parameters
        ----------
        fn : callable
            `y` is None where there are no labels. Arrays may be written to; that changes nothing that is stored.
        *extra : object
            Further arguments, the same for all shards; sent once.
        executor : Executor, optional
            Where. Default: `wrenml.default_executor`.
        **options
            See `wrenml.Options`. By default small shards share an invocation on AWS.

        Returns
        -------
        FutureList
            One future for each shard, in order.
        """
        return self._each(Applied(fn, extra), self.shards, executor, {"name": _name_of(fn), **options})

    def transform(
        self, fn: Callable[..., Any], url: Place, *extra: Any, executor: Executor | None = None, overwrite: bool = False
    ) -> Self:
        """Have workers write what a function makes of each shard as a new data set.

        Parameters
        ----------
        fn : callable
            ``fn(X, y, *extra)`` returns X, or X and y as a tuple; a shard that it leaves no rows of is left out.
        url : str or path
            Of the new data set; workers must be allowed to write there.
        *extra : object
            Further arguments, the same for all shards; sent once.
        executor : Executor, optional
            Where. Default: `wrenml.default_executor`.
        overwrite : bool, default False
            Replace the data set that is there.

        Raises
        ------
        ConfigError
            There is a data set already, or it is this one.
        DataError
            What becomes of a shard cannot be one, or is not like the first.
        BaseException
            What the function raised for the first shard that it raised for.
        """
        place = url_of(url)
        if place == self.url:
            raise ConfigError(f"{place} is the data set that is read: name another place.")
        check_free(place, overwrite=overwrite)
        opened(place)  # a wrong URL is told here
        items = list(enumerate(self.shards))
        futures = self._each(Transformed(fn, extra, place), items, executor, {"name": _name_of(fn)})
        return type(self)(place, finish(place, futures.results(), overwrite=overwrite))

    def labels(self, *, executor: Executor | None = None) -> Any:
        """All labels, ndarray of shape (n,); workers read the shards, and only labels travel.

        Raises
        ------
        DataError
            There are none.
        """
        if not self.has_labels:
            raise DataError(f"the rows of {self.url} have no labels.")
        return np.concatenate(self.map(_labels, executor=executor).results())

    def verify(self, *, executor: Executor | None = None) -> None:
        """Have workers read all shards and compare their sizes, rows and digests.

        Raises
        ------
        DataError
            A shard is missing, may not be read or was changed; the message names each such shard.
        """
        found = self._each(DatasetShard.check, self.shards, executor, {"name": "verify"}).results(errors="return")
        bad = [error for error in found if isinstance(error, BaseException)]
        for error in bad:
            if not isinstance(error, DataError | KeyNotFoundError | AccessDeniedError):
                raise error
        if bad:
            raise DataError(f"{len(bad)} of {len(self)} shards are damaged:\n" + "\n".join(map(str, bad)))

    def _each(
        self, task: Callable[..., Any], items: Sequence[Any], executor: Executor | None, options: dict[str, Any]
    ) -> FutureList[Any]:
        executor = chosen(executor)
        size = shards_a_call(self.shards, executor)
        return executor.map(task, items, **({"chunksize": size} | options))


def _name_of(fn: Callable[..., Any]) -> str:
    return str(getattr(fn, "__name__", type(fn).__name__))


def _labels(_: Any, y: Any) -> Any:
    return y
