"""What a search does beyond scikit-learn's, and what becomes of what goes wrong."""

from __future__ import annotations

import ast
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn.model_selection
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.datasets import load_iris
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import wrenml
import wrenml.ml.model_selection as ours
from wrenml.errors import FunctionNotSerializable, WorkerCrashed
from wrenml.ml.model_selection.engine import Plan, groups_of, packed, run

X, Y = load_iris(return_X_y=True)
FITS: Counter[str] = Counter()


class Counted(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Notes each of its fits, where cells run in this process."""

    def __init__(self, name: str = "", *, draws: bool = False, random_state: Any = 0) -> None:
        self.name = name
        self.draws = draws
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Counted:  # noqa: ARG002  # scikit-learn's signature
        sys.modules[__name__].FITS[self.name] += 1
        self.seen_ = np.random.random() if self.draws else len(X)  # noqa: NPY002
        return self

    def transform(self, X: Any) -> Any:
        return X


# By name, as a module of the user's is: so that a cell in this process finds the counter.
sys.modules.setdefault(Counted.__module__, sys.modules[__name__])


@pytest.fixture(autouse=True)
def _no_fits() -> None:
    FITS.clear()


def test_a_shared_prefix_is_fitted_once_for_a_split(inline: wrenml.Executor) -> None:
    steps = Pipeline([("scale", Counted("scale")), ("turn", Counted("turn")), ("svc", SVC())])
    grid = {"turn__draws": [False], "turn__random_state": [1, 2], "svc__C": [0.1, 1, 10]}
    ours.GridSearchCV(steps, grid, cv=3, refit=False, executor=inline).fit(X, Y)
    assert Counter({"scale": 3, "turn": 2 * 3}) == FITS


def test_a_prefix_that_draws_is_fitted_for_each_candidate(inline: wrenml.Executor) -> None:
    steps = Pipeline([("scale", Counted("scale")), ("turn", Counted("turn", draws=True)), ("svc", SVC())])
    ours.GridSearchCV(steps, {"svc__C": [0.1, 1, 10]}, cv=3, refit=False, executor=inline).fit(X, Y)
    assert FITS["scale"] == 3
    assert FITS["turn"] >= 9


def test_a_prefix_without_a_seed_of_its_own_is_not_shared(inline: wrenml.Executor) -> None:
    steps = Pipeline([("scale", Counted("scale", random_state=None)), ("svc", SVC())])
    ours.GridSearchCV(steps, {"svc__C": [0.1, 1, 10]}, cv=3, refit=False, executor=inline).fit(X, Y)
    assert FITS["scale"] == 9


def test_a_pipeline_with_a_memory_of_its_own_is_left_alone(inline: wrenml.Executor, tmp_path: pathlib.Path) -> None:
    steps = Pipeline([("scale", StandardScaler()), ("svc", SVC())], memory=str(tmp_path))
    ours.GridSearchCV(steps, {"svc__C": [0.1, 1]}, cv=2, refit=False, executor=inline).fit(X, Y)
    assert list(tmp_path.iterdir())


def test_cells_that_share_are_grouped_and_cut_for_the_workers() -> None:
    items = [(candidate, split) for candidate in range(24) for split in range(2)]
    keys: list[tuple[int, ...]] = [(0, candidate % 2) if candidate < 20 else () for candidate in range(24)]
    alone = [group for group in groups_of(items, keys, 1) if len(group) == 1]
    assert sorted(items[group[0]] for group in alone) == [(c, s) for c in range(20, 24) for s in range(2)]
    for workers in (1, 8):
        groups = groups_of(items, keys, workers)
        assert sorted(number for group in groups for number in group) == list(range(len(items)))
        for group in groups:
            assert len({(items[number][1], keys[items[number][0]]) for number in group}) == 1
    assert len(groups_of(items, keys, 8)) > len(groups_of(items, keys, 1))


def test_small_groups_that_share_their_first_step_are_joined_but_for_the_last() -> None:
    items = [(candidate, split) for split in range(3) for candidate in range(12)]
    keys = [(candidate % 2, candidate % 4) for candidate in range(12)]
    joined = groups_of(items, keys, 2)
    assert sorted(number for group in joined for number in group) == list(range(len(items)))
    assert [len(group) for group in joined] == [6, 6, 6, 6, 3, 3, 3, 3]
    for group in joined:
        assert len({(items[number][1], keys[items[number][0]][0]) for number in group}) == 1
    assert {len(group) for group in groups_of(items, keys, 8)} == {3}
    large = [(candidate, split) for split in range(3) for candidate in range(48)]
    assert {len(group) for group in groups_of(large, [(c % 2, c % 4) for c in range(48)], 2)} == {12}


def test_cells_are_packed_by_what_one_takes(two_workers: wrenml.Executor) -> None:
    plan = Plan(two_workers, "packing")
    assert [len(group) for group in packed(range(10), 60.0, plan)] == [1] * 10
    short = packed(range(10_000), 0.001, plan)
    assert {len(group) for group in short[:-1]} == {50}
    assert len(packed(range(100), 1e-6, plan)) >= 2 * plan.workers
    assert [len(group) for group in packed(range(10), np.inf, plan)] == [1] * 10


def test_a_lost_call_does_not_count_as_a_short_one(inline: wrenml.Executor) -> None:
    def task(number: int) -> int:
        if number < 3:
            sys.exit(1)
        return number

    started: list[int] = []
    plan = Plan(inline, "lost", started=lambda calls: started.append(len(calls)))
    found = run(plan, task, [(number,) for number in range(20)], lost=lambda number, _: -number)
    assert found == [0, -1, -2, *range(3, 20)]
    assert started == [3, 17]


def test_data_is_stored_once() -> None:
    large = np.random.default_rng(0).random((2500, 50))  # 1 MB
    target = (large[:, 0] > 0.5).astype(int)
    with wrenml.local_executor(workers=1) as executor:
        folder = pathlib.Path(executor.storage.url.removeprefix("file://")).parent
        search = ours.GridSearchCV(make_pipeline(StandardScaler(), Stub()), {"stub__value": list(range(12))}, cv=5)
        search.set_params(executor=executor, refit=False)
        before = stored(folder)
        search.fit(large, target)
        first = stored(folder)
        search.fit(large.copy(), target.copy())
        second = stored(folder)
    assert first - before < 1.25 * large.nbytes
    assert second - first < 100_000


def stored(folder: pathlib.Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Stub(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Learns nothing."""

    def __init__(self, value: Any = 0, deed: Callable[[], object] | None = None) -> None:
        self.value = value
        self.deed = deed

    def fit(self, X: Any, y: Any) -> Stub:  # noqa: ARG002  # scikit-learn's signature
        self.classes_ = np.unique(y)
        if self.deed is not None:
            self.deed()
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.value)


