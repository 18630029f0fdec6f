"""scikit-learn's callbacks: they are told here what goes on in workers, as where all is fitted here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import sklearn.experimental.enable_halving_search_cv
import sklearn.model_selection
from joblib import parallel_config
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import wrenml
import wrenml.ml
import wrenml.ml.model_selection as ours
from wrenml.testing.mocked import MockedAWS

assert wrenml.ml.__doc__  # importing it registers the backend
pytest.importorskip("sklearn.callback", reason="there are callbacks from scikit-learn 1.9 on")

X, Y = load_iris(return_X_y=True)
X, Y = X[::3], Y[::3]
WEIGHTS = np.linspace(0.5, 1.5, len(X))


def plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if hasattr(value, "get_params"):
        return type(value).__name__, plain({name: each for name, each in vars(value).items() if name[0] != "_"})
    return {name: plain(each) for name, each in value.items()} if isinstance(value, dict) else value


class Diary:
    """Notes all that a callback is told, in the process that made it: so a copy of it is of no use."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.roots: set[Any] = set()

    def __reduce__(self) -> Any:
        raise TypeError("a diary is not sent anywhere")

    def _note(self, hook: str, estimator: Any, context: Any, **given: Any) -> None:
        self.roots.add(context.root_uuid)
        path = []
        while context is not None:
            task = context.estimator_name, context.task_name, context.task_id, context.max_subtasks
            merged = context.source_estimator_name, context.source_task_name
            path.append((*task, context.sequential_subtasks, *merged))
            context = context.parent
        params = sorted(each for each in estimator.get_params().items() if each[0] not in ("executor", "cache"))
        who = type(estimator).__name__, repr(params)
        self.told.append((tuple(reversed(path)), hook, who, plain(given)))

    def setup(self, estimator: Any, context: Any) -> None:
        self._note("setup", estimator, context)

    def teardown(self, estimator: Any, context: Any) -> None:
        self._note("teardown", estimator, context)

    def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Any, y: Any, metadata: Any) -> None:
        self._note("begin", estimator, context, X=X, y=y, metadata=metadata)

    def on_fit_task_end(self, estimator: Any, context: Any, *, X: Any, y: Any, fitted_estimator: Any) -> None:
        self._note("end", estimator, context, X=X, y=y, fitted_estimator=fitted_estimator)


class PropagatedDiary(Diary):
    max_propagation_depth: int | None = None


class ShallowDiary(Diary):
    max_propagation_depth = 1


def told(kind: Any, model: Callable[[], Any], grid: Any, fit: Any = None, **more: Any) -> tuple[list[Diary], Any]:
    """Fit a search with diaries on it, and on the last step of what it searches over."""
    diaries = [Diary(), PropagatedDiary(), ShallowDiary(), Diary()]
    estimator = model()
    inner = estimator[-1] if hasattr(estimator, "steps") else estimator
    if hasattr(inner, "set_callbacks"):
        inner.set_callbacks(diaries[-1])
    search = kind(estimator, grid, cv=2, **more).set_callbacks(*diaries[:-1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, Y, **(fit or {}))
    return diaries, search


CASES: dict[str, tuple[Any, ...]] = {
    "pipeline": (
        lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=3)),
        {"logisticregression__C": [0.1, 1.0]},
    ),
    "weights": (lambda: LogisticRegression(max_iter=3), {"C": [0.1, 1.0]}, {"sample_weight": WEIGHTS}),
    "no callbacks": (SVC, {"C": [1]}),
    "failing": (lambda: LogisticRegression(max_iter=3), {"C": [1.0, -1.0]}),
    "estimators": (lambda: make_pipeline(StandardScaler(), SVC()), {"svc": [SVC(), LogisticRegression(max_iter=2)]}),
}


@pytest.fixture(scope="module")
def serial() -> dict[str, Any]:
    with parallel_config("sequential"):
        return {name: told(sklearn.model_selection.GridSearchCV, *case) for name, case in CASES.items()}


def same(found: tuple[list[Diary], Any], expected: tuple[list[Diary], Any], *, ordered: bool) -> None:
    for diary, other in zip(found[0], expected[0], strict=True):
        assert len(diary.told) == len(other.told)
        order = (lambda each: each) if ordered else by_task
        assert order(diary.told) == order(other.told)
        assert len(diary.roots) == len(other.roots)
    np.testing.assert_array_equal(found[1].cv_results_["mean_test_score"], expected[1].cv_results_["mean_test_score"])


def by_task(told: list[Any]) -> list[Any]:
    """Sort by the task of the search; within one in order."""
    return sorted(told, key=lambda each: [(task[1] or "", task[2]) for task in each[0][1:3]])


