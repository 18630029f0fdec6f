from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.svm import SVC

from wrenml import local_executor
from wrenml.errors import ConfigError
from wrenml.ml.backtest import Naive, backtest
from wrenml.ml.linear_model import ParallelPerceptron
from wrenml.ml.model_selection import GridSearchCV, cross_val_score
from wrenml.ml.sweep import sweep
from wrenml.ml.text import TfidfVectorizer

X, Y = [[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1]
USES: dict[str, Callable[[Any], object]] = {
    "search": lambda executor: GridSearchCV(SVC(), {"C": [1]}, cv=2, executor=executor).fit(X, Y),
    "scores": lambda executor: cross_val_score(SVC(), X, Y, cv=2, executor=executor),
    "perceptron": lambda executor: ParallelPerceptron(executor=executor).fit(X, Y),
    "text": lambda executor: TfidfVectorizer(executor=executor).fit(["one", "two"]),
    "sweep": lambda executor: sweep(dict, iter([{"x": 1}]), executor=executor),
    "backtest": lambda executor: backtest({"naive": Naive()}, {"a": [1.0, 2, 3]}, 1, 1, executor=executor),
}


@pytest.mark.parametrize("use", USES)
def test_what_is_no_executor_is_said_to_be_none(use: str) -> None:
    with pytest.raises(ConfigError, match=r"'local' is no wrenml executor; make one with wrenml.local_executor\(\)"):
        USES[use]("local")


def test_within_a_call_learning_stays_there_and_says_nothing() -> None:
    with local_executor(workers=1) as executor:
        futures = executor.map(lambda rows: ParallelPerceptron(n_shards=2).fit(rows, Y).classes_.tolist(), [X])

        assert futures.results(timeout=60) == [[0, 1]]
        assert futures.logs(0) == ""
