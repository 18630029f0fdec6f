"""Figures of the real services, printed: ``WRENML_CLOUD=1 pytest -m cloud -s tests/cloud/test_figures.py``."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator

import pytest

from wrenml import Executor, aws_executor
from wrenml.errors import WorkerOutOfMemory
from wrenml.testing import samples

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.skipif(not os.environ.get("WRENML_CLOUD"), reason="needs an AWS account: set WRENML_CLOUD=1"),
    pytest.mark.timeout(900),
]

PATIENCE = 600


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with aws_executor(progress=False) as executor:
        yield executor


def tell(text: str) -> None:
    print(f"\n{text}")  # noqa: T201  # that is what these tests are for


def test_a_warm_call_and_back(executor: Executor) -> None:
    took = []
    for x in range(21):
        began = time.monotonic()
        executor.map(samples.square, [x]).results(timeout=PATIENCE)
        took.append(time.monotonic() - began)
    cold, *warm = took
    tell(f"a map of one: cold {cold:.2f} s, warm median {statistics.median(warm):.2f} s, at most {max(warm):.2f} s")
    assert len(warm) == 20


def test_a_thousand_calls(executor: Executor) -> None:
    began = time.monotonic()
    futures = executor.map(samples.square, range(1000))
    assert futures.results(timeout=PATIENCE) == [x * x for x in range(1000)]
    took = time.monotonic() - began
    tell(f"1,000 calls in {took:.1f} s, {futures.summary().retried} run again, {futures.cost}: {futures.cost.requests}")


def test_a_call_over_its_memory(executor: Executor) -> None:
    def fill(_: int) -> int:
        return sum(len(held) for held in [b"x" * (1 << 20) for _ in range(20_000)])

    began = time.monotonic()
    [error] = executor.map(fill, [0], infra_retries=0).exceptions(timeout=PATIENCE)
    tell(f"out of memory is known after {time.monotonic() - began:.1f} s: {error}")
    assert isinstance(error, WorkerOutOfMemory)
