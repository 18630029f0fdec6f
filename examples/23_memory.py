"""Results kept as joblib's Memory keeps them, and shared by all workers and processes: what was computed is read."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from tempfile import TemporaryDirectory
from time import perf_counter

from joblib import Memory
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from wrenml import FutureList, default_executor

WIDTHS = [2.0**power for power in range(-14, -6)]


def accuracy(width: float) -> float:
    """Accuracy of a support vector machine, the mean of three folds."""
    print("computed")
    images, digits = load_digits(return_X_y=True)
    return float(cross_val_score(SVC(gamma=width), images[:600], digits[:600], cv=3).mean())


def computed(futures: FutureList[float]) -> int:
    """How many calls were run: those that were read printed nothing."""
    return sum(bool(futures.logs(place)) for place in range(len(futures)))


if __name__ == "__main__":
    runs = [("the first run", WIDTHS), ("the same again", WIDTHS), ("two more", [*WIDTHS, 1.0, 2.0])]
    found = []
    with default_executor() as executor:  # any other would find them, too, and so would another process
        for name, widths in runs:
            start = perf_counter()
            futures = executor.map(accuracy, widths, cache="accuracy")
            found.append((futures.results(), computed(futures)))
            print(f"{name:15} {found[-1][1]} of {len(widths)} calls computed, {perf_counter() - start:.2f} s")
    (first, _), (second, ran), (_, more) = found
    assert second == first
    assert (ran, more) in [(0, 2), (0, 0)]  # nothing, if this example ran before

    with TemporaryDirectory() as folder:
        remembered = Memory(folder, verbose=0).cache(accuracy)
        for name in ("joblib's Memory", "the same again"):
            start = perf_counter()
            with redirect_stdout(StringIO()) as said:
                assert [remembered(width) for width in WIDTHS] == first
            count = said.getvalue().count("computed")
            print(f"{name:15} {count} of {len(WIDTHS)} calls computed, {perf_counter() - start:.2f} s")
