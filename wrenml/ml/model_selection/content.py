"""Texts and frames, pickled as buffers: these are stored once by content, as arrays are."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

__all__ = ["as_content"]


def as_content(data: Any) -> Any:
    """Return data such that its pickle is made of buffers; unpickled, it is the data itself.

    Parameters
    ----------
    data : object
        Arrays and sparse matrices are buffers already, and returned as they are; so is what cannot be told to be made
        of atoms only.
    """
    if isinstance(data, list | tuple):
        return _Content(data) if data and all(type(part) in (str, bytes) for part in data) else data
    if type(data).__module__.startswith("pandas.") and hasattr(data, "iloc"):
        kinds = data.dtypes if data.ndim > 1 else [data.dtype]
        return data if any(str(kind) == "object" for kind in kinds) else _Content(data)
    return data


class _Content:
    def __init__(self, data: Any) -> None:
        self._data = data

    def __reduce__(self) -> tuple[Any, ...]:
        buffers: list[pickle.PickleBuffer] = []
        stream = pickle.dumps(self._data, 5, buffer_callback=buffers.append)
        return _restored, tuple(np.frombuffer(each, dtype=np.uint8) for each in (stream, *(b.raw() for b in buffers)))


def _restored(stream: Any, *buffers: Any) -> Any:
    return pickle.loads(memoryview(stream), buffers=buffers)
