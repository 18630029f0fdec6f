"""Random patches: which rows and columns an estimator learns from.

G. Louppe and P. Geurts, *Ensembles on Random Patches*, ECML PKDD 2012: each estimator learns from a patch, some of the
rows and some of the features, both drawn at random. The ensemble is about as accurate as one whose estimators have seen
everything, and each needs as much memory as its patch.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.random import sample_without_replacement

__all__ = ["SEEDS", "Drawing", "seeded"]

SEEDS: Final = np.iinfo(np.int32).max
"""Seeds are less than this, as scikit-learn's."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """How patches are drawn; the same seed draws what scikit-learn's bagging draws from it.

    Parameters
    ----------
    max_samples : int or float, optional
        Rows of a patch, or their share of all rows. Default: as many as there are.
    max_features : int or float
        Features of a patch, or their share.
    bootstrap, bootstrap_features : bool
        Whether a row, or a feature, can be drawn several times.
    """

    max_samples: float | None
    max_features: float
    bootstrap: bool
    bootstrap_features: bool

    def rows(self, available: int) -> int:
        """How many rows a patch has.

        Raises
        ------
        ValueError
            If there are not as many to draw.
        """
        count = _counted(available if self.max_samples is None else self.max_samples, available)
        if count > available and not self.bootstrap:
            raise ValueError(f"max_samples={self.max_samples}: there are {available} rows, and bootstrap=False")
        return count

    def columns(self, available: int) -> int:
        """How many features a patch has.

        Raises
        ------
        ValueError
            If there are not as many.
        """
        count = _counted(self.max_features, available)
        if count > available:
            raise ValueError(f"max_features={self.max_features}: there are {available} features")
        return count

    def draw(self, seed: int, n_rows: int, n_features: int) -> tuple[Any, Any]:
        """Draw a patch.

        Returns
        -------
        rows, features : ndarray of int
            Their numbers, in the order in which they were drawn.
        """
        random = check_random_state(seed)
        features = _drawn(random, n_features, self.columns(n_features), again=self.bootstrap_features)
        return _drawn(random, n_rows, self.rows(n_rows), again=self.bootstrap), features

    def cut(self, seed: int, X: Any, y: Any) -> tuple[Any, Any]:
        """Return the features and labels of a patch."""
        rows, features = self.draw(seed, *X.shape)
        X, y = X[rows], y[rows]
        every = len(features) == X.shape[1] and not self.bootstrap_features
        return X if every else X[:, features], y


def seeded(estimator: Any, seed: int) -> Any:
    """Return a copy of an estimator, its random states set as scikit-learn's ensembles set them."""
    random = check_random_state(seed)
    model = clone(estimator)
    names = [name for name in sorted(model.get_params()) if name.split("__")[-1] == "random_state"]
    return model.set_params(**{name: random.randint(SEEDS) for name in names})


def _counted(wanted: Any, available: int) -> int:
    return int(wanted) if isinstance(wanted, numbers.Integral) else max(1, int(wanted * available))


def _drawn(random: Any, available: int, count: int, *, again: bool) -> Any:
    if again:
        return random.randint(0, available, count)
    return sample_without_replacement(available, count, random_state=random)
