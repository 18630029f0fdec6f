"""One candidate, model or parameter that ends its worker is a row that failed: the others are there."""

from __future__ import annotations

import importlib
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

import wrenml
from tests.support.emulated import aws, emulator
from wrenml.errors import FunctionNotSerializable
from wrenml.ml.backtest import backtest
from wrenml.ml.model_selection import GridSearchCV
from wrenml.ml.sweep import sweep
from wrenml.testing.emulator import Emulator

__all__ = ["aws", "emulator"]

X, Y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
SPLIT = [(np.arange(10), np.arange(10, 20))]
FAILED = {
    "memory": "wrenml.errors.WorkerOutOfMemory",
    "exit": "wrenml.errors.CallExited",
    "interrupt": "wrenml.errors.CallExited",
}


def do(deed: str) -> str:
    if deed == "memory":
        block = bytearray(900 << 20)
        block[::4096] = b"1" * len(block[::4096])
    elif deed == "exit":
        sys.exit("enough")
    elif deed == "interrupt":
        raise KeyboardInterrupt
    return deed


class Doing(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier that does something while it is fitted; as a function, a model of a backtest."""

    def __init__(self, deed: str = "") -> None:
        self.deed = deed

    def fit(self, X: Any, y: Any) -> Doing:  # noqa: ARG002  # scikit-learn's signature
        do(self.deed)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X), dtype=int)

    def __call__(self, train: Any, horizon: int) -> Any:
        do(self.deed)
        return np.full(horizon, train[-1])


def searched(executor: wrenml.Executor, deeds: list[str]) -> dict[str, str | None]:
    search = GridSearchCV(Doing(), {"deed": ["", *deeds]}, cv=SPLIT, refit=False, executor=executor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, Y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, *[True] * len(deeds)]
    assert len(search.evaluated) == 1 + len(deeds)
    return {each.params["deed"]: each.error and each.error.partition(":")[0] for each in search.evaluated}


def swept(executor: wrenml.Executor, deeds: list[str]) -> dict[str, str | None]:
    trials = sweep(do, {"deed": ["", *deeds]}, executor=executor)
    return {each.params["deed"]: None if each.error is None else each.error.type for each in trials}


def forecast(executor: wrenml.Executor, deeds: list[str]) -> dict[str, str | None]:
    models = {deed: Doing(deed) for deed in ["", *deeds]}
    found = backtest(models, {"one": X[:, 0]}, 2, 1, executor=executor)
    assert len(found) == len(models)
    return {each.model: None if each.error is None else each.error.type for each in found}


@pytest.fixture(scope="module")
def small() -> Iterator[wrenml.Executor]:
    with wrenml.local_executor(workers=2, memory_mb=500, infra_retries=0) as executor:
        yield executor


@pytest.mark.slow
@pytest.mark.parametrize("run", [searched, swept, forecast])
def test_whatever_ends_a_worker_is_a_row(run: Callable[..., Any], small: wrenml.Executor) -> None:
    assert run(small, list(FAILED)) == {"": None, **FAILED}


@pytest.fixture(scope="module")
def lambdas(emulator: Emulator) -> Iterator[wrenml.Executor]:
    emulator.install(memory_mb=(512,), isolated=False)
    with wrenml.aws_executor(progress=False, infra_retries=0) as executor:
        yield executor


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("run", [searched, swept, forecast])
def test_so_it_is_on_the_emulated_aws(run: Callable[..., Any], lambdas: wrenml.Executor) -> None:
    assert run(lambdas, list(FAILED)) == {"": None, **FAILED}


def test_a_model_that_workers_cannot_import_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from tests.ml.test_bad_candidates import Doing\nclass Apart(Doing): ...\ndef do(deed): ...\n"
    tmp_path.joinpath("apart.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    apart = importlib.import_module("apart")
    with wrenml.local_executor(workers=1, exclude_modules=["apart"]) as executor:
        with pytest.raises(ModuleNotFoundError) as caught:
            GridSearchCV(apart.Apart(), {"deed": [""]}, cv=2, executor=executor).fit(X, Y)
        assert any("workers see installed distributions" in note for note in caught.value.__notes__)
        [trial] = sweep(apart.do, {"deed": [""]}, executor=executor)
    assert trial.error is not None
    assert "workers see installed distributions" in trial.error.traceback
    assert "reproduce it here" not in trial.error.traceback


def test_what_cannot_be_pickled_is_named_by_its_parameter(two_workers: wrenml.Executor) -> None:
    lock = threading.Lock()

    def scorer(estimator: Any, X: Any, y: Any) -> float:
        with lock:
            return float(estimator.score(X, y))

    with pytest.raises(FunctionNotSerializable, match=r"scorer.*'lock'"):
        GridSearchCV(Doing(), {"deed": [""]}, scoring=scorer, cv=2, executor=two_workers).fit(X, Y)