def die() -> None:
    os.kill(os.getpid(), 9)


@pytest.mark.slow
def test_a_cell_that_kills_its_worker_is_a_row_that_failed() -> None:
    with wrenml.local_executor(workers=2, infra_retries=0) as executor:
        search = ours.GridSearchCV(Stub(), {"deed": [None, die]}, cv=2, refit=False, executor=executor)
        with warnings.catch_warnings(record=True) as given:
            warnings.simplefilter("always")
            search.fit(X, Y)
        assert "2 fits failed out of a total of 4" in str(given[0].message)
        assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]
        errors = [each.error for each in search.evaluated if each.params["deed"] is die]
        assert len(errors) == 2
        assert all(str(error).startswith("wrenml.errors.") for error in errors)
        search.set_params(error_score="raise", param_grid={"deed": [die]}, cv=[next(KFold(2).split(X))])
        with pytest.raises(WorkerCrashed):
            search.fit(X, Y)


def test_what_cannot_be_pickled_is_named(two_workers: wrenml.Executor) -> None:
    lock = threading.Lock()

    def scorer(estimator: Any, X: Any, y: Any) -> float:
        with lock:
            return float(estimator.score(X, y))

    with pytest.raises(FunctionNotSerializable, match="lock"):
        ours.GridSearchCV(SVC(), {"C": [1]}, scoring=scorer, executor=two_workers).fit(X, Y)


def test_splits_from_a_generator(two_workers: wrenml.Executor) -> None:
    splits = (pair for pair in [(np.arange(0, 150, 2), np.arange(1, 150, 2))])
    search = ours.GridSearchCV(SVC(), {"C": [1, 10]}, cv=splits, executor=two_workers).fit(X, Y)
    assert search.n_splits_ == 1


def test_the_lowest_failure_is_raised_and_the_rest_is_not_waited_for(two_workers: wrenml.Executor) -> None:
    def fail(number: int) -> Callable[[], object]:
        def deed() -> None:
            raise RuntimeError(f"deed {number}")

        return deed

    grid = {"deed": [None, fail(1), fail(2), None, None]}
    search = ours.GridSearchCV(Stub(), grid, cv=2, error_score="raise", executor=two_workers)
    with pytest.raises(RuntimeError, match="deed 1"):
        search.fit(X, Y)
    assert not hasattr(search, "cv_results_")


