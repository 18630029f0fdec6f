from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

import wrenml
import wrenml.ml
from tests.support.joblib_tasks import fail, say, warn
from wrenml.events import CallsSettled, Event
from wrenml.testing.mocked import MockedAWS

assert wrenml.ml.__doc__  # importing it registers the backend

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def executor() -> Iterator[wrenml.Executor]:
    with MockedAWS(environments=2) as aws, aws.executor() as executor, parallel_config("wrenml", executor=executor):
        yield executor
        executor.shutdown(cancel_futures=True)


@pytest.mark.usefixtures("executor")
def test_what_tasks_say_and_raise_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    Parallel(n_jobs=2)(delayed(say)(i) for i in range(3))
    assert sorted(capsys.readouterr().out.splitlines()) == ["task 0", "task 1", "task 2"]
    with pytest.warns(RuntimeWarning, match="careful"):
        Parallel(n_jobs=2)(delayed(warn)(i) for i in range(2))
    with pytest.raises(LookupError, match="0") as caught:
        Parallel(n_jobs=2)(delayed(fail)(i) for i in range(3))
    assert "in fail" in str(caught.value.__cause__)


def test_a_search_has_the_same_numbers_in_few_invocations(executor: wrenml.Executor) -> None:
    calls = 0

    def count(event: Event) -> None:
        nonlocal calls
        if isinstance(event, CallsSettled):
            calls += event.succeeded

    X, y = load_iris(return_X_y=True)
    GridSearchCV(SVC(), {"C": [1]}, cv=2).fit(X, y)  # environments load scikit-learn
    executor.observe(count)
    search = GridSearchCV(SVC(), {"C": list(np.logspace(-2, 2, 12)), "gamma": [0.1, 1]}, refit=False)
    there = search.fit(X, y).cv_results_["mean_test_score"]
    with parallel_config("sequential"):
        here = search.fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(there, here)
    assert 0 < calls < 40
