"""A parameter sweep: every combination is a call; `as_completed` yields them as they end."""

from __future__ import annotations

from itertools import product

from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import cross_val_score

from wrenml import default_executor


def explained(rate: float, depth: int) -> float:
    """Variance explained by boosted trees, the mean of three folds."""
    data, target = load_diabetes(return_X_y=True)
    model = GradientBoostingRegressor(learning_rate=rate, max_depth=depth, n_estimators=60, random_state=0)
    return float(cross_val_score(model, data, target, cv=3).mean())


if __name__ == "__main__":
    grid = list(product([0.02, 0.05, 0.1, 0.3], [1, 2, 3]))
    with default_executor() as executor:
        futures = executor.starmap(explained, grid, name="boosted trees")
        for future in futures.as_completed():
            rate, depth = grid[future.index]
            print(f"learning rate {rate:<4} depth {depth}: {future.result():.3f}")
        best, (rate, depth) = max(zip(futures.results(), grid, strict=True))
    print(f"best: learning rate {rate}, depth {depth}, R² {best:.3f}")
    assert futures.summary().succeeded == len(grid)
