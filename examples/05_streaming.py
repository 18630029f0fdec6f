"""Streaming: `imap` takes endless input and holds only a window of it, so memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

from wrenml import default_executor


def is_prime(number: int) -> tuple[int, bool]:
    """Whether a number is prime."""
    return number, number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def numbers() -> Iterator[int]:
    """Odd numbers without end."""
    try:
        yield from count(10_000_001, 2)
    finally:
        print("the input was closed")


if __name__ == "__main__":
    with default_executor() as executor:
        results = executor.imap(is_prime, numbers())
        primes = list(islice((number for number, prime in results if prime), 10))
        results.close()  # stops the calls that were ahead
    print("the first ten primes above ten million:")
    print(*primes)
    assert primes[:3] == [10_000_019, 10_000_079, 10_000_103]
