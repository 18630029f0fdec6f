from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import wrenml
import wrenml.ml
from tests.support.joblib_tasks import (
    WAIT,
    Heavy,
    blas_threads,
    change,
    config_of_scikit_learn,
    die,
    fail,
    fail_after,
    nested,
    say,
    total,
    touch_and_wait,
    variable,
    warn,
    where,
)
from wrenml.errors import ConfigError, ExecutorClosedError, SerializationError, WorkerLost
from wrenml.events import CallsSettled, Event


@pytest.fixture(scope="module")
def executor() -> Iterator[wrenml.Executor]:
    with wrenml.local_executor(workers=2) as executor:
        yield executor


@pytest.fixture(autouse=True)
def _backend(executor: wrenml.Executor) -> Iterator[None]:
    with parallel_config("wrenml", executor=executor):
        yield


# Where tasks run


def test_tasks_run_in_workers_and_results_keep_their_order() -> None:
    assert Parallel()(delayed(pow)(i, 2) for i in range(50)) == [i * i for i in range(50)]
    assert os.getpid() not in Parallel()(delayed(where)(i) for i in range(4))


def test_functions_defined_here_and_there_travel() -> None:
    offset = 5
    assert Parallel()(delayed(lambda i: i + offset)(i) for i in range(4)) == [5, 6, 7, 8]
    assert Parallel()(delayed(total)(np.arange(i)) for i in range(3)) == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(("asked", "given"), [(None, 2), (-1, 2), (-2, 1), (-9, 1), (1, 1), (2, 2), (64, 2)])
def test_as_many_run_as_there_are_workers(asked: int | None, given: int) -> None:
    assert joblib.effective_n_jobs(asked) == given


def test_no_jobs_have_no_meaning() -> None:
    with pytest.raises(ValueError, match="n_jobs == 0"):
        Parallel(n_jobs=0)(delayed(where)() for _ in range(2))


def test_with_one_job_or_inline_the_plain_loop_runs_here() -> None:
    assert set(Parallel(n_jobs=1)(delayed(where)() for _ in range(2))) == {os.getpid()}
    with wrenml.inline_executor() as inline, parallel_config("wrenml", executor=inline):
        assert set(Parallel(n_jobs=2)(delayed(where)() for _ in range(2))) == {os.getpid()}


def test_the_default_executor_is_used_where_none_is_given() -> None:
    with parallel_config("wrenml"):
        workers = wrenml.default_executor().session.workers
        assert joblib.effective_n_jobs(-1) == workers
    assert Parallel(n_jobs=2, backend="wrenml")(delayed(pow)(i, 2) for i in range(3)) == [0, 1, 4]


def test_an_executor_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="no wrenml executor"):
        parallel_config("wrenml", executor=object())


def test_a_closed_executor_is_an_error() -> None:
    with wrenml.local_executor(workers=2) as closed:
        pass
    with parallel_config("wrenml", executor=closed), pytest.raises(ExecutorClosedError):
        Parallel()(delayed(where)() for _ in range(4))


@pytest.mark.parametrize("inner", ["wrenml", "threading"])
def test_parallel_within_a_task_runs_in_its_worker(inner: str) -> None:
    found = Parallel()(delayed(nested)(inner) for _ in range(2))
    assert all(len(set(each)) == 1 for each in found)
    assert os.getpid() not in {pid for each in found for pid in each}


def test_numerical_libraries_use_as_many_threads_as_allowed(executor: wrenml.Executor) -> None:
    with parallel_config("wrenml", executor=executor, inner_max_num_threads=3):
        assert Parallel()(delayed(variable)("OMP_NUM_THREADS") for _ in range(2)) == ["3", "3"]
        assert all(counts == {3} for counts in Parallel()(delayed(blas_threads)() for _ in range(2)))
    assert all(3 not in counts for counts in Parallel()(delayed(blas_threads)() for _ in range(2)))


# Results as they come


def test_results_are_yielded_while_tasks_run(tmp_path: Path, eventually: Callable[..., None]) -> None:
    tasks = [delayed(pow)(2, 2), *(delayed(touch_and_wait)(str(tmp_path), str(i)) for i in range(2))]
    results = Parallel(return_as="generator")(tasks)
    assert next(results) == 4
    eventually((tmp_path / "0").exists)
    with pytest.warns(UserWarning, match="cancelled"):
        del results


