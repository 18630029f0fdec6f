"""Linear models by gradients over shards, and by SGD mixed after each epoch, beside scikit-learn's."""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model
import sklearn.svm
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_class_weight_classifiers, check_estimator

import wrenml
from wrenml.ml import model_selection
from wrenml.ml.datasets import ShardedDataset
from wrenml.ml.linear_model import (
    LearningRound,
    LearningState,
    LinearSVC,
    LogisticRegression,
    ParallelPartialFit,
    ParallelPerceptron,
    ParallelSGDClassifier,
    history_to_frame,
)
from wrenml.ml.linear_model.gradients import Gradient
from wrenml.ml.linear_model.shards import Shard

X, DIGITS = load_digits(return_X_y=True)
X, DIGITS = X[:200, 18:30] / 16, DIGITS[:200] % 5
ODD = DIGITS % 2
FORMS = {"dense": X, "sparse": sparse.csr_matrix(X), "floats": X.astype(np.float32)}
WEIGHTS = np.random.default_rng(1).integers(0, 4, len(X)) / 2


def same(found: Any, expected: Any) -> None:
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    np.testing.assert_array_equal(found.intercept_, expected.intercept_)


def close(found: Any, expected: Any, tolerance: float) -> None:
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(found.intercept_, expected.intercept_, rtol=tolerance, atol=tolerance)


class TestGradient:
    @pytest.mark.parametrize("loss", ["multinomial", "log_loss", "squared_hinge", "modified_huber"])
    @pytest.mark.parametrize("y", [DIGITS, ODD], ids=["five", "two"])
    def test_shards_add_up(self, loss: str, y: Any) -> None:
        classes = np.unique(y)
        task = Gradient(loss, classes, np.linspace(1, 2, len(classes)), fit_intercept=True)
        problems = 1 if len(classes) == 2 else len(classes)
        vector = np.random.default_rng(0).normal(size=problems * 13)
        whole = task(vector, Shard(X, y, WEIGHTS), 0)
        parts = [task(vector, Shard(X[i::3], y[i::3], WEIGHTS[i::3]), i) for i in range(3)]
        assert math.isclose(sum(part.loss for part in parts), whole.loss, rel_tol=1e-12)
        np.testing.assert_allclose(sum(part.vector for part in parts), whole.vector, rtol=1e-12, atol=1e-10)

    @pytest.mark.parametrize("loss", ["multinomial", "log_loss", "squared_hinge", "modified_huber"])
    def test_it_is_the_derivative(self, loss: str) -> None:
        task = Gradient(loss, np.arange(5), None, fit_intercept=True)
        shard = Shard(X[:50], DIGITS[:50])
        rng = np.random.default_rng(0)
        vector, direction = rng.normal(size=(2, 5 * 13))
        step = 1e-6
        slope = (task(vector + step * direction, shard, 0).loss - task(vector - step * direction, shard, 0).loss) / 2e-6
        assert math.isclose(slope, task(vector, shard, 0).vector @ direction, rel_tol=1e-6)

    def test_many_rows_are_taken_in_blocks(self) -> None:
        rows = np.random.default_rng(0).normal(size=(3000, 3000)).astype(np.float32)
        labels = (rows[:, 0] > 0).astype(int)
        task = Gradient("log_loss", np.arange(2), None, fit_intercept=True)
        vector = np.full(3001, 0.01)
        found = task(vector, Shard(rows, labels), 0)
        expected = task(vector, Shard(rows.astype(np.float64), labels), 0)
        assert math.isclose(found.loss, expected.loss, rel_tol=1e-12)
        np.testing.assert_allclose(found.vector, expected.vector, rtol=1e-9, atol=1e-9)


