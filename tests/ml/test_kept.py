"""Rows that are kept: read side by side, the last of a key last."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import wrenml
from wrenml.ml.kept import Rows


class Far:
    """A storage whose objects are read two at a time or not at all."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._both = threading.Barrier(2)

    def list(self, prefix: str) -> Any:
        return self._storage.list(prefix)

    def get(self, key: str) -> Any:
        self._both.wait(10)
        return self._storage.get(key)


def test_objects_are_read_side_by_side_and_in_order(inline: wrenml.Executor) -> None:
    rows = Rows(inline, "kept/here/", "rows", width=2)
    for number in range(8):
        rows.add(["key", number], seconds=0)
        rows.write()
    far: Any = SimpleNamespace(storage=Far(inline.storage))
    assert list(Rows(far, "kept/here/", "rows", width=2).read()) == [["key", number] for number in range(8)]
