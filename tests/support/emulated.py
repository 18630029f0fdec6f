"""An emulated AWS on loopback for one module of tests; import the fixtures that are needed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wrenml.testing.emulator import Emulator


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An AWS without anything in it; this process's variables point to it, as the user ``client``."""
    with Emulator() as aws, pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        yield aws


@pytest.fixture
def aws(emulator: Emulator) -> Iterator[Emulator]:
    """The module's AWS, for one test: without requests, faults and latency of earlier ones."""
    emulator.reset()
    yield emulator
    emulator.reset()
