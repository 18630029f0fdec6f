from __future__ import annotations

from collections.abc import Iterator

import pytest

import wrenml
from wrenml.testing.mocked import MockedAWS


@pytest.fixture(scope="session")
def two_workers() -> Iterator[wrenml.Executor]:
    """Two local workers, that load scikit-learn once for all tests."""
    with wrenml.local_executor(workers=2) as executor:
        yield executor


@pytest.fixture(scope="session")
def inline() -> Iterator[wrenml.Executor]:
    with wrenml.inline_executor() as executor:
        yield executor


@pytest.fixture(scope="module")
def aws() -> Iterator[MockedAWS]:
    """A mocked AWS with two environments, for the tests of a module."""
    with MockedAWS(environments=2) as aws:
        yield aws


@pytest.fixture(scope="module")
def executor(aws: MockedAWS) -> Iterator[wrenml.Executor]:
    with aws.executor() as executor:
        yield executor
        executor.shutdown(cancel_futures=True)