class TestLogisticRegression:
    @pytest.mark.parametrize("y", [DIGITS, ODD], ids=["five", "two"])
    @pytest.mark.parametrize(
        ("form", "more"),
        [
            ("dense", {}),
            ("dense", {"fit_intercept": False, "C": 0.1}),
            ("sparse", {"class_weight": "balanced"}),
            ("floats", {"class_weight": {1: 3.0}}),
        ],
    )
    def test_it_is_scikit_learns(self, form: str, y: Any, more: Any, inline: wrenml.Executor) -> None:
        exact = {"tol": 1e-7, "max_iter": 2000, **more}
        expected = sklearn.linear_model.LogisticRegression(**exact).fit(X, y, sample_weight=WEIGHTS)
        found = LogisticRegression(n_shards=2, executor=inline, **exact).fit(FORMS[form], y, sample_weight=WEIGHTS)
        close(found, expected, 1e-4)
        ours, theirs = (log_loss(y, model.predict_proba(X), sample_weight=WEIGHTS) for model in (found, expected))
        assert math.isclose(ours, theirs, rel_tol=1e-6)
        np.testing.assert_allclose(found.predict_log_proba(X), np.log(found.predict_proba(X)), atol=1e-12)
        np.testing.assert_array_equal(found.predict(X), expected.predict(X))

    def test_the_objective_is_theirs(self, inline: wrenml.Executor) -> None:
        def objective(model: Any) -> float:
            losses = log_loss(DIGITS, model.predict_proba(X), normalize=False)
            return float(losses + 0.5 * np.square(model.coef_).sum())

        expected = sklearn.linear_model.LogisticRegression(tol=1e-7, max_iter=2000).fit(X, DIGITS)
        found = LogisticRegression(tol=1e-7, max_iter=2000, n_shards=2, executor=inline).fit(X, DIGITS)
        assert math.isclose(objective(found), objective(expected), rel_tol=1e-10)
        assert math.isclose(found.history_[-1].loss, objective(found) / len(X), rel_tol=1e-8)

    def test_without_a_penalty(self, inline: wrenml.Executor) -> None:
        noisy = np.where(np.random.default_rng(0).random(len(X)) < 0.3, 1 - ODD, ODD)
        found = LogisticRegression(C=math.inf, tol=1e-7, max_iter=5000, executor=inline).fit(X[:, :4], noisy)
        expected = sklearn.linear_model.LogisticRegression(C=math.inf, tol=1e-7, max_iter=5000).fit(X[:, :4], noisy)
        close(found, expected, 1e-3)

    def test_too_few_iterations_are_told(self, inline: wrenml.Executor) -> None:
        with pytest.warns(ConvergenceWarning, match=r"LogisticRegression did not converge in max_iter=3"):
            LogisticRegression(max_iter=3, executor=inline).fit(X, ODD)

    def test_no_lower_loss_is_told(self, inline: wrenml.Executor) -> None:
        with pytest.warns(ConvergenceWarning, match=r"did not converge \(L-BFGS ended after 0 iterations") as seen:
            LogisticRegression(executor=inline).fit(X * 1e200, ODD)
        assert len(seen) == 1

    def test_what_broke_off_begins_anew(self, inline: wrenml.Executor) -> None:
        def broken(state: LearningState) -> None:
            raise InterruptedError(state.round.round)

        model = LogisticRegression(warm_start=True, callback=broken, executor=inline)
        with pytest.raises(InterruptedError):
            model.fit(X, ODD)
        with pytest.raises(NotFittedError):
            model.predict(X)
        same(model.set_params(callback=None).fit(X, ODD), LogisticRegression(executor=inline).fit(X, ODD))

    def test_a_warm_start_is_nearly_there(self, inline: wrenml.Executor) -> None:
        model = LogisticRegression(warm_start=True, executor=inline).fit(X, ODD)
        rounds = len(model.history_)
        assert len(model.fit(X, ODD).history_) < rounds / 3
        model.fit(X, DIGITS)  # other classes: from the beginning
        same(model, LogisticRegression(executor=inline).fit(X, DIGITS))


@pytest.mark.parametrize(
    ("y", "more"), [(DIGITS, {}), (ODD, {"fit_intercept": False}), (ODD, {"intercept_scaling": 10.0, "C": 0.1})]
)
def test_linear_svc_is_scikit_learns(y: Any, more: Any, inline: wrenml.Executor) -> None:
    expected = sklearn.svm.LinearSVC(dual=False, tol=1e-8, max_iter=100_000, **more).fit(X, y, sample_weight=WEIGHTS)
    found = LinearSVC(n_shards=2, tol=1e-7, max_iter=5000, executor=inline, **more).fit(X, y, sample_weight=WEIGHTS)
    close(found, expected, 1e-3)
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))


