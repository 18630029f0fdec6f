"""Starts worker processes for one folder of local jobs; the first perhaps before anybody has work for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from wrenml.worker import context
from wrenml.worker.supervisor import Child, Lifeline

__all__ = ["Starter", "begun"]


class Starter:
    """Starts workers that end with it.

    Parameters
    ----------
    folder : str
        For their own folders and unpacked archives.
    url : str, optional
        Storage of their outcomes and blobs. Default: that of the folder.
    """

    def __init__(self, folder: str, url: str | None = None) -> None:
        self._folder = os.path.abspath(folder)
        self._url = url or f"file://{self._folder}"
        self._lifeline = Lifeline()
        self._first: Child | None = None
        self._variables: dict[str, str] = {}

    def begin(self) -> None:
        """Start a worker that the first `start` returns: it boots meanwhile."""
        self._variables = dict(os.environ)
        # What keeps workers from starting is said where calls wait for them.
        with contextlib.suppress(OSError):
            self._first = self._new()

    def start(self) -> Child:
        """Start a worker, or return the one that was started before."""
        first, self._first = self._first, None
        if first is not None and self._variables == dict(os.environ):
            return first
        # A worker has the environment variables of the moment at which work for it was first there.
        _end(first)
        return self._new()

    def _new(self) -> Child:
        return Child(self._url, os.path.join(self._folder, "workers"), self._folder, self._lifeline)

    def close(self) -> None:
        """End the worker that nobody had work for, and every other that is left."""
        _end(self._first)
        self._first = None
        self._lifeline.close()


@contextlib.contextmanager
def begun(folder: str) -> Iterator[Starter | None]:
    """A starter whose first worker boots from now on, and ends if making its executor fails; None inside a call."""
    if context.current() is not None:
        yield None
        return
    starter = Starter(folder)
    try:
        starter.begin()
        yield starter
    except BaseException:
        starter.close()
        raise


def _end(child: Child | None) -> None:
    if child is not None:
        child.kill()
        child.bury()
