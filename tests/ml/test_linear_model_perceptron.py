"""Averaged perceptrons: equal to scikit-learn's where they must be, and what mixing promises."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Perceptron, SGDClassifier
from sklearn.utils.estimator_checks import check_class_weight_classifiers, check_estimator

import wrenml
from wrenml.ml.linear_model import ParallelPerceptron, average_linear_models

X, DIGITS = load_digits(return_X_y=True)
X, DIGITS = X[:600], DIGITS[:600]
ODD = DIGITS % 2
FORMS = {"dense": X, "sparse": sparse.csr_matrix(X), "floats": X + np.random.default_rng(0).normal(size=X.shape)}


def same(found: Any, expected: Any) -> None:
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    np.testing.assert_array_equal(found.intercept_, expected.intercept_)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("y", [DIGITS, ODD], ids=["ten", "two"])
@pytest.mark.parametrize("more", [{}, {"fit_intercept": False, "eta0": 0.3}, {"class_weight": "balanced"}], ids=str)
class TestOneShard:
    def test_is_scikit_learns_perceptron(self, form: str, y: Any, more: Any, inline: wrenml.Executor) -> None:
        weights = np.random.default_rng(1).integers(1, 4, len(y)) / 2
        base = Perceptron(**more)
        expected = clone(base).set_params(max_iter=4, tol=None, shuffle=False)
        expected.fit(FORMS[form], y, sample_weight=weights)
        found = ParallelPerceptron(base, n_shards=1, n_epochs=4, average=False, shuffle=False, executor=inline)
        found.fit(FORMS[form], y, sample_weight=weights)
        same(found, expected)
        np.testing.assert_array_equal(found.predict(FORMS[form]), expected.predict(FORMS[form]))

    def test_average_is_collins(self, form: str, y: Any, more: Any, inline: wrenml.Executor) -> None:
        expected = SGDClassifier(
            "perceptron", learning_rate="constant", penalty=None, average=True, max_iter=3, tol=None, shuffle=False
        )
        expected.set_params(**{"eta0": 1.0, **more}).fit(FORMS[form], y)
        found = ParallelPerceptron(Perceptron(**more), n_shards=1, n_epochs=3, shuffle=False, executor=inline)
        found.fit(FORMS[form], y)
        np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found.intercept_, expected.intercept_, rtol=1e-9, atol=1e-9)


def naive(rows: Any, labels: Any, epochs: int) -> tuple[Any, list[int]]:
    """The perceptron as books have it, without intercept."""
    weights, mistakes = np.zeros(rows.shape[1]), []
    for _ in range(epochs):
        mistakes.append(0)
        for row, label in zip(rows, labels, strict=True):
            if label * (weights @ row) <= 0:
                weights = weights + label * row
                mistakes[-1] += 1
    return weights, mistakes


def test_mistakes_are_counted(inline: wrenml.Executor) -> None:
    weights, mistakes = naive(X, 2 * ODD - 1, 4)
    base = Perceptron(fit_intercept=False)
    found = ParallelPerceptron(base, n_shards=1, n_epochs=4, average=False, shuffle=False, executor=inline).fit(X, ODD)
    assert found.n_mistakes_.ravel().tolist() == mistakes
    np.testing.assert_array_equal(found.coef_[0], weights)


def test_blocks_of_rows_change_nothing(inline: wrenml.Executor) -> None:
    rng = np.random.default_rng(0)
    wide, y = rng.integers(-3, 4, (3000, 3000)).astype(np.int8), rng.integers(0, 2, 3000)  # more than a worker copies
    expected = Perceptron(max_iter=1, tol=None, shuffle=False).fit(wide, y)
    found = ParallelPerceptron(n_shards=1, n_epochs=1, average=False, shuffle=False, executor=inline).fit(wide, y)
    same(found, expected)


class TestMixing:
    @pytest.mark.parametrize("mixing", ["uniform", "samples", "errors"])
    @pytest.mark.parametrize("form", FORMS)
    def test_an_epoch_is_the_weighted_mean(self, mixing: str, form: str, inline: wrenml.Executor) -> None:
        weights = np.random.default_rng(2).integers(1, 3, len(X)).astype(float)
        found = ParallelPerceptron(n_epochs=1, mixing=mixing, average=False, shuffle=False, executor=inline)
        found.fit(FORMS[form], DIGITS, sample_weight=weights)
        parts = np.array_split(np.arange(len(X)), 4)
        models = [
            Perceptron(shuffle=False).partial_fit(
                FORMS[form][part], DIGITS[part], classes=range(10), sample_weight=weights[part]
            )
            for part in parts
        ]
        (shares,) = found.shard_weights_
        expected = {
            "uniform": [1, 1, 1, 1],
            "samples": [weights[part].sum() for part in parts],
            "errors": found.n_mistakes_[0],
        }[mixing]
        np.testing.assert_allclose(shares, np.divide(expected, np.sum(expected)), rtol=1e-15)
        same(found, average_linear_models(models, shares))

    def test_equal_shards_are_one(self, inline: wrenml.Executor) -> None:
        base = Perceptron(fit_intercept=False)
        once = ParallelPerceptron(base, average=False, shuffle=False, n_epochs=5, executor=inline).fit_shards(
            [(X, ODD)]
        )
        four = clone(once).fit_shards([(X, ODD)] * 4)
        same(four, once)
        assert four.n_mistakes_.tolist() == np.repeat(once.n_mistakes_, 4, axis=1).tolist()

    @settings(max_examples=12, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from(["uniform", "errors"]))
    def test_the_theorems_bound(self, inline: wrenml.Executor, seed: int, n_shards: int, mixing: str) -> None:
        rng = np.random.default_rng(seed)
        unit = rng.normal(size=5)
        unit /= np.linalg.norm(unit)
        rows = rng.normal(size=(300, 5))
        rows = rows[np.abs(rows @ unit) > 0.2]
        labels = (rows @ unit > 0).astype(int)
        model = ParallelPerceptron(
            Perceptron(fit_intercept=False),
            n_shards=n_shards,
            n_epochs=300,
            mixing=mixing,
            average=False,
            random_state=seed,
            executor=inline,
        ).fit(rows, labels)
        assert model.n_iter_ < 300
        assert model.score(rows, labels) == 1
        bound = np.square(rows).sum(axis=1).max() / np.abs(rows @ unit).min() ** 2
        assert (model.shard_weights_ * model.n_mistakes_).sum() <= bound

    def test_one_shot_is_the_mean_of_perceptrons(self, inline: wrenml.Executor) -> None:
        model = ParallelPerceptron(
            n_shards=3, strategy="one_shot", n_epochs=4, average=False, shuffle=False, executor=inline
        ).fit(X, DIGITS)
        for part, found in zip(np.array_split(np.arange(len(X)), 3), model.estimators_, strict=True):
            same(found, Perceptron(max_iter=4, tol=None, shuffle=False).fit(X[part], DIGITS[part]))
        same(model, average_linear_models(model.estimators_, model.shard_weights_[0]))
        assert model.n_mistakes_.shape == (4, 3)


class TestShards:
    def test_workers_change_nothing(self, inline: wrenml.Executor, two_workers: wrenml.Executor) -> None:
        model = ParallelPerceptron(n_shards=5, n_epochs=3, random_state=7, executor=inline)
        here = clone(model).fit(X, DIGITS)
        there = clone(model).set_params(executor=two_workers).fit(X, DIGITS)
        same(there, here)
        np.testing.assert_array_equal(there.n_mistakes_, here.n_mistakes_)

    def test_a_seed_is_the_same_again_and_another_is_another(self, inline: wrenml.Executor) -> None:
        model = ParallelPerceptron(n_epochs=2, random_state=3, executor=inline).fit(X, ODD)
        same(clone(model).fit(X, ODD), model)
        other = clone(model).set_params(random_state=4).fit(X, ODD)
        assert (other.coef_ != model.coef_).any()

    def test_rows_of_weight_zero_are_not_there(self, inline: wrenml.Executor) -> None:
        weights = (np.arange(len(X)) % 3 > 0).astype(float)
        model = ParallelPerceptron(n_epochs=3, random_state=0, executor=inline)
        same(clone(model).fit(X, DIGITS, sample_weight=weights), clone(model).fit(X[weights > 0], DIGITS[weights > 0]))

    def test_a_shard_may_lack_classes(self, inline: wrenml.Executor) -> None:
        low, high = DIGITS < 5, DIGITS >= 5
        model = ParallelPerceptron(n_epochs=5, executor=inline, random_state=0)
        model.fit_shards((X[some], DIGITS[some]) for some in (low, high))
        assert model.classes_.tolist() == list(range(10))
        assert model.coef_.shape == (10, 64)
        sorted_by_class = np.argsort(DIGITS, kind="stable")
        dealt = ParallelPerceptron(executor=inline, random_state=0).fit(X[sorted_by_class], DIGITS[sorted_by_class])
        assert dealt.score(X, DIGITS) > 0.9

    def test_given_shards_are_slices(self, inline: wrenml.Executor) -> None:
        model = ParallelPerceptron(n_epochs=3, shuffle=False, executor=inline, class_weight="balanced")
        parts = np.array_split(np.arange(len(X)), 4)
        expected = clone(model).fit(X, DIGITS)
        same(clone(model).fit_shards((X[part].tolist(), DIGITS[part].tolist()) for part in parts), expected)

    def test_labels_are_words(self, inline: wrenml.Executor) -> None:
        words = np.array(["even", "odd"], dtype=object)[ODD]
        weighted = {"even": 1, "odd": 2}
        model = ParallelPerceptron(class_weight=weighted, executor=inline, random_state=0).fit(X, words)
        assert model.score(X, words) > 0.85
        assert set(model.predict(X)) == {"even", "odd"}

    def test_fewer_rows_than_shards(self, inline: wrenml.Executor) -> None:
        model = ParallelPerceptron(n_shards=10, executor=inline).fit([[0.0], [1.0], [2.0]], [0, 0, 1])
        assert model.n_mistakes_.shape[1] == 3


class TestEpochs:
    def test_partial_fit_is_an_epoch(self, inline: wrenml.Executor) -> None:
        for average in (False, True):
            model = ParallelPerceptron(n_epochs=3, shuffle=False, average=average, executor=inline)
            expected = clone(model).fit(X, DIGITS)
            for _ in range(3):
                model.partial_fit(X, DIGITS, classes=range(10))
            same(model, expected)

    def test_partial_fit_goes_on_after_fit_and_pickling(self, inline: wrenml.Executor) -> None:
        model = ParallelPerceptron(n_epochs=2, shuffle=False, executor=inline).fit(X, DIGITS)
        again = pickle.loads(pickle.dumps(model))
        again.partial_fit(X, DIGITS)
        again.executor.shutdown()
        same(again, clone(model).set_params(n_epochs=3).fit(X, DIGITS))

    def test_it_stops_when_nothing_is_wrong(self, inline: wrenml.Executor) -> None:
        model = ParallelPerceptron(n_epochs=50, executor=inline).fit([[0.0, 1.0], [1.0, 0.0]] * 20, [0, 1] * 20)
        assert model.n_iter_ < 50
        assert not model.n_mistakes_[-1].any()
        assert model.n_mistakes_.shape == model.shard_weights_.shape == (model.n_iter_, 4)

    def test_early_stopping(self, inline: wrenml.Executor) -> None:
        model = ParallelPerceptron(
            n_epochs=100, early_stopping=True, n_iter_no_change=3, random_state=0, executor=inline
        ).fit(X, ODD)
        scores = model.validation_scores_
        assert len(scores) == model.n_iter_ < 100
        assert model.n_mistakes_[-1].any()
        assert max(scores[-3:]) <= max(scores[:-3]) + model.tol


class TestBadInput:
    @pytest.mark.parametrize(
        ("rows", "labels", "message"),
        [
            ([[np.nan], [1.0]], [0, 1], "Input X contains NaN"),
            ([[0.0], [1.0]], [1, 1], "number of classes has to be greater than one; got 1 class"),
            ([[0.0], [1.0]], [1, 0, 1], "inconsistent numbers of samples"),
            ([[0.0], [1.0]], [0.5, 1.5], "Unknown label type"),
            (np.zeros((0, 3)), [], "Found array with 0 sample"),
        ],
    )
    def test_data(self, rows: Any, labels: Any, message: str, inline: wrenml.Executor) -> None:
        with pytest.raises(ValueError, match=message):
            ParallelPerceptron(executor=inline).fit(rows, labels)

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            ((np.zeros((0, 64)), []), "shard 1: Found array with 0 sample"),
            ((X[:, :5], ODD), "shard 1: X has 5 features, but shard 0 has 64"),
            ((np.where(X == 0, np.inf, X), ODD), "shard 1: Input contains infinity|shard 1: Input X contains infinity"),
            ((X, ODD[:5]), "shard 1: .*inconsistent numbers of samples"),
            ((X, np.where(ODD, "odd", "even")), "shard 1: of its labels .* some are strings and some are not"),
            ((X, np.full(len(X), np.nan)), "shard 1: Input y contains NaN"),
            ((X, None), "shard 1: its rows have no labels"),
            ((X, ODD, np.zeros(len(X))), "shard 1: Sample weights must contain at least one non-zero"),
        ],
    )
    def test_shards(self, more: Any, message: str, inline: wrenml.Executor) -> None:
        with pytest.raises(ValueError, match=message):
            ParallelPerceptron(executor=inline).fit_shards([(X, ODD), more])

    def test_frames_in_another_order(self, inline: wrenml.Executor) -> None:
        frame = pytest.importorskip("pandas").DataFrame(X[:, :2], columns=["a", "b"])
        with pytest.raises(ValueError, match=r"shard 1: its columns are .* in another order"):
            ParallelPerceptron(executor=inline).fit_shards([(frame, ODD), (frame[["b", "a"]], ODD)])

    def test_numbers_that_overflow(self, inline: wrenml.Executor) -> None:
        model = ParallelPerceptron(Perceptron(eta0=1e300), average=False, shuffle=False, executor=inline)
        with pytest.raises(ValueError, match="Floating-point under-/overflow occurred") as raised:
            model.fit_shards([(X, ODD), (1e9 * X, ODD)])
        assert raised.value.__notes__ == ["It was raised while shard 1 was learned."]

    def test_an_average_that_overflows(self, inline: wrenml.Executor) -> None:
        model = ParallelPerceptron(Perceptron(eta0=1e304), n_shards=1, n_epochs=1, executor=inline)
        with pytest.raises(ValueError, match="floating-point overflow: scale the features"):
            model.fit(X, ODD)
        assert np.isfinite(model.set_params(average=False).fit(X, ODD).coef_).all()

    def test_shards_of_one_class(self, inline: wrenml.Executor) -> None:
        model = ParallelPerceptron(executor=inline).fit_shards([(X[odd == ODD], ODD[odd == ODD]) for odd in (0, 1)])
        assert model.classes_.tolist() == [0, 1]
        assert np.isfinite(model.coef_).all()
        with pytest.raises(ValueError, match="number of classes has to be greater than one; got 1 class"):
            model.fit_shards([(X[ODD == 0], ODD[ODD == 0])] * 2)

    def test_no_shards(self, inline: wrenml.Executor) -> None:
        with pytest.raises(ValueError, match="there are no shards"):
            ParallelPerceptron(executor=inline).fit_shards([])

    def test_partial_fit(self, inline: wrenml.Executor) -> None:
        model = ParallelPerceptron(executor=inline)
        with pytest.raises(ValueError, match="classes must be passed"):
            model.partial_fit(X, ODD)
        model.partial_fit(X, ODD, classes=[0, 1])
        before = model.coef_.copy()
        with pytest.raises(ValueError, match=r"target label\(s\) \[2 3"):
            model.partial_fit(X, DIGITS)
        with pytest.raises(ValueError, match="not the same as on last call"):
            model.partial_fit(X, ODD, classes=[0, 1, 2])
        with pytest.raises(ValueError, match="X has 3 features, but ParallelPerceptron is expecting 64"):
            model.partial_fit(X[:, :3], ODD)
        with pytest.raises(ValueError, match=r"balanced.* is not supported for partial_fit"):
            model.set_params(class_weight="balanced").partial_fit(X, ODD)
        np.testing.assert_array_equal(model.coef_, before)

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"strategy": "both"}, "strategy='both': give one of 'ipm', 'one_shot'"),
            ({"mixing": "none"}, "mixing='none': give one of 'uniform', 'samples', 'errors'"),
            ({"n_shards": 0}, "n_shards=0"),
            ({"n_epochs": 1.5}, "n_epochs=1.5"),
            ({"validation_fraction": 1}, "validation_fraction=1"),
            ({"early_stopping": True, "strategy": "one_shot"}, "needs strategy='ipm'"),
            ({"base": Perceptron(penalty="l2")}, "penalty='l2'"),
        ],
    )
    def test_parameters(self, parameters: Any, message: str, inline: wrenml.Executor) -> None:
        with pytest.raises(ValueError, match=message):
            ParallelPerceptron(executor=inline, **parameters).fit(X, ODD)

    def test_another_base(self, inline: wrenml.Executor) -> None:
        with pytest.raises(TypeError, match="give a Perceptron"):
            ParallelPerceptron(SGDClassifier(), executor=inline).fit(X, ODD)

    def test_not_fitted(self, inline: wrenml.Executor) -> None:
        with pytest.raises(NotFittedError):
            ParallelPerceptron(executor=inline).predict(X)


NOT_EQUIVALENT = dict.fromkeys(
    ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"),
    "not so for scikit-learn's Perceptron either: a row met twice is two updates, a heavy one is one",
)


@pytest.mark.slow
def test_scikit_learns_checks(inline: wrenml.Executor) -> None:
    few = "it sets max_iter=1000; below, with as many epochs"
    expected = {**NOT_EQUIVALENT, "check_class_weight_classifiers": few}
    checks = check_estimator(ParallelPerceptron(executor=inline), expected_failed_checks=expected, on_skip=None)
    assert len(checks) > 40
    model = ParallelPerceptron(n_epochs=100, n_shards=2, average=False, executor=inline)
    check_class_weight_classifiers("ParallelPerceptron", model)
