"""Texts, lists, frames and splits, pickled as buffers: these are stored once by content, as arrays are."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from wrenml.ml.model_selection.indexing import as_indices

__all__ = ["as_content", "as_one"]

_ATOMS = frozenset({str, bytes, int, float, bool, type(None)})


def as_content(data: Any) -> Any:
    """Return data such that its pickle is made of buffers; unpickled, it is the data itself.

    Parameters
    ----------
    data : object
        Arrays and sparse matrices are buffers already, and returned as they are; so is what cannot be told to be made
        of atoms only.
    """
    if isinstance(data, list | tuple):
        return _Content(data) if data and all(map(_atomic, data)) else data
    if type(data).__module__.startswith("pandas.") and hasattr(data, "iloc"):
        kinds = data.dtypes if data.ndim > 1 else [data.dtype]
        return data if any(str(kind) == "object" for kind in kinds) else _Content(data)
    return data


def _atomic(part: object) -> bool:
    return type(part) in _ATOMS or (isinstance(part, list | tuple) and all(type(each) in _ATOMS for each in part))


class _Content:
    def __init__(self, data: Any) -> None:
        self._data = data

    def __reduce__(self) -> tuple[Any, ...]:
        buffers: list[pickle.PickleBuffer] = []
        parts: list[bytes | memoryview] = [pickle.dumps(self._data, 5, buffer_callback=buffers.append)]
        parts += [buffer.raw() for buffer in buffers]
        return _restored, tuple(np.frombuffer(part, dtype=np.uint8) for part in parts)


def _restored(stream: Any, *buffers: Any) -> Any:
    return pickle.loads(memoryview(stream), buffers=buffers)


def as_one(splits: Iterable[tuple[Any, Any]]) -> Sequence[tuple[Any, Any]]:
    """Return splits as a list whose pickle is one array: many small ones would be sent with each map.

    Parameters
    ----------
    splits : iterable of (indices, indices)
        Training and test rows, by number or as masks.
    """
    return _Splits((as_indices(train), as_indices(test)) for train, test in splits)


class _Splits(list[tuple[Any, Any]]):
    def __reduce__(self) -> tuple[Any, ...]:
        parts = [rows for pair in self for rows in pair]
        kinds = {rows.dtype for rows in parts}
        if len(kinds) != 1 or any(rows.ndim != 1 for rows in parts):
            return list, (list(self),)
        whole = np.concatenate(parts)
        kind = whole.dtype
        if kind.kind == "i" and whole.size and whole.min() >= 0:
            whole = whole.astype(np.min_scalar_type(whole.max()))
        return _divided, (whole, kind, [len(rows) for rows in parts])


def _divided(whole: Any, kind: np.dtype[Any], lengths: list[int]) -> list[tuple[Any, Any]]:
    parts = iter(np.split(whole.astype(kind), np.cumsum(lengths)[:-1]))
    return list(zip(parts, parts, strict=True))
