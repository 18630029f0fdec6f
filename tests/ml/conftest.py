from __future__ import annotations

from collections.abc import Iterator

import pytest

import wrenml


@pytest.fixture(scope="session")
def two_workers() -> Iterator[wrenml.Executor]:
    """Two local workers, that load scikit-learn once for all tests."""
    with wrenml.local_executor(workers=2) as executor:
        yield executor


@pytest.fixture(scope="session")
def inline() -> Iterator[wrenml.Executor]:
    with wrenml.inline_executor() as executor:
        yield executor
