"""One function, many inputs: `map` returns a future for each, at once."""

from __future__ import annotations

import os

from wrenml import default_executor


def longest_flight(start: int) -> tuple[int, int]:
    """Steps that the hailstone sequence takes from each of a thousand numbers: the longest, and where from."""
    best = (0, start)
    for first in range(start, start + 1000):
        number, steps = first, 0
        while number != 1:
            number = number // 2 if number % 2 == 0 else 3 * number + 1
            steps += 1
        best = max(best, (steps, first))
    return best


if __name__ == "__main__":
    with default_executor() as executor:  # no AWS configured: processes on this machine
        futures = executor.map(longest_flight, range(1, 20_001, 1000))
        print(f"job {futures.id}: {len(futures)} calls, asked by process {os.getpid()}")
        steps, first = max(futures.results())
        print(f"the longest of 20,000 flights starts at {first:,} and takes {steps} steps")
        assert (steps, first) == (278, 17_673)
        print(futures.summary())
