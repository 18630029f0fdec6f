"""What people do by mistake, and what they are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import wrenml
from wrenml.errors import ConfigError, JobNotFoundError, UnknownOptionError


@pytest.fixture(scope="module")
def executor() -> Iterator[wrenml.Executor]:
    with wrenml.local_executor(workers=1) as made:
        yield made


def total(values: list[int]) -> int:
    return sum(values)


@pytest.mark.parametrize("name", ["workers", "n_jobs", "max_workers"])
def test_the_number_of_workers_is_the_executors(executor: wrenml.Executor, name: str) -> None:
    options: dict[str, Any] = {name: 3}
    with pytest.raises(UnknownOptionError, match=r"local_executor\(workers=…\)"):
        executor.map(abs, [1], **options)


@pytest.mark.parametrize("workers", ["2", 0, 1.5, True])
def test_a_number_of_workers_that_cannot_be(workers: object) -> None:
    given: Any = workers
    with pytest.raises(ConfigError, match="workers="):
        wrenml.local_executor(workers=given)


def test_something_that_cannot_be_called(executor: wrenml.Executor) -> None:
    uncallable: Any = 3
    with pytest.raises(ConfigError, match="cannot be called: 3"):
        executor.map(uncallable, [1])
    with pytest.raises(ConfigError, match="cannot be called: 3"):
        executor.submit(uncallable)


def test_function_and_elements_in_the_wrong_order(executor: wrenml.Executor) -> None:
    anything: Any = [1, 2]
    with pytest.raises(ConfigError, match="the function comes first"):
        executor.map(anything, total)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="the function comes first"):
        executor.reduce(anything, total)  # type: ignore[arg-type]


def test_waiting_for_what_is_no_future(executor: wrenml.Executor) -> None:
    functions: list[Any] = [wrenml.wait, wrenml.as_completed, wrenml.get_all_results]
    one: Any = executor.call_async(abs, -1)
    for function in functions:
        name = function.__name__
        for wrong in ([1], 3, None):
            with pytest.raises(ConfigError, match=rf"{name}\(\) takes futures"):
                function(wrong)
        with pytest.raises(ConfigError, match=rf"{name}\(\) takes several futures.* list"):
            function(one)
    assert wrenml.get_all_results([one]) == [1]


def test_part_of_a_job_id(executor: wrenml.Executor) -> None:
    job = executor.map(abs, [1]).id
    with pytest.raises(JobNotFoundError, match="whole id"):
        executor.attach(job[:6])
    nothing: Any = None
    with pytest.raises(JobNotFoundError, match="whole id"):
        executor.attach(nothing)


def test_the_futures_of_a_map_as_an_argument(executor: wrenml.Executor) -> None:
    squares: Any = executor.map(abs, [-1, -2])
    assert executor.map(total, [squares]).results() == [3]
    assert executor.submit(total, squares).result() == 3


def test_a_limit_that_passes_is_named(executor: wrenml.Executor) -> None:
    futures = executor.map(_sleep, [30])
    with pytest.raises(TimeoutError, match=r"0 of 1 calls have their outcomes after 0.2 s"):
        futures.results(timeout=0.2)
    futures.cancel()


def _sleep(seconds: float) -> None:
    import time  # noqa: PLC0415  # in the worker

    time.sleep(seconds)


def test_a_debugger_in_a_worker(executor: wrenml.Executor) -> None:
    error = executor.submit(_break).exception()
    assert error is not None
    assert any("WRENML_BACKEND=inline" in note for note in error.__notes__)


def _break() -> None:
    breakpoint()  # noqa: T100  # what is tested


def test_the_last_of_several_tries_says_which_it_was(executor: wrenml.Executor) -> None:
    error = executor.map(total, [[None]], retries=2)[0].exception()
    assert error is not None
    assert any("attempt 3" in note for note in error.__notes__)
