"""Ensembles on random patches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
import sklearn.ensemble as theirs
from sklearn.base import clone, is_classifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from wrenml.executor import Executor
from wrenml.ml.ensemble.drawing import SEEDS, Drawing
from wrenml.ml.ensemble.learning import Found, as_targets, classes_in, learned, learned_on_shards
from wrenml.ml.ensemble.shards import parts_of
from wrenml.ml.model_selection import compat
from wrenml.ml.model_selection.engine import planned
from wrenml.ml.shards import forget_names

__all__ = ["RandomPatches", "RandomPatchesClassifier", "RandomPatchesRegressor"]


class RandomPatches:
    """Parameters and `fit` of an ensemble on random patches: to be inherited from before a bagging class."""

    # What scikit-learn's bagging has more, and its methods ask for.
    oob_score = False
    warm_start = False
    verbose = 0

    def __init__(  # noqa: PLR0913  # the parameters of an estimator
        self,
        estimator: Any = None,
        n_estimators: int = 10,
        *,
        max_samples: float | None = 0.5,
        max_features: float = 0.5,
        bootstrap: bool = False,
        bootstrap_features: bool = False,
        n_jobs: int | None = None,
        random_state: Any = None,
        executor: Executor | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.max_samples = max_samples
        self.max_features = max_features
        self.bootstrap = bootstrap
        self.bootstrap_features = bootstrap_features
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.executor = executor

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the estimators.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, n_features)
            Features. Stored once, or the patches are where these are fewer bytes: then a worker gets its patch only.
        y : array of shape (n,); for numbers also (n, n_outputs)
            Labels or numbers.

        Returns
        -------
        RandomPatches
            Itself.

        Raises
        ------
        ValueError
            scikit-learn's, for data or parameters that are not valid.
        """
        with compat.fitting(self):
            checks: dict[str, Any] = {"accept_sparse": "csr", "dtype": None, "ensure_all_finite": False}
            X, y = validate_data(self, X, y, multi_output=True, **checks)
            if is_classifier(self):
                y = column_or_1d(y, warn=True)
                check_classification_targets(y)
                classes, y = np.unique(y, return_inverse=True)
                self._know(classes)
            else:
                y = as_targets(y)
            plan = planned(self.executor, "fit", self, self.n_jobs)
            seeds = self._seeds_drawn()
            models = learned(plan, self._model(), self._drawing(), (X, y), seeds)
            self._take(seeds, [(X.shape, model) for model in models])
        return self

    def fit_shards(self, shards: Iterable[Any]) -> Self:
        """Fit each estimator to a patch of one shard: to one of the first, one of the second, and so on in turn.

        Together the shards may be larger than memory: a worker has one at a time.

        Parameters
        ----------
        shards : ShardedDataset, or iterable of (X, y)
            Shards of a data set are read by the workers, others are taken and stored one at a time. A shard may lack
            classes. `max_samples` is about the rows of a shard.

        Returns
        -------
        RandomPatches
            Itself.

        Raises
        ------
        ValueError
            If there are no shards, or more than estimators; if one is not valid or does not go with the first, which is
            said with its number.
        """
        with compat.fitting(self):
            plan = planned(self.executor, "fit_shards", self, self.n_jobs)
            parts = parts_of(shards, plan.executor)
            if len(parts) > self.n_estimators:
                raise ValueError(
                    f"n_estimators={self.n_estimators} for {len(parts)} shards: give at least one estimator for each"
                )
            classes = None
            if is_classifier(self):
                known = getattr(shards, "classes", None)
                classes = classes_in(plan, parts) if known is None else known
                check_classification_targets(classes)
            seeds = self._seeds_drawn()
            found = learned_on_shards(plan, self._model(), self._drawing(), parts, seeds, classes=classes)
            if classes is not None:
                self._know(classes)
            self.n_features_in_ = found[0][0][1]
            forget_names(self)
            self._take(seeds, found)
        return self

    @property
    def estimators_samples_(self) -> list[Any]:
        """The rows of each estimator's patch: of the shard that it learned, where there are shards."""
        check_is_fitted(self)
        return [self._drawn.draw(*patch)[0] for patch in self._patches]

    def _drawing(self) -> Drawing:
        return Drawing(self.max_samples, self.max_features, self.bootstrap, self.bootstrap_features)

    def _seeds_drawn(self) -> list[int]:
        seeds: list[int] = check_random_state(self.random_state).randint(SEEDS, size=self.n_estimators).tolist()
        return seeds

    def _model(self) -> Any:
        if self.estimator is not None:
            return self.estimator
        return DecisionTreeClassifier() if is_classifier(self) else DecisionTreeRegressor()

    def _know(self, classes: Any) -> None:
        self.classes_, self.n_classes_ = classes, len(classes)

    def _take(self, seeds: Sequence[int], found: Sequence[Found]) -> None:
        self.estimator_ = clone(self._model())
        self.estimators_ = [model for _, model in found]
        self._patches = [(seed, *shape) for seed, (shape, _) in zip(seeds, found, strict=True)]
        self._drawn = self._drawing()
        self.estimators_features_ = [self._drawn.draw(*patch)[1] for patch in self._patches]