def test_the_fastest_come_first_if_order_does_not_matter(tmp_path: Path) -> None:
    tasks = [delayed(touch_and_wait)(str(tmp_path), "slow"), *(delayed(pow)(i, 2) for i in range(3))]
    results = Parallel(return_as="generator_unordered")(tasks)
    assert {next(results) for _ in range(3)} == {0, 1, 4}
    with pytest.warns(UserWarning, match="cancelled"):
        del results


def test_a_limit_of_time_is_kept(tmp_path: Path) -> None:
    with pytest.raises(multiprocessing.TimeoutError):
        Parallel(timeout=0.3)(delayed(touch_and_wait)(str(tmp_path), str(i)) for i in range(2))


def test_two_generators_share_one_backend(executor: wrenml.Executor) -> None:
    with parallel_config("wrenml", executor=executor):
        first = Parallel(return_as="generator")(delayed(pow)(i, 2) for i in range(20))
        second = Parallel(return_as="generator")(delayed(pow)(i, 3) for i in range(20))
        assert list(zip(first, second, strict=True)) == [(i**2, i**3) for i in range(20)]


# Failures


def test_the_first_of_several_failures_is_raised(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="1") as caught:
        Parallel()(delayed(fail_after)(str(tmp_path), i) for i in range(4))
    assert (tmp_path / "2").exists()
    assert "in fail" in str(caught.value.__cause__)


def test_what_still_runs_is_ended_after_a_failure(
    executor: wrenml.Executor, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    def late(folder: str) -> None:
        while not Path(folder, "1").exists():
            threading.Event().wait(0.005)
        fail(0)

    tasks = [delayed(late)(str(tmp_path)), delayed(touch_and_wait)(str(tmp_path), "1")]
    with pytest.raises(LookupError):
        Parallel()(tasks)
    assert executor.submit(where).result(timeout=WAIT)
    eventually(lambda: executor.session.monitor.wait_until_idle(0))


def test_a_pool_goes_on_after_a_failure() -> None:
    with Parallel() as parallel:
        with pytest.raises(LookupError):
            parallel(delayed(fail)(i) for i in range(4))
        assert parallel(delayed(pow)(i, 2) for i in range(4)) == [0, 1, 4, 9]


def test_a_dead_worker_is_an_error() -> None:
    with wrenml.local_executor(workers=2, infra_retries=0) as executor, parallel_config("wrenml", executor=executor):
        with pytest.raises(WorkerLost):
            Parallel()(delayed(die)(i) for i in range(2))
        assert Parallel()(delayed(pow)(i, 2) for i in range(4)) == [0, 1, 4, 9]


def test_what_cannot_be_pickled_is_an_error_that_names_it() -> None:
    lock = threading.Lock()
    with pytest.raises(SerializationError, match="lock"):
        Parallel()(delayed(str)(lock) for _ in range(4))


def test_a_result_that_cannot_be_pickled_is_an_error() -> None:
    with pytest.raises(SerializationError, match="lock"):
        Parallel()(delayed(threading.Lock)() for _ in range(4))


def test_a_task_that_exits_is_an_error() -> None:
    with pytest.raises(wrenml.errors.CallExited):
        Parallel()(delayed(sys.exit)(3) for _ in range(4))


def test_a_failing_iterator_of_tasks_is_an_error() -> None:
    def tasks() -> Iterator[Any]:
        yield delayed(pow)(1, 1)
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        Parallel()(tasks())


# What tasks say


def test_what_tasks_print_is_printed_here(capsys: pytest.CaptureFixture[str]) -> None:
    Parallel()(delayed(say)(i) for i in range(4))
    assert sorted(capsys.readouterr().out.splitlines()) == [f"task {i}" for i in range(4)]


def test_what_tasks_warn_of_is_warned_of_here() -> None:
    with pytest.warns(RuntimeWarning) as seen:
        Parallel()(delayed(warn)(i) for i in range(4))
    assert sorted(str(each.message) for each in seen) == [f"careful {i}" for i in range(4)]


def test_a_warning_that_is_an_error_is_raised() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="careful 0"):
            Parallel()(delayed(warn)(i) for i in range(4))