class TestSGD:
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("y", [DIGITS, ODD], ids=["five", "two"])
    @pytest.mark.parametrize(
        "more",
        [
            {"loss": "log_loss", "class_weight": {1: 2.0}},
            {"loss": "hinge", "penalty": "elasticnet", "learning_rate": "constant", "fit_intercept": False},
            {"loss": "modified_huber", "penalty": None, "learning_rate": "invscaling"},
        ],
        ids=lambda more: str(more["loss"]),
    )
    def test_one_shard_is_partial_fit_in_a_loop(self, form: str, y: Any, more: Any, inline: wrenml.Executor) -> None:
        rows = WEIGHTS > 0
        data, labels, weights = FORMS[form][rows], y[rows], WEIGHTS[rows]
        expected = sklearn.linear_model.SGDClassifier(shuffle=False, **({"eta0": 0.01} | more))
        for _ in range(3):
            expected.partial_fit(data, labels, classes=np.unique(y), sample_weight=weights)
        found = ParallelSGDClassifier(n_shards=1, n_epochs=3, shuffle=False, executor=inline, **more)
        same(found.fit(FORMS[form], y, sample_weight=WEIGHTS), expected)
        np.testing.assert_array_equal(found.predict(data), expected.predict(data))
        if more["loss"] != "hinge":
            # It predicts rows of 32 bits with as many; a mean of models has 64.
            exact = 1e-3 if form == "floats" else 0
            np.testing.assert_allclose(found.predict_proba(data), expected.predict_proba(data), rtol=exact, atol=exact)

    def test_an_epoch_is_the_weighted_mean(self, inline: wrenml.Executor) -> None:
        bounds = [slice(0, 25), slice(25, 200)]
        found = ParallelSGDClassifier(n_epochs=1, mixing="samples", shuffle=False, executor=inline)
        found.fit([(X[rows], DIGITS[rows]) for rows in bounds])
        models = [
            sklearn.linear_model.SGDClassifier(shuffle=False).partial_fit(X[rows], DIGITS[rows], classes=range(5))
            for rows in bounds
        ]
        np.testing.assert_array_equal(found.shard_weights_, [0.125, 0.875])
        expected = np.average([model.coef_ for model in models], axis=0, weights=[0.125, 0.875])
        np.testing.assert_array_equal(found.coef_, expected)

    def test_it_learns_and_says_so(self, inline: wrenml.Executor) -> None:
        model = ParallelSGDClassifier("log_loss", alpha=1e-2, n_epochs=40, random_state=0, executor=inline)
        model.fit(X, ODD)
        best = sklearn.linear_model.LogisticRegression().fit(X, ODD).score(X, ODD)
        assert model.score(X, ODD) > best - 0.05
        losses = [each.loss for each in model.history_]
        assert losses[0] == pytest.approx(math.log(2))
        assert losses[-1] < losses[0]
        assert model.n_iter_ == len(losses) < 40

    def test_a_seed_is_the_same_again(self, inline: wrenml.Executor) -> None:
        model = ParallelSGDClassifier(n_epochs=2, random_state=3, executor=inline).fit(X, ODD)
        same(clone(model).fit(X, ODD), model)
        assert (clone(model).set_params(random_state=4).fit(X, ODD).coef_ != model.coef_).any()

    def test_a_warm_start_goes_on(self, inline: wrenml.Executor) -> None:
        model = ParallelSGDClassifier(n_epochs=2, tol=None, shuffle=False, warm_start=True, random_state=0)
        model.set_params(executor=inline).fit(X, ODD).fit(X, ODD)
        same(model, clone(model).set_params(n_epochs=4).fit(X, ODD))

    def test_probabilities_are_there_where_the_loss_has_them(self) -> None:
        assert hasattr(ParallelSGDClassifier("modified_huber"), "predict_proba")
        assert not hasattr(ParallelSGDClassifier("hinge"), "predict_proba")


MODELS: dict[str, Callable[..., Any]] = {
    "logistic": lambda **more: LogisticRegression(tol=1e-2, **more),
    "svc": lambda **more: LinearSVC(tol=1e-2, **more),
    "sgd": lambda **more: ParallelSGDClassifier(n_epochs=3, shuffle=False, random_state=0, **more),
}
models = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())


