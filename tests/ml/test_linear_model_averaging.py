from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import (
    LogisticRegression,
    Perceptron,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import check_estimator

import wrenml
from wrenml.ml.linear_model import ParallelPartialFit, average_linear_models

X, Y = load_digits(return_X_y=True)
X, Y = X[:600] / 16, Y[:600]
FEATURES, TARGET = load_diabetes(return_X_y=True)
PARTS = np.array_split(np.arange(len(X)), 3)


class TestMean:
    @pytest.mark.parametrize(
        "model", [LogisticRegression(), RidgeClassifier(), LinearSVC(), SGDClassifier(random_state=0)], ids=str
    )
    @pytest.mark.parametrize("weights", [None, [1, 2, 5]])
    def test_of_classifiers(self, model: Any, weights: Any) -> None:
        models = [type(model)(**model.get_params()).fit(X[part], Y[part]) for part in PARTS]
        before = models[0].coef_.copy()
        mean = average_linear_models(iter(models), weights)
        for name in ("coef_", "intercept_"):
            stack = np.stack([getattr(each, name) for each in models])
            np.testing.assert_array_equal(getattr(mean, name), np.average(stack, axis=0, weights=weights))
        scores = [each.decision_function(X) for each in models]
        np.testing.assert_allclose(mean.decision_function(X), np.average(scores, axis=0, weights=weights), atol=1e-9)
        np.testing.assert_array_equal(models[0].coef_, before)

    @pytest.mark.parametrize(
        "model", [Ridge(), Ridge(fit_intercept=False), SGDRegressor(tol=None, max_iter=9)], ids=str
    )
    def test_of_regressors(self, model: Any) -> None:
        models = [type(model)(**model.get_params()).fit(FEATURES[some::3], TARGET[some::3]) for some in range(3)]
        mean = average_linear_models(models)
        expected = np.mean([each.predict(FEATURES) for each in models], axis=0)
        np.testing.assert_allclose(mean.predict(FEATURES), expected)

    def test_of_one_is_itself_and_sparse_is_dense(self) -> None:
        model = LogisticRegression().fit(X, Y)
        np.testing.assert_array_equal(average_linear_models([model]).coef_, model.coef_)
        dense = model.coef_.copy()
        np.testing.assert_array_equal(average_linear_models([model.sparsify()] * 2).coef_, dense)

    def test_of_what_has_none(self) -> None:
        with pytest.raises(ValueError, match="no models"):
            average_linear_models([])
        with pytest.raises(NotFittedError):
            average_linear_models([Ridge()])
        with pytest.raises(TypeError, match="has no coef_: only linear"):
            average_linear_models([DecisionTreeClassifier().fit(X, Y)])
        with pytest.raises(TypeError, match="coefficients of SVC cannot be set"):
            average_linear_models([SVC(kernel="linear").fit(X, Y)])

    def test_of_what_does_not_fit_together(self) -> None:
        ridge = Ridge().fit(X, Y)
        with pytest.raises(ValueError, match="give one kind"):
            average_linear_models([ridge, SGDRegressor().fit(X, Y)])
        with pytest.raises(ValueError, match="have different features"):
            average_linear_models([ridge, Ridge().fit(X[:, :3], Y)])
        with pytest.raises(ValueError, match="classes=all of them"):
            average_linear_models([Perceptron().fit(X, Y), Perceptron().fit(X[Y > 1], Y[Y > 1])])
        for weights in ([1], [1, -1], [0, 0], [1, np.nan]):
            with pytest.raises(ValueError, match="weights"):
                average_linear_models([ridge, ridge], weights)


class TestPartialFit:
    @pytest.mark.parametrize(
        "model", [SGDClassifier(random_state=0), MultinomialNB(), GaussianNB(), Perceptron(random_state=1)], ids=str
    )
    def test_a_chain_is_partial_fit_here(self, model: Any, inline: wrenml.Executor) -> None:
        found = ParallelPartialFit(model, strategy="chain", n_shards=3, n_epochs=2, shuffle=False, executor=inline)
        found.fit(X, Y)
        expected = type(model)(**model.get_params())
        for _ in range(2):
            for part in PARTS:
                expected.partial_fit(X[part], Y[part], classes=range(10))
        np.testing.assert_array_equal(found.predict(X), expected.predict(X))
        assert found.score(X, Y) == expected.score(X, Y)
        assert found.classes_.tolist() == list(range(10))

    @pytest.mark.parametrize("mixing", ["uniform", "samples"])
    def test_an_average_is_the_mean_after_each_epoch(self, mixing: str, inline: wrenml.Executor) -> None:
        model = SGDClassifier("log_loss", random_state=0)
        weights = np.random.default_rng(0).integers(1, 4, len(X)).astype(float)
        found = ParallelPartialFit(model, n_shards=3, n_epochs=2, mixing=mixing, shuffle=False, executor=inline)
        found.fit(X, Y, sample_weight=weights)
        sizes = [1, 1, 1] if mixing == "uniform" else [weights[part].sum() for part in PARTS]
        np.testing.assert_allclose(found.shard_weights_, np.divide(sizes, np.sum(sizes)))
        mean: Any = None
        for _ in range(2):
            models = []
            for part in PARTS:
                each = SGDClassifier("log_loss", random_state=0)
                if mean is not None:
                    each.coef_, each.intercept_, each.t_ = mean.coef_.copy(), mean.intercept_.copy(), mean.t_
                models.append(each.partial_fit(X[part], Y[part], classes=range(10), sample_weight=weights[part]))
            mean = average_linear_models(models, found.shard_weights_)
        np.testing.assert_array_equal(found.estimator_.coef_, mean.coef_)
        np.testing.assert_array_equal(found.predict_proba(X), mean.predict_proba(X))

    def test_without_labels_and_for_numbers(self, inline: wrenml.Executor) -> None:
        scaler = ParallelPartialFit(MinMaxScaler(), strategy="chain", executor=inline).fit(X)
        np.testing.assert_array_equal(scaler.transform(X), MinMaxScaler().fit_transform(X))
        assert not hasattr(scaler, "predict")
        regressor = ParallelPartialFit(SGDRegressor(random_state=0), n_epochs=20, random_state=0, executor=inline)
        scaled = StandardScaler().fit_transform(FEATURES)
        assert regressor.fit(scaled, TARGET).score(scaled, TARGET) > 0.45

    def test_refusals(self, inline: wrenml.Executor) -> None:
        with pytest.raises(TypeError, match="LogisticRegression has no partial_fit"):
            ParallelPartialFit(LogisticRegression(), executor=inline).fit(X, Y)
        with pytest.raises(TypeError, match="only linear models have a mean"):
            ParallelPartialFit(GaussianNB(), executor=inline).fit(X, Y)
        with pytest.raises(ValueError, match="cannot learn on from a mean"):
            ParallelPartialFit(SGDClassifier(average=True), n_epochs=2, executor=inline).fit(X, Y)
        with pytest.raises(ValueError, match="strategy='mean'"):
            ParallelPartialFit(SGDClassifier(), strategy="mean", executor=inline).fit(X, Y)
        with pytest.raises(ValueError, match="contains NaN"):
            ParallelPartialFit(SGDClassifier(), executor=inline).fit([[np.nan], [1]], [0, 1])


@pytest.mark.parametrize("strategy", ["average", "chain"])
def test_what_an_estimator_refuses_names_the_shard(strategy: str, inline: wrenml.Executor) -> None:
    bad = np.where(np.arange(len(X))[:, np.newaxis] < PARTS[2][0], X, -X)
    model = ParallelPartialFit(_Proud(), strategy=strategy, n_shards=3, shuffle=False, executor=inline)
    with pytest.raises(ValueError, match="no negative numbers") as raised:
        model.fit(bad, Y)
    assert raised.value.__notes__ == ["It was raised while shard 2 was learned."]


class _Proud(SGDClassifier):  # type: ignore[misc]  # scikit-learn has no types
    def partial_fit(self, X: Any, y: Any, **more: Any) -> Any:
        if X.min() < 0:
            raise ValueError("no negative numbers, please")
        return super().partial_fit(X, y, **more)


@pytest.mark.slow
def test_scikit_learns_checks(inline: wrenml.Executor) -> None:
    expected = dict.fromkeys(
        ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"),
        "not so for the estimator itself: it is declared so in scikit-learn's own tests",
    )
    estimator = ParallelPartialFit(SGDClassifier(), executor=inline)
    assert len(check_estimator(estimator, expected_failed_checks=expected, on_skip=None)) > 40
