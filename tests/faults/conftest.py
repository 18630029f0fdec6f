from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import wrenml
from tests.faults.clients import end_all


@pytest.fixture(scope="module")
def executor() -> Iterator[wrenml.Executor]:
    """Shared by a module's tests, so that each finds the pool as the fault before it left it."""
    with wrenml.local_executor(workers=2) as executor:
        yield executor


@pytest.fixture
def own() -> Iterator[wrenml.Executor]:
    """An executor of the test's own, with one worker."""
    with wrenml.local_executor(workers=1) as executor:
        yield executor
        executor.shutdown(cancel_futures=True)


@pytest.fixture
def started(tmp_path: Path) -> Path:
    """Where a call may note that it has started."""
    return tmp_path / "started"


@pytest.fixture(autouse=True)
def _no_client_stays() -> Iterator[None]:
    yield
    end_all()
