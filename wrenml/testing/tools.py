"""Small things that several contract suites need."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from wrenml.storage.base import Buffer

__all__ = ["RACERS", "floats", "pattern", "race"]

RACERS = 8
"""How many threads `race` starts."""

T = TypeVar("T")


def floats(size: int) -> Buffer:
    """A buffer of so many bytes whose items are wider than a byte."""
    return memoryview(pattern(size)).cast("d")  # type: ignore[return-value] # its items are no integers


def pattern(size: int) -> bytes:
    """Bytes in which any shifted or repeated block shows."""
    return b"".join(number.to_bytes(4, "little") for number in range(-(-size // 4)))[:size]


def race(act: Callable[[int], T]) -> list[T]:
    """Run `act` with 0, 1, … in as many threads, all started at once."""
    barrier = Barrier(RACERS)

    def start(number: int) -> T:
        barrier.wait(timeout=30)
        return act(number)

    with ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(start, range(RACERS)))