def test_a_search_may_search_inside(two_workers: wrenml.Executor) -> None:
    inner = ours.GridSearchCV(SVC(), {"C": [0.1, 1]}, cv=2, executor=two_workers)
    found = ours.cross_val_score(inner, X, Y, cv=3, executor=two_workers)
    theirs = sklearn.model_selection.GridSearchCV(SVC(), {"C": [0.1, 1]}, cv=2)
    expected = sklearn.model_selection.cross_val_score(theirs, X, Y, cv=3)
    np.testing.assert_array_equal(found, expected)


def test_output_and_warnings_of_cells(two_workers: wrenml.Executor, capsys: pytest.CaptureFixture[str]) -> None:
    def deed() -> None:
        warnings.warn("careful", RuntimeWarning, stacklevel=1)

    search = ours.GridSearchCV(Stub(), {"value": [0, 1], "deed": [deed]}, cv=2, verbose=3, executor=two_workers)
    with pytest.warns(RuntimeWarning, match="careful"):
        search.fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Fitting 2 folds for each of 2 candidates, totalling 4 fits"
    assert [line[:12] for line in lines[1:]] == ["[CV 1/2] END", "[CV 2/2] END"] * 2
    assert all("value=" in line and "score=" in line for line in lines[1:])


def test_a_search_is_an_estimator(two_workers: wrenml.Executor) -> None:
    search = ours.GridSearchCV(SVC(), {"C": [1]}, executor=two_workers, cache="some", n_jobs=1)
    again = clone(search)
    assert again.executor is two_workers
    assert again.get_params()["cache"] == "some"
    assert "executor" in search.get_params()
    with pytest.raises(ValueError, match="cache"):
        ours.GridSearchCV(SVC(), {"C": [1]}).set_params(cache=7).fit(X, Y)
    assert ours.GridSearchCV(SVC(), {"C": [1]}, executor=two_workers, n_jobs=1).fit(X, Y).predict(X).shape == (150,)


# Watching and stopping


def test_cells_stream_while_the_search_runs(two_workers: wrenml.Executor) -> None:
    search = ours.GridSearchCV(SVC(), {"C": [0.1, 1, 10]}, cv=2, executor=two_workers)
    seen = list(search.as_completed(X, Y))
    assert sorted((each.params["C"], each.split) for each in seen) == [(c, s) for c in (0.1, 1, 10) for s in (0, 1)]
    assert search.best_params_["C"] in (0.1, 1, 10)
    frame = search.to_frame()
    assert sorted(frame.columns) == sorted(
        ["param_C", "split", "test_score", "fit_time", "score_time", "error", "reused", "dollars"]
    )
    by_candidate = frame.groupby("param_C")["test_score"].mean()
    np.testing.assert_allclose(by_candidate.to_numpy(), search.cv_results_["mean_test_score"])