@pytest.mark.parametrize("where", ["inline", "two_workers"])
@pytest.mark.parametrize("name", CASES)
def test_ours_tell_what_a_serial_search_tells(
    name: str, where: str, serial: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    found = told(ours.GridSearchCV, *CASES[name], executor=request.getfixturevalue(where))
    same(found, serial[name], ordered=True)


@pytest.mark.parametrize("name", CASES)
def test_the_joblib_backend_tells_it_too(name: str, serial: dict[str, Any], two_workers: wrenml.Executor) -> None:
    with parallel_config("wrenml", executor=two_workers):
        found = told(sklearn.model_selection.GridSearchCV, *CASES[name])
    same(found, serial[name], ordered=False)


@pytest.mark.slow
def test_so_it_is_in_rounds(two_workers: wrenml.Executor) -> None:
    case = CASES["pipeline"]
    rounds: dict[str, Any] = {"random_state": 0, "min_resources": 12}
    expected = told(sklearn.model_selection.HalvingGridSearchCV, *case, **rounds)
    same(told(ours.HalvingGridSearchCV, *case, executor=two_workers, **rounds), expected, ordered=True)


@pytest.mark.slow
def test_so_it_is_for_a_search_within_a_search(two_workers: wrenml.Executor) -> None:
    found = []
    kinds: list[tuple[Any, dict[str, Any]]] = [
        (sklearn.model_selection.GridSearchCV, {}),
        (ours.GridSearchCV, {"executor": two_workers}),
    ]
    for kind, more in kinds:
        diary = PropagatedDiary()
        inner = kind(LogisticRegression(max_iter=2), {"C": [0.1, 1.0]}, cv=2, **more)
        grid = {"standardscaler__with_mean": [True, False]}
        outer = kind(make_pipeline(StandardScaler(), inner), grid, cv=2, **more).set_callbacks(diary)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outer.fit(X, Y)
        found.append([(path, hook, estimator[0]) for path, hook, estimator, _ in diary.told])
    assert found[1] == found[0]


@pytest.fixture(scope="module")
def lambdas() -> Iterator[wrenml.Executor]:
    with MockedAWS(environments=2) as aws, aws.executor() as executor:
        yield executor
        executor.shutdown(cancel_futures=True)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["ours", "joblib"])
def test_so_it_is_where_workers_cannot_reach_the_caller(
    backend: str, serial: dict[str, Any], lambdas: wrenml.Executor
) -> None:
    if backend == "ours":
        found = told(ours.GridSearchCV, *CASES["pipeline"], executor=lambdas)
    else:
        with parallel_config("wrenml", executor=lambdas):
            found = told(sklearn.model_selection.GridSearchCV, *CASES["pipeline"])
    same(found, serial["pipeline"], ordered=backend == "ours")


def test_a_scoring_monitor_has_the_rows_of_a_serial_search(two_workers: wrenml.Executor) -> None:
    from sklearn.callback import ScoringMonitor  # noqa: PLC0415  # there is none before scikit-learn 1.9

    rows = []
    searches: list[tuple[Any, dict[str, Any]]] = [
        (sklearn.model_selection.GridSearchCV, {}),
        (ours.GridSearchCV, {"executor": two_workers}),
    ]
    for kind, more in searches:
        monitor = ScoringMonitor(scoring="accuracy")
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3).set_callbacks(monitor))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind(model, {"logisticregression__C": [0.1, 1.0]}, cv=2, **more).fit(X, Y)
        rows.append(monitor.get_logs().data)
    assert rows[1] == rows[0]
    assert len(rows[0]) > 4 * 3


class Failing(PropagatedDiary):
    def on_fit_task_end(self, estimator: Any, context: Any) -> None:  # type: ignore[override]
        super()._note("end", estimator, context)
        if estimator.__class__.__name__ == "LogisticRegression":
            raise LookupError("a hook that fails")


@pytest.mark.parametrize("backend", ["ours", "joblib"])
def test_what_a_hook_raises_ends_the_search(backend: str, two_workers: wrenml.Executor) -> None:
    failing, inner = Failing(), Diary()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3).set_callbacks(inner))
    kind: Any = sklearn.model_selection.GridSearchCV
    more = {}
    if backend == "ours":
        kind, more = ours.GridSearchCV, {"executor": two_workers}
    search = kind(model, {"logisticregression__C": [0.1, 1.0]}, cv=2, **more).set_callbacks(failing)
    with parallel_config("wrenml", executor=two_workers), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(LookupError, match="a hook that fails"):
            search.fit(X, Y)
    for diary in (failing, inner):
        hooks = [hook for _, hook, *_ in diary.told]
        assert hooks.count("setup") == hooks.count("teardown") > 0