class TestData:
    @models
    def test_rows_shards_and_a_data_set_are_the_same(
        self, model: Callable[..., Any], two_workers: wrenml.Executor, inline: wrenml.Executor, tmp_path: Path
    ) -> None:
        words = np.array(["even", "odd"])[ODD]
        expected = model(n_shards=4, executor=inline).fit(X, words)
        bounds = [slice(start, start + 50) for start in range(0, 200, 50)]
        same(model(executor=inline).fit((X[rows], words[rows]) for rows in bounds), expected)
        dataset = ShardedDataset.from_arrays(X, words, url=tmp_path / "digits", rows_per_shard=50)
        found = model(executor=two_workers).fit(dataset)
        same(found, expected)
        assert found.classes_.tolist() == ["even", "odd"]
        assert found.n_features_in_ == 12

    @models
    def test_a_shard_may_lack_classes(self, model: Callable[..., Any], inline: wrenml.Executor) -> None:
        rows = np.argsort(DIGITS)
        found = model(executor=inline).fit((X[part], DIGITS[part]) for part in np.split(rows, [41, 79]))
        assert found.classes_.tolist() == list(range(5))
        assert found.coef_.shape == (5, 12)

    @models
    def test_indices_of_64_bits(self, model: Callable[..., Any], inline: wrenml.Executor) -> None:
        wide = sparse.csr_array((X[X > 0], np.nonzero(X > 0)), shape=X.shape)
        wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
        expected = model(executor=inline).fit(sparse.csr_array(X), ODD)
        same(model(executor=inline).fit(wide, ODD), expected)
        same(model(executor=inline, n_shards=1).fit([(wide, ODD)]), model(executor=inline, n_shards=1).fit(wide, ODD))

    def test_names_of_columns_are_forgotten_with_the_fit(self, inline: wrenml.Executor) -> None:
        frame = pd.DataFrame(X, columns=[f"x{column}" for column in range(12)])
        model = LogisticRegression(executor=inline, tol=1e-2).fit(frame, ODD)
        assert not hasattr(model.fit([(X, ODD)]), "feature_names_in_")

    def test_a_data_set_is_not_read_here(self, inline: wrenml.Executor, tmp_path: Path) -> None:
        dataset = ShardedDataset.from_arrays(X, ODD, url=tmp_path)
        for model in (LogisticRegression(tol=1e-2), ParallelPerceptron(), ParallelPartialFit(SGDClassifier())):
            model.set_params(executor=inline).fit(dataset)
            with pytest.raises(ValueError, match=r"dataset\.map\(lambda X, y: model\.predict\(X\)\)"):
                model.predict(dataset)
            with pytest.raises(ValueError, match="a data set brings its own labels"):
                model.fit(dataset, ODD)
            with pytest.raises(ValueError, match="sample_weight= is for rows"):
                model.fit(dataset, sample_weight=WEIGHTS)

    def test_weights_of_shards(self, inline: wrenml.Executor) -> None:
        model = LogisticRegression(n_shards=2, executor=inline)
        expected = clone(model).fit(X, ODD, sample_weight=WEIGHTS + 1)
        found = clone(model).fit([(X[rows], ODD[rows], WEIGHTS[rows] + 1) for rows in (slice(100), slice(100, None))])
        same(found, expected)

    @models
    @pytest.mark.parametrize(
        ("more", "message"),
        [
            ((np.zeros((0, 12)), []), "shard 1: Found array with 0 sample"),
            ((X[:, :5], ODD), "shard 1: X has 5 features, but shard 0 has 12"),
            ((np.where(X == 0, np.nan, X), ODD), "shard 1: Input.* contains NaN"),
            ((X, ODD[:5]), "shard 1: .*inconsistent numbers of samples"),
            (X[:2], r"shard 1 is ndarray: give \(X, y\) or"),
        ],
    )
    def test_bad_shards(self, model: Callable[..., Any], more: Any, message: str, inline: wrenml.Executor) -> None:
        with pytest.raises(ValueError, match=message):
            model(executor=inline).fit(iter([(X, ODD), more]))

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ((np.where(X == 0, np.nan, X), ODD), "shard 0: Input.* contains NaN"),
            ((X, None), "shard 0: .*no labels"),
            ((X, np.zeros(len(X))), "number of classes has to be greater than one; got 1 class"),
        ],
    )
    def test_bad_data_sets(self, arrays: Any, message: str, inline: wrenml.Executor, tmp_path: Path) -> None:
        dataset = ShardedDataset.from_arrays(*arrays, url=tmp_path / "bad", rows_per_shard=100)
        with pytest.raises(ValueError, match=message):
            LogisticRegression(executor=inline).fit(dataset)

    @models
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([],), "there are no shards"),
            ((X,), "requires y to be passed"),
            ((X, np.ones(len(X))), "number of classes has to be greater than one"),
            ((X, np.linspace(0, 1, len(X))), "Unknown label type"),
            (([(X, ODD)], None, WEIGHTS), "sample_weight= is for rows"),
        ],
    )
    def test_bad_data(self, model: Callable[..., Any], arguments: Any, message: str, inline: wrenml.Executor) -> None:
        with pytest.raises(ValueError, match=message):
            model(executor=inline).fit(*arguments)

    @pytest.mark.parametrize(
        ("model", "message"),
        [
            (LogisticRegression(C=0), "C=0: give a number above 0"),
            (LogisticRegression(tol=-1), "tol=-1"),
            (LogisticRegression(n_shards=0), "n_shards=0"),
            (LogisticRegression(checkpoint="../mine"), "checkpoint='../mine': give a name"),
            (ParallelSGDClassifier(checkpoint=""), "checkpoint='': give a name"),
            (LinearSVC(intercept_scaling=0), "intercept_scaling=0"),
            (LinearSVC().set_params(intercept_scaling="1"), "intercept_scaling='1': give a number above 0"),
            (LogisticRegression(class_weight={0: 0, 1: 0}), "the weights of all rows sum to 0.0"),
            (ParallelSGDClassifier(class_weight={0: 0, 1: 0}), "the weights of all rows sum to 0.0"),
            (LinearSVC(class_weight="fair"), "class_weight"),
            (ParallelSGDClassifier("squared_error"), "loss='squared_error': give one of 'log_loss'"),
            (ParallelSGDClassifier(mixing="errors"), "mixing='errors': give one of 'uniform', 'samples'"),
            (ParallelSGDClassifier(n_epochs=0), "n_epochs=0"),
            (ParallelSGDClassifier(alpha=-1), "alpha"),
        ],
        ids=str,
    )
    def test_bad_parameters(self, model: Any, message: str, inline: wrenml.Executor) -> None:
        with pytest.raises(ValueError, match=message):
            model.set_params(executor=inline).fit(X, ODD)

    @models
    def test_not_fitted(self, model: Callable[..., Any]) -> None:
        with pytest.raises(NotFittedError):
            model().predict(X)


