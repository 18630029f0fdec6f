"""Rows found before: kept in an executor's storage under a name, by the content of all they depend on.

::

    <prefix>/<time>-<random>.json      [[key, …], …]

Entries are JSON: reading them runs nothing, and any number of processes may write at once.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from wrenml import Options
from wrenml.digest import argument_digest
from wrenml.errors import KeyNotFoundError, SerializationError, StorageError
from wrenml.executor import Executor

__all__ = ["Rows", "content_of", "safe_name"]

_log = logging.getLogger("wrenml")

_READERS: Final = 16  # requests at a time
_EVERY: Final = 0.5  # seconds between writes while rows come in
_WORTH: Final = 1.0  # seconds of work that are not left unwritten until another row comes


class Rows:
    """The rows under a prefix, those there are and those that come.

    Parameters
    ----------
    executor : Executor
        In whose storage they are.
    prefix : str
        Of their keys, with a slash at its end.
    what : str
        What they are, for messages.
    width : int
        How many fields a row has, its key included.
    """

    def __init__(self, executor: Executor, prefix: str, what: str, width: int) -> None:
        self._storage = executor.storage
        self._prefix = prefix
        self._what = what
        self._width = width
        self._new: list[list[Any]] = []
        self._written = time.monotonic()
        self._worth = 0.0

    def read(self) -> Iterator[list[Any]]:
        """Iterate over the rows that there are; of several with a key the last counts."""
        keys = list(self._storage.list(self._prefix))
        with ThreadPoolExecutor(_READERS) as pool:  # a request takes long where storage is far away
            for rows in pool.map(self._rows_of, keys):
                yield from rows

    def _rows_of(self, key: str) -> list[list[Any]]:
        try:
            return self._checked(json.loads(bytes(self._storage.get(key))))
        except (ValueError, KeyNotFoundError):
            _log.warning("wrenml: %s does not hold %s, or not whole; it was not used", key, self._what)
            return []

    def _checked(self, rows: Any) -> list[list[Any]]:
        if isinstance(rows, list) and all(isinstance(row, list) and len(row) == self._width for row in rows):
            return rows
        raise ValueError(f"rows of {self._width} fields were expected")

    def add(self, row: list[Any], seconds: float) -> None:
        """Add a row, to be written soon, that took so many seconds to make."""
        self._new.append(row)
        self._worth += seconds
        if self._worth > _WORTH or time.monotonic() - self._written > _EVERY:
            self.write()

    def write(self) -> None:
        """Write the rows that are not written yet."""
        if not self._new:
            return
        self._written, self._worth = time.monotonic(), 0.0
        key = f"{self._prefix}{time.time_ns()}-{secrets.token_hex(4)}.json"
        try:
            self._storage.put(key, json.dumps(self._new).encode())
        except StorageError as error:
            _log.warning("wrenml: %s cannot be kept under %s: %s", self._what, key, error)
        else:
            self._new = []


def safe_name(name: Any) -> str:
    """Return the name of a cache, as a map would take it.

    Raises
    ------
    ConfigError
        If it can be none.
    """
    return str(Options(cache=name).cache)


def content_of(value: Any, whose: str) -> str:
    """Digest a value; whatever equals it has the same digest in any process.

    Raises
    ------
    SerializationError
        If it cannot be told from another; `whose` says what depends on it.
    """
    try:
        return argument_digest(value)
    except SerializationError as error:
        raise SerializationError(f"cache= needs to tell what {whose} depends on from anything else: {error}") from error