def test_a_failed_fit_streams_with_its_traceback(two_workers: wrenml.Executor) -> None:
    search = ours.GridSearchCV(SVC(), {"C": [1, -1]}, cv=2, executor=two_workers, refit=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        errors = [each.error for each in search.as_completed(X, Y) if each.params["C"] == -1]
    assert len(errors) == 2
    assert all("Traceback" in str(error) and "'C' parameter" in str(error) for error in errors)


def test_leaving_the_stream_stops_the_search() -> None:
    with wrenml.local_executor(workers=1) as executor:
        hang = threading.Event

        def deed() -> None:
            hang().wait()

        search = ours.GridSearchCV(Stub(), {"deed": [None, deed]}, cv=2, executor=executor)
        for each in search.as_completed(X, Y):
            assert each.params["deed"] is None
            break
    assert not hasattr(search, "cv_results_")
    assert len(search.evaluated) >= 1


def test_an_interrupted_search_keeps_what_it_has(
    two_workers: wrenml.Executor, eventually: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    def hang() -> None:
        threading.Event().wait()

    search = ours.GridSearchCV(Stub(), {"value": [0, 1, 2], "deed": [None]}, cv=2, executor=two_workers)
    search.set_params(cache="interrupted", param_grid=[search.param_grid, {"value": [3], "deed": [hang]}])
    search.evaluated = []
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        try:
            eventually(lambda: len(search.evaluated) == 6, within=90)
        finally:
            signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    thread.join()
    assert "interrupted; GridSearchCV stopped after 6 fits" in capsys.readouterr().err
    assert len(search.to_frame()) == 6
    search.set_params(param_grid={"value": [0, 1, 2], "deed": [None]}).fit(X, Y)
    assert all(each.reused for each in search.evaluated)


# Keeping


def test_a_larger_grid_fits_only_what_is_new(inline: wrenml.Executor) -> None:
    small = ours.GridSearchCV(SVC(), {"C": [1, 10]}, cv=3, executor=inline, cache="grown").fit(X, Y)
    assert not any(each.reused for each in small.evaluated)
    large = ours.GridSearchCV(SVC(), {"C": [0.1, 1, 10]}, cv=3, executor=inline, cache="grown").fit(X, Y)
    assert {each.params["C"] for each in large.evaluated if each.reused} == {1, 10}
    assert {each.params["C"] for each in large.evaluated if not each.reused} == {0.1}
    fresh = ours.GridSearchCV(SVC(), {"C": [0.1, 1, 10]}, cv=3, executor=inline).fit(X, Y)
    for name in ("split0_test_score", "mean_test_score", "rank_test_score"):
        np.testing.assert_array_equal(large.cv_results_[name], fresh.cv_results_[name])


@pytest.mark.parametrize("changed", ["data", "target", "estimator", "scoring", "splits", "weights"])
def test_what_depends_on_anything_else_is_not_reused(changed: str, inline: wrenml.Executor) -> None:
    def fit(*, other: bool) -> Any:
        search = ours.GridSearchCV(SVC(), {"C": [1]}, cv=3, executor=inline, cache=f"apart-{changed}", refit=False)
        data, target, more = X, Y, {}
        if other:
            if changed == "data":
                data = X.copy()
                data[0, 0] += 1e-9
            elif changed == "target":
                target = Y[::-1].copy()
            elif changed == "weights":
                more = {"sample_weight": np.ones(len(Y))}
            else:
                change: dict[str, dict[str, Any]] = {
                    "estimator": {"estimator__gamma": 0.5},
                    "scoring": {"scoring": "f1_macro"},
                    "splits": {"cv": 2},
                }
                search.set_params(**change[changed])
        return search.fit(data, target, **more)

    fit(other=False)
    assert all(each.reused for each in fit(other=False).evaluated)
    assert not any(each.reused for each in fit(other=True).evaluated)


def test_failed_fits_are_tried_again(inline: wrenml.Executor) -> None:
    search = ours.GridSearchCV(SVC(), {"C": [1, -1]}, cv=2, executor=inline, cache="failing", refit=False)
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search.fit(X, Y)
    assert {each.params["C"] for each in search.evaluated if each.reused} == {1}


KILLED = """
import os, sys, threading
from sklearn.datasets import load_iris
from sklearn.svm import SVC
import wrenml
from wrenml.ml.model_selection import GridSearchCV

if __name__ == "__main__":
    die = "die" in sys.argv
    search = GridSearchCV(SVC(), {"C": [0.1, 1, 10] if die else [0.1, 1, 10, 100]}, cv=3, cache="killed")
    with wrenml.local_executor(workers=1) as executor:
        search.set_params(executor=executor)
        for each in search.as_completed(*load_iris(return_X_y=True)):
            print(int(each.reused), flush=True)
            if die:
                while not list(executor.storage.list("searches/killed/")):
                    threading.Event().wait(0.01)
                os.kill(os.getpid(), 9)
"""


@pytest.mark.slow
def test_a_killed_search_goes_on_in_another_process(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "search.py"
    script.write_text(KILLED)

    def run(*arguments: str) -> tuple[int, list[str]]:
        done = subprocess.run(
            [sys.executable, str(script), *arguments], capture_output=True, text=True, timeout=55, check=False
        )
        return done.returncode, done.stdout.split()

    code, before = run("die")
    assert code == -9
    assert set(before) == {"0"}
    code, after = run()
    assert code == 0
    assert len(after) == 12
    assert "1" in after
    assert "0" in after


# The code


def code() -> list[pathlib.Path]:
    folder = pathlib.Path(ours.__file__ or "").parent
    return [*folder.glob("*.py"), *folder.with_name("callbacks").glob("*.py")]


def test_only_public_names_of_scikit_learn_are_imported() -> None:
    for path in code():
        for node in ast.walk(ast.parse(path.read_text())):
            modules = []
            if isinstance(node, ast.ImportFrom):
                modules = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            for module in modules:
                if module.startswith(("sklearn", "joblib")):
                    assert not any(part.startswith("_") for part in module.split(".")), f"{path}: {module}"


def test_inherited_names_stand_in_one_module() -> None:
    for path in code():
        if path.name == "compat.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and re.match("_(?!_|replace$)", node.attr):
                assert isinstance(node.value, ast.Name), f"{path}:{node.lineno}: {node.attr}"
                assert node.value.id in ("self", "cls"), f"{path}:{node.lineno}: {node.attr}"