class TestRounds:
    @models
    def test_workers_change_nothing(
        self, model: Callable[..., Any], inline: wrenml.Executor, two_workers: wrenml.Executor
    ) -> None:
        here = model(n_shards=5, executor=inline).fit(X, DIGITS)
        there = model(n_shards=5, executor=two_workers).fit(X, DIGITS)
        same(there, here)
        assert [each.loss for each in there.history_] == [each.loss for each in here.history_]

    def test_time_by_phase(self, two_workers: wrenml.Executor) -> None:
        wide = np.random.default_rng(0).normal(size=(200, 4000))  # a model that does not travel with the arguments
        model = LogisticRegression(executor=two_workers, n_shards=2).fit(wide, ODD[:200])
        for each in model.history_:
            assert isinstance(each, LearningRound)
            assert min(each.fetch, each.load, each.compute) > 0
            assert each.send >= 0
            assert not each.kept
            assert (each.fetch + each.load + each.compute) / 2 <= each.seconds
        table = history_to_frame(model)
        assert list(table) == ["round", "loss", "seconds", "fetch", "load", "compute", "send", "kept", "total"]
        assert table["total"].iloc[-1] == pytest.approx(sum(each.seconds for each in model.history_))
        pickle.loads(pickle.dumps(model)).executor.shutdown()
        with pytest.raises(TypeError, match="LogisticRegression has no history_: give a fitted"):
            history_to_frame(LogisticRegression())

    def test_a_callback_sees_each_round_and_may_stop(self, inline: wrenml.Executor) -> None:
        seen: list[LearningState] = []

        def enough(state: LearningState) -> bool:
            seen.append(state)
            return state.round.loss < 0.6

        model = LogisticRegression(callback=enough, executor=inline).fit(X, ODD)
        assert [each.round for each in seen] == model.history_ == seen[-1].history
        assert seen[-2].round.loss >= 0.6 > seen[-1].round.loss
        np.testing.assert_array_equal(model.coef_, seen[-1].coef)
        np.testing.assert_array_equal(model.intercept_, seen[-1].intercept)
        sgd = ParallelSGDClassifier(callback=lambda state: state.round.round == 1, tol=None, executor=inline)
        assert sgd.fit(X, ODD).n_iter_ == 2


