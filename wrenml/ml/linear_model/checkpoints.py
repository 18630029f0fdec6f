"""Answers of rounds, kept in the executor's storage under what they depend on.

::

    checkpoints/<name>/<study>/<model>.npz

`study` digests the shards, the task and the versions of scikit-learn and numpy; `model` the model that was shown, and
the round's number where that counts. A fit is the same function of these answers each time it is run: one that was
killed finds those it had, and goes on with the first that is missing. Entries are plain arrays: reading them runs
nothing.
"""

from __future__ import annotations

import io
import logging
import zipfile
from hashlib import sha256
from typing import Any, Self

import numpy as np
import sklearn

from wrenml.digest import argument_digest
from wrenml.errors import KeyNotFoundError, StorageError
from wrenml.executor import Executor
from wrenml.ml.linear_model.gradients import Answer

__all__ = ["Checkpoint"]

_log = logging.getLogger("wrenml")

_DIGITS = 32  # of a digest, in keys

Kept = tuple[Answer, float, tuple[float, float, float, float]]
"""A joint answer, the round's seconds, and its time by phase."""


class Checkpoint:
    """The answers of one study, those there are and those that come.

    Parameters
    ----------
    storage : storage
        The executor's.
    prefix : str
        Of the keys.
    """

    def __init__(self, storage: Any, prefix: str) -> None:
        self._storage = storage
        self._prefix = prefix
        self._there = set(storage.list(prefix))

    @classmethod
    def of(cls, executor: Executor, name: str | None, *study: object) -> Self | None:
        """Return the checkpoint of that name, if there is one, for answers that depend on these values.

        Raises
        ------
        ValueError
            If keys cannot begin with the name.
        """
        if name is None:
            return None
        if not {"", ".", ".."}.isdisjoint(str(name).split("/")):
            raise ValueError(f"checkpoint={name!r}: give a name, such as 'clicks' or 'clicks/first'")
        versions = {"scikit-learn": sklearn.__version__, "numpy": np.__version__}
        return cls(executor.storage, f"checkpoints/{name}/{argument_digest([*study, versions])[:_DIGITS]}/")

    def find(self, vector: Any, number: int) -> Kept | None:
        """Return what was kept for a model, if anything was."""
        key = self._key(vector, number)
        if key not in self._there:
            return None
        try:
            with np.load(io.BytesIO(self._storage.get(key)), allow_pickle=False) as entry:
                loss, seconds, *phases = (float(each) for each in entry["numbers"])
                fetch, load, compute, send = phases
                return Answer(loss, entry["vector"]), seconds, (fetch, load, compute, send)
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile, KeyNotFoundError):
            _log.warning("wrenml: %s does not hold a round of learning, or not whole; it was not used", key)
            return None

    def keep(self, vector: Any, number: int, kept: Kept) -> None:
        """Keep what came of showing a model."""
        answer, seconds, phases = kept
        entry = io.BytesIO()
        np.savez(entry, vector=answer.vector, numbers=np.array([answer.loss, seconds, *phases]))
        key = self._key(vector, number)
        try:
            self._storage.put(key, entry.getvalue())
        except StorageError as error:
            _log.warning("wrenml: a round of learning cannot be kept under %s: %s", key, error)

    def _key(self, vector: Any, number: int) -> str:
        digest = sha256(f"{number} ".encode() + np.ascontiguousarray(vector).tobytes()).hexdigest()
        return f"{self._prefix}{digest[:_DIGITS]}.npz"