def _decides(ensemble: Any) -> bool:
    return hasattr(getattr(ensemble, "estimators_", [ensemble._model()])[0], "decision_function")  # noqa: SLF001  # ours


class RandomPatchesClassifier(RandomPatches, theirs.BaggingClassifier):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier whose estimators each learn some rows and some features, on the workers of an executor.

    G. Louppe and P. Geurts, *Ensembles on Random Patches*, ECML PKDD 2012. It predicts as scikit-learn's
    `BaggingClassifier`, and draws the same patches from the same seed; rows are always picked, never weighted, so that
    a worker needs its patch only.

    Parameters
    ----------
    estimator : estimator, optional
        Is cloned. Default: a `DecisionTreeClassifier`.
    n_estimators : int, default 10
        How many.
    max_samples : int, float or None, default 0.5
        Rows of a patch, or their share of all; None for as many as there are.
    max_features : int or float, default 0.5
        Features of a patch, or their share of all.
    bootstrap : bool, default False
        Whether a row can be in a patch several times.
    bootstrap_features : bool, default False
        Whether a feature can be in a patch several times.
    n_jobs : int, optional
        How many calls run at a time. Default: as many as there are workers. For predicting, which is done here, it is
        scikit-learn's.
    random_state : int, RandomState instance, optional
        Seed of patches and estimators. Default: another one each time.
    executor : Executor, optional
        Where. Default: `wrenml.default_executor`.

    Attributes
    ----------
    estimator_ : estimator
        What was fitted.
    estimators_ : list of estimator
        Fitted; classifiers know classes by their numbers in `classes_`.
    estimators_samples_, estimators_features_ : list of ndarray of int
        Rows and features of the patches.
    classes_ : ndarray of shape (n_classes,)
        All classes.
    n_classes_ : int
        Their number.
    n_features_in_ : int
        Features.
    """

    @available_if(_decides)  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> Any:
        """Average the estimators' decision functions.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n,) for two classes, else (n, n_classes)
            The mean.

        Raises
        ------
        ValueError
            If an estimator has not seen all classes: its numbers are about others.
        """
        for number, model in enumerate(getattr(self, "estimators_", ())):
            if len(model.classes_) != self.n_classes_:
                raise ValueError(
                    f"estimator {number} has seen {len(model.classes_)} of {self.n_classes_} classes, and its decision "
                    "function cannot be averaged with others: use predict(), or shards that have all classes"
                )
        return super().decision_function(X)


class RandomPatchesRegressor(RandomPatches, theirs.BaggingRegressor):  # type: ignore[misc]
    """A regressor whose estimators each learn some rows and some features, on the workers of an executor.

    Parameters
    ----------
    estimator, n_estimators, max_samples, max_features, bootstrap, bootstrap_features, n_jobs, random_state, executor
        As for `RandomPatchesClassifier`; by default a `DecisionTreeRegressor`.

    Attributes
    ----------
    estimator_, estimators_, estimators_samples_, estimators_features_, n_features_in_
        As of `RandomPatchesClassifier`.
    """