KILLED = """
import os, sys
import numpy as np
import wrenml
from sklearn.datasets import load_digits
from wrenml.ml.linear_model import LogisticRegression, ParallelSGDClassifier

X, y = load_digits(return_X_y=True)
X, y = X[:200, 18:30] / 16, y[:200] % 5

def die(state):
    if state.round.round == 4:
        os._exit(9)

for model in (
    LogisticRegression(checkpoint="killed"),
    ParallelSGDClassifier(n_epochs=8, tol=None, random_state=0, checkpoint="killed"),
):
    if type(model).__name__ == sys.argv[1]:
        with wrenml.local_executor(workers=1) as executor:
            model.set_params(executor=executor, callback=die).fit(X, y)
"""


class TestCheckpoints:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "model",
        [LogisticRegression(), ParallelSGDClassifier(n_epochs=8, tol=None, random_state=0)],
        ids=lambda model: type(model).__name__,
    )
    def test_a_killed_fit_goes_on_in_another_process(
        self, model: Any, two_workers: wrenml.Executor, inline: wrenml.Executor
    ) -> None:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(KILLED), type(model).__name__],
            env={**os.environ, "WRENML_PROGRESS": "0"}, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 9, done.stderr
        found = clone(model).set_params(checkpoint="killed", executor=two_workers).fit(X, DIGITS)
        expected = clone(model).set_params(executor=inline).fit(X, DIGITS)
        same(found, expected)
        assert [each.kept for each in found.history_] == [True] * 5 + [False] * (len(found.history_) - 5)
        assert [each.loss for each in found.history_] == [each.loss for each in expected.history_]

    def test_what_is_kept_is_found_for_the_same_data_only(self, inline: wrenml.Executor) -> None:
        model = LogisticRegression(checkpoint="mine", executor=inline).fit(X, ODD)
        again = clone(model).fit(X, ODD)
        assert all(each.kept for each in again.history_)
        same(again, model)
        # The penalty is no business of the shards': the first round, of the model zero, is the same.
        other = clone(model).set_params(C=0.5).fit(X, ODD)
        assert other.history_[0].kept
        assert not other.history_[-1].kept
        changed = clone(model).fit(np.where(X == 1, 0.5, X), ODD)
        assert not any(each.kept for each in changed.history_)

    def test_damage_is_not_used(self, inline: wrenml.Executor, caplog: pytest.LogCaptureFixture) -> None:
        model = ParallelSGDClassifier(n_epochs=3, random_state=0, checkpoint="hurt", executor=inline).fit(X, ODD)
        keys = list(inline.storage.list("checkpoints/hurt/"))
        assert len(keys) == 3
        whole = bytes(inline.storage.get(keys[0]))
        inline.storage.put(keys[0], whole[: len(whole) // 2])
        inline.storage.put(keys[1], b"nothing")
        again = clone(model).fit(X, ODD)
        same(again, model)
        assert sum(each.kept for each in again.history_) == 1
        assert len([record for record in caplog.records if "does not hold a round" in record.message]) == 2


class TestSearch:
    def test_a_search_on_workers_runs_rounds_there(self, two_workers: wrenml.Executor) -> None:
        grid = {"C": [0.01, 1.0]}
        ours = model_selection.GridSearchCV(
            LogisticRegression(n_shards=2), grid, cv=2, executor=two_workers, refit=False
        )
        theirs = GridSearchCV(sklearn.linear_model.LogisticRegression(), grid, cv=2, refit=False)
        found = ours.fit(X, ODD).cv_results_["mean_test_score"]
        np.testing.assert_allclose(found, theirs.fit(X, ODD).cv_results_["mean_test_score"])


UNEQUAL = dict.fromkeys(
    ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"),
    "not so for scikit-learn's SGDClassifier either: a row met twice is two steps, a heavy one is one",
)


@pytest.mark.slow
class TestScikitLearnsChecks:
    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    @pytest.mark.parametrize("model", [LogisticRegression(), LinearSVC()], ids=lambda model: type(model).__name__)
    def test_full_batches(self, model: Any, inline: wrenml.Executor) -> None:
        assert len(check_estimator(model.set_params(executor=inline, n_shards=2), on_skip=None)) > 40

    def test_sgd(self, inline: wrenml.Executor) -> None:
        few = "it sets max_iter=1000; below, with as many epochs"
        expected = {**UNEQUAL, "check_class_weight_classifiers": few}
        model = ParallelSGDClassifier(random_state=0, executor=inline)
        assert len(check_estimator(model, expected_failed_checks=expected, on_skip=None)) > 40
        more = clone(model).set_params(n_epochs=300, n_shards=2, tol=None)
        check_class_weight_classifiers("ParallelSGDClassifier", more)
