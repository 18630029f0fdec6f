"""What a search is given: rows and labels, or a data set in shards that brings both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.utils import indexable

from wrenml.ml.datasets import ShardedDataset
from wrenml.ml.model_selection.content import as_content

__all__ = ["given"]


def given(X: Any, y: Any) -> tuple[Any, Any, tuple[Any, Any]]:
    """Return rows and labels, and what stands for the two on their way to workers.

    Parameters
    ----------
    X : data of shape (n_samples, n_features), or ShardedDataset
        A data set is read here, as splits and the refit need it, and by each worker from where it lies.
    y : data of shape (n_samples,) or (n_samples, n_outputs), optional
        Targets; a data set brings its own.

    Raises
    ------
    ValueError
        If targets are given beside a data set, or X and y differ in length.
    """
    if not isinstance(X, ShardedDataset):
        X, y = indexable(X, y)
        return X, y, (as_content(X), as_content(y))
    if y is not None:
        raise ValueError("a data set brings its own labels: leave y out")
    whole = _Whole(X)
    return *X.to_arrays(), (_Part(whole, 0), _Part(whole, 1))


class _Whole:
    """A data set that is all of its rows when it is unpickled."""

    def __init__(self, dataset: ShardedDataset) -> None:
        self._dataset = dataset

    def __reduce__(self) -> tuple[Callable[..., tuple[Any, Any]], tuple[ShardedDataset]]:
        return ShardedDataset.to_arrays, (self._dataset,)


class _Part:
    """The rows or the labels of a data set when it is unpickled; the two are read together."""

    def __init__(self, whole: _Whole, place: int) -> None:
        self._whole = whole
        self._place = place

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[_Whole, int]]:
        return _part, (self._whole, self._place)


def _part(whole: tuple[Any, Any], place: int) -> Any:
    return whole[place]
