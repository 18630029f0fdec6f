"""Perceptrons learned on shards and mixed.

R. McDonald, K. Hall and G. Mann, *Distributed Training Strategies for the Structured Perceptron*, NAACL 2010: in each
epoch every shard starts from the mixed weights and learns one epoch; the new weights are the mean of the shards'. It
converges as the perceptron on one machine does: where a unit vector separates rows of norm R with margin γ, the
mistakes, each shard's times its share, are at most R²/γ² in all epochs together.
M. Collins, *Discriminative Training Methods for Hidden Markov Models*, EMNLP 2002: the mean of the weights after each
row predicts better than the last weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from wrenml.executor import Executor
from wrenml.ml.linear_model.entering import entered, shards_of
from wrenml.ml.linear_model.linear import LinearClassifier
from wrenml.ml.linear_model.passes import Training, Weights
from wrenml.ml.linear_model.rounds import Round, Rounds
from wrenml.ml.linear_model.settings import check_number, check_parameters, model_of, training_of, weighing
from wrenml.ml.linear_model.shards import FLOATS, Shard, Stored, checked_weights, cut, narrowed, weighted
from wrenml.ml.linear_model.stopping import Patience, set_aside
from wrenml.ml.linear_model.texts import OF_A_DATASET, featured, labelled, read_documents, store
from wrenml.ml.model_selection.engine import Plan, planned
from wrenml.ml.shards import check_some, forget_names, is_dataset

__all__ = ["ParallelPerceptron"]

_SEEDS = 2**31 - 1


class ParallelPerceptron(LinearClassifier):
    """A perceptron learned on shards by the workers of an executor.

    The result depends on the data, the parameters and `n_shards`, not on the number of workers or where they are. With
    one shard and ``shuffle=False`` it is scikit-learn's `Perceptron` with ``max_iter=n_epochs, tol=None,
    shuffle=False``, bit for bit; data of 32 bits is computed with 64.

    Parameters
    ----------
    base : Perceptron, optional
        Tells `fit_intercept`, `eta0` and, where it is not given here, `class_weight`; its other parameters have no
        effect, and it must have no penalty. Default: ``Perceptron()``.
    vectorizer : transformer, optional
        X is documents, and this makes features of them: the documents are stored, and the workers vectorize them once.
        It must need no fit, as `HashingVectorizer` does. Default: X is features.
    n_shards : int, default 4
        How many shards; fewer if there are fewer rows.
    strategy : {"ipm", "one_shot"}, default "ipm"
        Iterative parameter mixing: the weights are mixed after each epoch. Or each shard learns all epochs on its own,
        and the weights are mixed once: one round, but it may not separate what can be separated.
    n_epochs : int, default 10
        At most.
    mixing : {"uniform", "samples", "errors"}, default "uniform"
        How much a shard counts: all the same, by rows (their weights, if given), or by mistakes of the round.
    average : bool, default True
        Predict with Collins' average, the mean of the weights over all rows of all epochs. False takes the last
        weights, which are noisy where classes overlap.
    shuffle : bool, default True
        Deal rows out to shards at random, and meet them in another order in each epoch. False cuts slices and keeps the
        order: rows sorted by class then give shards of one class.
    class_weight : dict or "balanced", optional
        As for `Perceptron`; "balanced" counts all rows, not each shard's. Default: `base` tells.
    early_stopping : bool, default False
        Set `validation_fraction` of the rows aside, and stop when their accuracy has not grown by `tol` in
        `n_iter_no_change` epochs. With "ipm" only. Learning always stops after an epoch without mistakes.
    validation_fraction : float, default 0.1
        Between 0 and 1.
    n_iter_no_change : int, default 5
        Epochs.
    tol : float, default 1e-3
        Of the accuracy.
    random_state : int, RandomState instance, optional
        Seed of all random orders. Default: another one each time.
    executor : Executor, optional
        Where. Default: `wrenml.default_executor`.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights; one row for two classes.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Added to the scores.
    classes_ : ndarray of shape (n_classes,)
        All classes.
    n_features_in_ : int
        Features.
    n_iter_ : int
        Epochs run.
    n_mistakes_ : ndarray of shape (n_iter_, n_shards), int64
        Updates in each epoch on each shard. With more than two classes, each class is told from all others by a
        perceptron of its own, and a row may count once for each.
    shard_weights_ : ndarray of shape (n_rounds, n_shards)
        How much each shard counted in each round; a round is an epoch, or all of them with "one_shot".
    estimators_ : list of Perceptron
        The shards' models, with "one_shot" only.
    validation_scores_ : list of float
        Accuracy after each epoch, with `early_stopping` only.
    """

    def __init__(  # noqa: PLR0913  # the parameters of an estimator
        self,
        base: Any = None,
        *,
        vectorizer: Any = None,
        n_shards: int = 4,
        strategy: str = "ipm",
        n_epochs: int = 10,
        mixing: str = "uniform",
        average: bool = True,
        shuffle: bool = True,
        class_weight: Any = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        tol: float = 1e-3,
        random_state: Any = None,
        executor: Executor | None = None,
    ) -> None:
        self.base = base
        self.vectorizer = vectorizer
        self.n_shards = n_shards
        self.strategy = strategy
        self.n_epochs = n_epochs
        self.mixing = mixing
        self.average = average
        self.shuffle = shuffle
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.random_state = random_state
        self.executor = executor

    # Learning

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from rows, from shards, or from a data set in shards.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, n_features)
            Features; or a sequence of documents, with `vectorizer`. Or what `fit_shards` takes.
        y : array of shape (n,)
            Labels; shards bring their own.
        sample_weight : array of shape (n,), optional
            How much a row is added at a mistake; rows of weight 0 are left out before the shards are cut.

        Returns
        -------
        ParallelPerceptron
            Itself.

        Raises
        ------
        ValueError
            scikit-learn's, for data that is not valid; or a parameter is not.
        """
        if shards_of(X, y, sample_weight) is not None:
            return self.fit_shards(X)
        check_parameters(self)
        rows = weighted(self._rows(X, y, sample_weight, reset=True))
        classes = np.unique(rows.y)
        check_number(classes)
        seed = self._seed()
        held = None
        if self.early_stopping:
            rows, held = set_aside(rows, self.validation_fraction, seed)
            held = featured(held)
        plan = planned(self.executor, "fit", self, None)
        shards = store(plan, cut(rows, self.n_shards, seed if self.shuffle else None))
        self._learn(
            Rounds(plan, shards, training_of(self, classes, weighing(classes, rows.y), seed), self.mixing), held
        )
        return self

    def fit_shards(self, shards: Iterable[Any]) -> Self:
        """Learn from shards as they are given; together they may be larger than memory.

        Parameters
        ----------
        shards : iterable of (X, y) or (X, y, sample_weight), or ShardedDataset
            Taken and stored one at a time; those of a data set are read by workers. A shard may lack classes;
            `n_shards` has no effect.

        Returns
        -------
        ParallelPerceptron
            Itself.

        Raises
        ------
        ValueError
            If a shard is empty or not valid, which is said with its number; or there are none; or with
            `early_stopping`.
        """
        check_parameters(self)
        if self.early_stopping:
            raise ValueError("fit_shards() sets no rows aside: early_stopping=True needs fit(X, y)")
        plan = planned(self.executor, "fit_shards", self, None)
        if is_dataset(shards):
            if self.vectorizer is not None:
                raise ValueError(OF_A_DATASET)
            data = entered(self, plan, shards, None, None, None)
            stored = Stored(data.shards, data.sizes)
            training = training_of(self, data.survey.classes, data.survey.class_weights, self._seed())
        else:
            stored, labels = self._stored(plan, shards)
            classes = np.unique(labels)
            check_number(classes)
            training = training_of(self, classes, weighing(classes, labels), self._seed())
        self._learn(Rounds(plan, stored, training, self.mixing), None)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Learn one more epoch, from these rows.

        Parameters
        ----------
        X, y, sample_weight : data
            As for `fit`; they may lack classes.
        classes : array, optional
            All classes that there are. Needed in the first call.

        Returns
        -------
        ParallelPerceptron
            Itself. `n_mistakes_` and `shard_weights_` are those of this call.

        Raises
        ------
        ValueError
            scikit-learn's; also if `y` has classes that are unknown, or `class_weight` is "balanced".
        """
        check_parameters(self)
        first = not hasattr(self, "classes_")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        rows = weighted(self._rows(X, y, sample_weight, reset=first))
        known = np.unique(classes) if first else self.classes_
        if classes is not None and not np.array_equal(known, np.unique(classes)):
            raise ValueError(f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {known!r}")
        unseen = np.setdiff1d(rows.y, known)
        if len(unseen):
            raise ValueError(f"The target label(s) {unseen} in y do not exist in the initial classes {known}")
        check_number(known)
        training = training_of(self, known, None, self._seed())
        plan = planned(self.executor, "partial_fit", self, None)
        shards = store(plan, cut(rows, self.n_shards, training.seed))
        if first:
            self._forget(training)
        self._take(Rounds(plan, shards, training, self.mixing).run(self._last, range(self._epochs, self._epochs + 1)))
        self.n_iter_ = 1
        return self

    # What the above share

    def _rows(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Shard:
        if self.vectorizer is not None:
            rows = labelled(self, X, y, sample_weight, reset=reset)
            check_classification_targets(rows.y)
            return rows
        X, y = validate_data(
            self, narrowed(X), y, accept_sparse="csr", dtype=FLOATS, order="C", accept_large_sparse=False, reset=reset
        )
        check_classification_targets(y)
        return Shard(X, y, checked_weights(sample_weight, X))

    def _stored(self, plan: Plan, shards: Iterable[Any]) -> tuple[Stored, Any]:
        labels: list[Any] = []

        def noted(shard: Shard) -> Shard:
            labels.append(shard.y)
            forget_names(self)
            self.n_features_in_ = shard.X.shape[1]
            return shard

        stored = store(plan, map(noted, read_documents(self.vectorizer, shards)))
        check_some(labels)
        return stored, np.concatenate(labels)

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(_SEEDS))

    def _forget(self, training: Training) -> None:
        self.classes_ = training.classes
        for name in ("estimators_", "validation_scores_"):
            if hasattr(self, name):
                delattr(self, name)
        self._last: Weights | None = None
        self._sum: Weights | None = None
        self._epochs = 0

    def _learn(self, rounds: Rounds, held: Shard | None) -> None:
        self._forget(rounds.training)
        if self.strategy == "one_shot":
            done = rounds.run(None, range(self.n_epochs))
            self._take(done, self.n_epochs)
            self.estimators_ = [model_of(rounds.training, each.average or each.weights) for each in done.passed]
            self.n_iter_ = self.n_epochs
            return
        patience = None if held is None else Patience(lambda: self.accuracy(held), self.tol, self.n_iter_no_change)
        shares, mistakes = [], []
        for epoch in range(self.n_epochs):
            done = rounds.run(self._last, range(epoch, epoch + 1))
            self._take(done)
            shares.append(done.shares)
            mistakes.append(done.mistakes)
            # Nothing changes any more; only the average would go on towards the weights.
            if not mistakes[-1].any() or (patience is not None and patience.is_over()):
                break
        self.shard_weights_, self.n_mistakes_ = np.stack(shares), np.concatenate(mistakes)
        self.n_iter_ = len(mistakes)
        if patience is not None:
            self.validation_scores_ = patience.scores

    def _take(self, done: Round, epochs: int = 1) -> None:
        """Go on from what a round has learned."""
        self.shard_weights_, self.n_mistakes_ = done.shares[np.newaxis], done.mistakes
        self._last = shown = done.weights
        self._epochs += epochs
        if done.average is not None:
            more = Weights(done.average.coef * epochs, done.average.intercept * epochs)
            before = self._sum
            self._sum = more if before is None else Weights(before.coef + more.coef, before.intercept + more.intercept)
            shown = Weights(self._sum.coef / self._epochs, self._sum.intercept / self._epochs)
        self.coef_, self.intercept_ = shown.coef, shown.intercept
