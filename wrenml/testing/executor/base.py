"""What every part of the executor's contract stands on."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wrenml.errors import ConfigError
from wrenml.executor import Executor

__all__ = ["PATIENCE", "ExecutorSuite", "refuses", "seen"]

PATIENCE = 60.0
"""Seconds after which a call that should have ended counts as hanging."""


class ExecutorSuite:
    """Fixtures of the suite. A subclass defines `executor`, which may live as long as the class."""

    isolated = True
    """Whether calls run in processes of their own, which tests may kill, rather than in the client's."""

    @pytest.fixture
    def executor(self) -> Executor:
        """An open executor with at least two workers if it has any; tests leave it as they find it."""
        raise NotImplementedError

    @pytest.fixture
    def make(self, executor: Executor) -> Iterator[Callable[[], Executor]]:
        """Makes further executors like `executor`, which are shut down after the test."""
        made: list[Executor] = []

        def another() -> Executor:
            made.append(pickle.loads(pickle.dumps(executor)))
            return made[-1]

        yield another
        for one in made:
            one.shutdown(cancel_futures=True)

    @pytest.fixture
    def processes(self) -> None:
        """Skip the test where calls run in the client's process."""
        if not self.isolated:
            pytest.skip("calls run in this process")


def refuses(match: str) -> pytest.RaisesExc[ConfigError]:
    """Expect a `ConfigError` whose message matches."""
    return pytest.raises(ConfigError, match=match)


def seen(path: Path) -> bool:
    """Wait until a file exists; False if it takes too long."""
    end = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > end:
            return False
        os.sched_yield()
    return True