def test_the_callers_configuration_holds_for_tasks_that_know_nothing_of_it() -> None:
    import sklearn  # noqa: PLC0415  # as a user has it

    Parallel()(delayed(StandardScaler)() for _ in range(4))
    with sklearn.config_context(assume_finite=True):
        assert Parallel()(delayed(config_of_scikit_learn)(StandardScaler()) for _ in range(4)) == [True] * 4
    assert Parallel()(delayed(config_of_scikit_learn)(StandardScaler()) for _ in range(4)) == [False] * 4


# What travels


def blobs(executor: wrenml.Executor) -> dict[str, int]:
    folder = Path(executor.session.storage.url.removeprefix("file://"))
    return {str(path): path.stat().st_size for path in folder.glob("**/blobs/**/*") if path.is_file()}


def test_shared_data_is_stored_once(executor: wrenml.Executor) -> None:
    data, folds = np.random.default_rng(0).normal(size=(300, 500)), [np.arange(900) + i for i in range(3)]

    def score(data: Any, fold: Any, factor: int) -> float:
        return float(data.sum() * factor + fold[0])

    def run() -> int:
        before = blobs(executor)
        found = Parallel()(delayed(score)(data, fold, factor) for factor in range(10) for fold in folds)
        assert found == [data.sum() * factor + fold[0] for factor in range(10) for fold in folds]
        return sum(size for path, size in blobs(executor).items() if path not in before)

    needed = data.nbytes + sum(fold.nbytes for fold in folds)
    assert needed <= run() < 1.05 * needed
    assert run() == 0


def test_modules_of_what_is_shared_travel_too() -> None:
    heavy = Heavy()
    assert Parallel(batch_size=1)(delayed(str)(heavy) for _ in range(12)) == ["100000 characters"] * 12


def test_tasks_may_change_what_they_are_given() -> None:
    data = np.zeros(300_000)
    assert set(Parallel(batch_size=1)(delayed(change)(data) for _ in range(2))) == {1.0}
    assert not data.any()


def test_short_tasks_travel_together(executor: wrenml.Executor) -> None:
    seen: list[Event] = []

    def note(event: Event) -> None:
        seen.append(event)

    executor.observe(note)
    assert sum(Parallel()(delayed(pow)(1, 2) for _ in range(5000))) == 5000
    calls = sum(each.succeeded for each in seen if isinstance(each, CallsSettled))
    assert 0 < calls < 500


# scikit-learn


def numbers(results: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in results.items() if "time" not in key}


def test_a_grid_search_gives_the_same_numbers() -> None:
    X, y = load_iris(return_X_y=True)
    grid = {"svc__C": [0.1, 1, 10], "svc__kernel": ["linear", "rbf"]}
    search = GridSearchCV(make_pipeline(StandardScaler(), SVC()), grid, cv=4, return_train_score=True)
    there = search.fit(X, y).cv_results_
    with parallel_config("sequential"):
        here = search.fit(X, y).cv_results_
    for key, value in numbers(here).items():
        np.testing.assert_array_equal(value, there[key], err_msg=key)


def test_a_forest_is_the_same_forest() -> None:
    X, y = load_iris(return_X_y=True)
    forest = RandomForestClassifier(12, random_state=0, n_jobs=-1)
    there = forest.fit(X, y).predict_proba(X)
    with parallel_config("sequential"):
        np.testing.assert_array_equal(there, forest.fit(X, y).predict_proba(X))


def test_warnings_of_fits_arrive() -> None:
    X, y = load_iris(return_X_y=True)
    with pytest.warns(Warning, match="failed to converge"):
        cross_val_score(LogisticRegression(max_iter=1), X, y, cv=2)


def test_a_failing_fit_is_told_with_the_workers_traceback() -> None:
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="n_neighbors") as caught:
        cross_val_score(KNeighborsClassifier(500), X, y, error_score="raise")
    assert "in _fit_and_score" in str(caught.value.__cause__)
