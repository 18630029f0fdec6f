"""A sweep of any function: how far images can be compressed before their digits cannot be told apart."""

from __future__ import annotations

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from wrenml import Executor, default_executor, inline_executor
from wrenml.ml.sweep import SweepResult, sweep

GRID = {"side": [2, 3, 4, 8], "bits": [1, 2, 4]}


def compressed(side: int, bits: int) -> dict[str, float]:
    """Accuracy with so many squares of so many bits on each side of an image, and the bytes these take."""
    images, digits = load_digits(return_X_y=True)  # 8 × 8 pixels from 0 to 16
    squares = images.reshape(-1, side, 8 // side, side, 8 // side).mean(axis=(2, 4))
    codes = (squares * (2**bits - 1) // 16).reshape(len(images), -1)
    model = RandomForestClassifier(30, random_state=0).fit(codes[:1000], digits[:1000])
    return {"accuracy": model.score(codes[1000:], digits[1000:]), "bytes": side**2 * bits / 8}


def swept(executor: Executor, grid: dict[str, list[int]]) -> SweepResult:
    """The sweep; what was run before, by whatever process, is not run again."""
    return sweep(compressed, grid, executor=executor, cache="compressed")


if __name__ == "__main__":
    with default_executor() as executor:
        found = swept(executor, GRID)
        for trial in found.as_completed():
            what = f"{trial.result['accuracy']:.3f}" if trial.error is None else trial.error.message
            print(f"{trial.params['side']} squares of {trial.params['bits']} bits on a side: {what}")
        small = found.best(lambda result: result["accuracy"] - result["bytes"] / 200)
        print(f"a good compromise: {small.params}, {small.result}")
        print(f"{len(found.failed)} of {len(found)} failed: 8 pixels are not 3 squares")

        larger = swept(executor, GRID | {"bits": [1, 2, 3, 4]})
        print(f"a larger grid: {sum(trial.reused for trial in larger)} of {len(larger)} results were there")

    with inline_executor() as here:
        assert [trial.result for trial in swept(here, GRID)] == [trial.result for trial in found]
