"""What is said of shards that users give, in the same words wherever they are learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = [
    "check_columns",
    "check_some",
    "check_width",
    "columns_of",
    "common_width",
    "forget_names",
    "given_parts",
    "in_shard",
    "is_dataset",
    "taken",
]


def check_some(shards: Sequence[Any]) -> None:
    """Refuse no shards.

    Raises
    ------
    ValueError
        If there are none.
    """
    if not shards:
        raise ValueError("there are no shards: give at least one")


def check_width(number: int, width: int, first: int) -> None:
    """Refuse a shard with other features than the first.

    Raises
    ------
    ValueError
        With the shard's number.
    """
    if width != first:
        raise ValueError(f"shard {number}: X has {width} features, but shard 0 has {first} features")


def columns_of(X: Any) -> list[Any]:
    """Return the names of a frame's columns; none for anything else."""
    return list(getattr(X, "columns", ()))


def check_columns(number: int, columns: Sequence[Any], first: Sequence[Any]) -> None:
    """Refuse a frame with other columns than the first shard, or in another order; only frames have names to compare.

    Raises
    ------
    ValueError
        With the shard's number.
    """
    if columns and first and columns != first:
        raise ValueError(f"shard {number}: its columns are not those of shard 0, or in another order")


def common_width(widths: Sequence[int]) -> int:
    """Return how many features all shards have.

    Raises
    ------
    ValueError
        If there are no shards; or one has other features than the first, which is said with its number.
    """
    check_some(widths)
    for number, width in enumerate(widths):
        check_width(number, width, widths[0])
    return widths[0]


def forget_names(estimator: Any) -> None:
    """Forget the names of columns that an estimator was fitted with before: shards have none."""
    vars(estimator).pop("feature_names_in_", None)


@contextmanager
def in_shard(number: int | None) -> Iterator[None]:
    """Say of which shard it is that a `ValueError` speaks; None where rows are no shard of the user's.

    Raises
    ------
    ValueError
        What the context raises, with the number before it.
    """
    try:
        yield
    except ValueError as error:
        if number is None:
            raise
        raise ValueError(f"shard {number}: {error}") from error


def given_parts(number: int, given: Any) -> Sequence[Any]:
    """Return X, y and, if there are any, the weights of a shard that is given.

    Raises
    ------
    ValueError
        If it is something else, such as rows alone; with the shard's number.
    """
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        raise ValueError(f"shard {number} is {type(given).__name__}: give (X, y) or (X, y, sample_weight)")
    return given


def is_dataset(given: Any) -> bool:
    """Whether that is a data set in shards: a frame may have a column of that name, too."""
    return hasattr(given, "shards") and not hasattr(given, "shape")


def taken(given: Any) -> Any:
    """Return a shard in a worker: a handle is loaded here, anything else is what was put."""
    return given.load() if hasattr(given, "load") else given
