"""Starts worker processes for one folder of local jobs; the first perhaps before anybody has work for it."""

from __future__ import annotations

import contextlib
import os

from wrenml.worker.supervisor import Child, Lifeline

__all__ = ["Starter"]


class Starter:
    """Starts workers that end with it.

    Parameters
    ----------
    url : str
        Storage of their outcomes and blobs.
    folder : str
        For their own folders and unpacked archives.
    """

    def __init__(self, url: str, folder: str) -> None:
        self._url = url
        self._folder = folder
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


def _end(child: Child | None) -> None:
    if child is not None:
        child.kill()
        child.bury()
