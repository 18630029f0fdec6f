from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from tests.support.threads import no_more_threads
from wrenml.crew import Crew

PATIENCE = 20.0


def test_tasks_are_done_by_no_more_threads_than_there_may_be() -> None:
    crew = Crew(3, "crew")
    gate = threading.Barrier(3)
    done: list[str] = []

    def task() -> None:
        gate.wait(PATIENCE)
        done.append(threading.current_thread().name)

    for _ in range(6):
        crew.run(task)

    assert crew.drain(PATIENCE)
    assert set(done) == {"crew-0", "crew-1", "crew-2"}
    assert len(done) == 6
    crew.close()


def test_a_task_that_fails_is_logged_and_the_others_are_done(caplog: pytest.LogCaptureFixture) -> None:
    crew = Crew(1, "crew")
    done = threading.Event()

    def fail() -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, "wrenml"):
        crew.run(fail)
        crew.run(done.set)
        assert done.wait(PATIENCE)
        crew.close()

    assert "a task of crew failed" in caplog.text


@pytest.mark.parametrize("drop", [False, True])
def test_closing_ends_the_threads(drop: bool, eventually: Callable[..., None]) -> None:  # noqa: FBT001  # a parameter
    crew = Crew(1, "crew-that-ends")
    started, goes_on = threading.Event(), threading.Event()
    done: list[int] = []

    def task() -> None:
        started.set()
        goes_on.wait(PATIENCE)
        done.append(1)

    crew.run(task)
    assert started.wait(PATIENCE)
    crew.run(lambda: done.append(2))
    closing = threading.Thread(target=crew.close, kwargs={"drop": drop})
    closing.start()
    eventually(lambda: crew.closed)
    goes_on.set()
    closing.join(PATIENCE)

    assert done == ([1] if drop else [1, 2])
    assert not [one for one in threading.enumerate() if one.name.startswith("crew-that-ends")]
    crew.run(lambda: done.append(3))
    assert 3 not in done


def test_a_task_that_no_thread_can_be_started_for_is_not_kept() -> None:
    crew = Crew(2, "crew")
    done: list[int] = []

    with no_more_threads(), pytest.raises(RuntimeError, match="thread"):
        crew.run(lambda: done.append(1))

    crew.run(lambda: done.append(2))
    crew.close()
    assert done == [2]


def test_threads_that_are_there_do_what_no_further_one_can_be_started_for() -> None:
    crew = Crew(2, "crew")
    goes_on = threading.Event()
    done: list[int] = []
    crew.run(lambda: done.append(int(goes_on.wait(PATIENCE))))

    with no_more_threads():
        crew.run(lambda: done.append(2))

    goes_on.set()
    crew.close()
    assert done == [1, 2]
