"""PyWren's own example as it was written there: `import wrenml as pywren` is all that has changed."""

from __future__ import annotations

from time import perf_counter

import numpy as np
from numpy.typing import NDArray

import wrenml as pywren


def my_function(b: float) -> NDArray[np.float64]:
    """Multiply a million normal numbers of width b by a thousand others."""
    x = np.random.normal(0, b, 1024)  # noqa: NPY002  # as PyWren has it; `seed=` makes it repeatable
    A = np.random.normal(0, b, (1024, 1024))  # noqa: N806, NPY002  # as PyWren has it
    return np.dot(A, x)


if __name__ == "__main__":
    start = perf_counter()
    pwex = pywren.default_executor(seed=2017)
    futures = pwex.map(my_function, np.linspace(0.1, 100, 1000))
    pywren.wait(futures, return_when=pywren.ANY_COMPLETED)
    print(f"the first result is here after {perf_counter() - start:.2f} s; PyWren's: 'sometimes 15 sec!' to start")

    res = pywren.get_all_results(futures)
    done = futures.summary()
    print(f"{len(res)} calls in {done.wall_seconds:.1f} s; their own time adds up to {done.call_seconds:.1f} s")
    print(f"{sum(vector.nbytes for vector in res) / 1e6:.1f} MB of results; the last is {res[-1][:3].round()}…")

    here = pywren.inline_executor(seed=2017)  # the same in this process, one call after the other
    assert np.array_equal(here.map(my_function, [0.1]).results()[0], res[0])
