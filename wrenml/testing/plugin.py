"""pytest fixtures: AWS mocked inside the test's process, with functions that really run the worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

__all__ = ["wrenml_aws", "wrenml_aws_module"]


def _mocked() -> Iterator[Any]:
    from wrenml.testing.mocked import MockedAWS  # noqa: PLC0415  # pytest loads this file for tests of anything

    with MockedAWS() as aws:
        yield aws


@pytest.fixture
def wrenml_aws() -> Iterator[Any]:
    """A mocked AWS with a deployed stack for one test: a `wrenml.testing.mocked.MockedAWS`.

    `wrenml.default_executor` runs calls there, in worker processes, and nothing of it is left after the test.
    """
    yield from _mocked()


@pytest.fixture(scope="module")
def wrenml_aws_module() -> Iterator[Any]:
    """As `wrenml_aws`, one for all tests of a module: faster, and jobs and counts are shared."""
    yield from _mocked()
