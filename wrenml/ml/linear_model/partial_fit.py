"""Any estimator that learns by `partial_fit`, over shards."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.utils import check_array, check_random_state, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from wrenml.executor import Executor
from wrenml.ml.linear_model.averaging import average_linear_models
from wrenml.ml.linear_model.entering import shards_of
from wrenml.ml.linear_model.mixing import shares_of
from wrenml.ml.linear_model.settings import check_choices
from wrenml.ml.linear_model.shards import FLOATS, Shard, Stored, checked_weights, cut, narrowed, noted, weighted
from wrenml.ml.linear_model.texts import OF_A_DATASET, features_of, labelled, store
from wrenml.ml.model_selection.engine import Plan, planned, run
from wrenml.ml.shards import columns_of, forget_names, in_shard, is_dataset

__all__ = ["ParallelPartialFit"]

_SEEDS = 2**31 - 1


def _has(name: str) -> Callable[[Any], bool]:
    def check(self: Any) -> bool:
        getattr(getattr(self, "estimator_", self.estimator), name)
        return True

    return check


class ParallelPartialFit(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Runs an estimator's `partial_fit` over shards, on the workers of an executor.

    Parameters
    ----------
    estimator : estimator
        Has `partial_fit`; it is cloned.
    vectorizer : transformer, optional
        X is documents, and this makes features of them: the documents are stored, and the workers vectorize them once.
        It must need no fit, as `HashingVectorizer` does. Default: X is features.
    n_shards : int, default 4
        How many shards; fewer if there are fewer rows.
    strategy : {"average", "chain"}, default "average"
        "average", for linear models: in each epoch all shards learn at the same time from the same model, and the next
        one is their mean (`average_linear_models`). "chain", for any: one model goes through the shards one after
        another; that is ``partial_fit`` on each shard here, bit for bit, and only the model travels.
    n_epochs : int, default 1
        How often each shard is seen.
    mixing : {"uniform", "samples"}, default "uniform"
        How much a shard counts in the mean: all the same, or by rows (their weights, if given).
    shuffle : bool, default True
        Deal rows out at random. False cuts slices.
    random_state : int, RandomState instance, optional
        Of that, and of the estimator where its own `random_state` is None. Default: another one each time.
    executor : Executor, optional
        Where. Default: `wrenml.default_executor`.

    Attributes
    ----------
    estimator_ : estimator
        The fitted one; `predict` and the like are its own.
    n_features_in_ : int
        Features.
    shard_weights_ : ndarray of shape (n_shards,)
        How much each shard counted, with "average" only.
    """

    def __init__(  # noqa: PLR0913  # the parameters of an estimator
        self,
        estimator: Any,
        *,
        vectorizer: Any = None,
        n_shards: int = 4,
        strategy: str = "average",
        n_epochs: int = 1,
        mixing: str = "uniform",
        shuffle: bool = True,
        random_state: Any = None,
        executor: Executor | None = None,
    ) -> None:
        self.estimator = estimator
        self.vectorizer = vectorizer
        self.n_shards = n_shards
        self.strategy = strategy
        self.n_epochs = n_epochs
        self.mixing = mixing
        self.shuffle = shuffle
        self.random_state = random_state
        self.executor = executor

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from rows, or from a data set in shards.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, n_features), or ShardedDataset
            Features; or documents, with `vectorizer`. A data set's shards are learned as they are, and read by the
            workers.
        y : array of shape (n,), optional
            Labels or numbers; a data set brings its own. Default: the estimator needs none.
        sample_weight : array of shape (n,), optional
            Given to the estimator's `partial_fit`; rows of weight 0 are left out.

        Returns
        -------
        ParallelPartialFit
            Itself.

        Raises
        ------
        ValueError
            scikit-learn's, for data that is not valid; or a parameter is not.
        TypeError
            If the estimator has no `partial_fit`.
        """
        self._check_parameters()
        seed = int(check_random_state(self.random_state).randint(_SEEDS))
        plan = planned(self.executor, "fit", self, None)
        if is_dataset(X):
            shards, classes = self._surveyed(plan, X, shards_of(X, y, sample_weight))
        else:
            shards, classes = self._stored(plan, self._rows(X, y, sample_weight), seed)
        fixed = {"classes": classes} if is_classifier(self.estimator) else {}
        learn = self._averaged if self.strategy == "average" else self._chained
        self.estimator_ = learn(plan, shards, self._first(seed), fixed)
        return self

    def _rows(self, X: Any, y: Any, sample_weight: Any) -> Shard:
        if y is None and get_tags(self.estimator).target_tags.required:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        if self.vectorizer is not None:
            return weighted(labelled(self, X, y, sample_weight))
        checks: dict[str, Any] = {"accept_sparse": "csr", "dtype": FLOATS, "order": "C", "accept_large_sparse": False}
        if y is None:
            X = validate_data(self, narrowed(X), **checks)
        else:
            X, y = validate_data(self, narrowed(X), y, **checks)
        return weighted(Shard(X, y, checked_weights(sample_weight, X)))

    def _stored(self, plan: Plan, rows: Shard, seed: int) -> tuple[Stored, Any]:
        classes = np.unique(rows.y) if is_classifier(self.estimator) else None
        return store(plan, cut(rows, self.n_shards, seed if self.shuffle else None)), classes

    def _surveyed(self, plan: Plan, dataset: Any, given: Any) -> tuple[Stored, Any]:
        if self.vectorizer is not None:
            raise ValueError(OF_A_DATASET)
        shards = list(given)
        needed = get_tags(self.estimator).target_tags.required
        if needed and not dataset.has_labels:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the data set has no labels.")
        task = partial(_labels_of, is_classifier(self.estimator), needed)
        found = run(plan, task, [(shard, number) for number, shard in enumerate(shards)])
        forget_names(self)
        self.n_features_in_ = dataset.n_features
        classes = np.unique(np.concatenate(found)) if is_classifier(self.estimator) else None
        return Stored(shards, [float(shard.rows) for shard in shards]), classes

    @available_if(_has("predict"))  # type: ignore[untyped-decorator]
    def predict(self, X: Any) -> Any:
        """What the fitted estimator predicts for X, of shape (n, n_features)."""
        found = self._features(X)
        return self.estimator_.predict(found)

    @available_if(_has("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """The fitted estimator's probabilities for X: ndarray of shape (n, n_classes)."""
        found = self._features(X)
        return self.estimator_.predict_proba(found)

    @available_if(_has("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> Any:
        """The fitted estimator's scores for X: ndarray of shape (n,) or (n, n_classes)."""
        found = self._features(X)
        return self.estimator_.decision_function(found)

    @available_if(_has("transform"))  # type: ignore[untyped-decorator]
    def transform(self, X: Any) -> Any:
        """What the fitted estimator makes of X, of shape (n, n_features)."""
        found = self._features(X)
        return self.estimator_.transform(found)

    @available_if(_has("score"))  # type: ignore[untyped-decorator]
    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The fitted estimator's score for rows X and, where it needs them, labels `y` and their weights."""
        given = {} if sample_weight is None else {"sample_weight": sample_weight}
        found = self._features(X)
        return float(self.estimator_.score(found, y, **given))

    def _features(self, X: Any) -> Any:
        """Return what the fitted estimator learned from: it has not seen the names of a frame's columns."""
        check_is_fitted(self)
        found = features_of(self.vectorizer, X)
        if not columns_of(found):
            return found
        validate_data(self, found, skip_check_array=True, reset=False)
        return np.asarray(found)

    @property
    def classes_(self) -> Any:
        """The fitted estimator's classes."""
        return self.estimator_.classes_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        for name in ("estimator_type", "classifier_tags", "regressor_tags", "transformer_tags", "target_tags"):
            setattr(tags, name, getattr(inner, name))
        tags.input_tags.sparse = inner.input_tags.sparse
        return tags

    def _check_parameters(self) -> None:
        if not hasattr(self.estimator, "partial_fit"):
            raise TypeError(f"{type(self.estimator).__name__} has no partial_fit: give an estimator that has")
        check_choices(self, ("n_shards", "n_epochs"), strategy=("average", "chain"), mixing=("uniform", "samples"))
        if self.strategy == "average" and self.n_epochs > 1 and getattr(self.estimator, "average", False):
            raise ValueError(
                f"{type(self.estimator).__name__}(average={self.estimator.average!r}) cannot learn on from a mean of "
                "models: give it average=False, n_epochs=1 here, or strategy='chain'"
            )

    def _first(self, seed: int) -> Any:
        """Return the model that learning begins with."""
        model = clone(self.estimator)
        if self.random_state is None:
            return model
        names = [name for name in model.get_params() if name.split("__")[-1] == "random_state"]
        return model.set_params(**{name: seed for name in names if model.get_params()[name] is None})

    def _averaged(self, plan: Plan, shards: Stored, model: Any, fixed: dict[str, Any]) -> Any:
        shares = self.shard_weights_ = shares_of(self.mixing, shards.sizes, [0] * len(shards))
        alone = [[number] for number in range(len(shards))]
        for _ in range(self.n_epochs):
            task = partial(_learned, model, fixed)
            models = run(plan, task, [(ref, number) for number, ref in enumerate(shards.refs)], groups=alone)
            model = average_linear_models(models, shares)
        return model

    def _chained(self, plan: Plan, shards: Stored, model: Any, fixed: dict[str, Any]) -> Any:
        for _ in range(self.n_epochs):
            for number, ref in enumerate(shards.refs):
                (model,) = run(plan, partial(_learned, model, fixed), [(ref, number)], groups=[[0]])
        return model


def _labels_of(classify: bool, needed: bool, handle: Any, number: int) -> Any:  # noqa: FBT001  # of a partial
    """Check a shard, and return its distinct labels if they are classes: in a worker."""
    X, y = handle.load()
    with in_shard(number):
        check_array(X, accept_sparse="csr", dtype=FLOATS, accept_large_sparse=False, input_name="X")
        if needed and not classify:
            check_array(y, ensure_2d=False, dtype=FLOATS, input_name="y")
        if not classify:
            return None
        check_classification_targets(y)
        return np.unique(y)


def _learned(model: Any, fixed: dict[str, Any], given: Any, number: int) -> Any:
    """Have a model learn a shard: in a worker."""
    shard = given if isinstance(given, Shard) else Shard(*given.load())
    more = dict(fixed) if shard.weights is None else {**fixed, "sample_weight": shard.weights}
    # What a worker was sent is there for its next call as well.
    with noted(number):
        return deepcopy(model).partial_fit(shard.X, shard.y, **more)
