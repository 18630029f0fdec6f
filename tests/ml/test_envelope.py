from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

import wrenml
from wrenml.ml.envelope import Caller, Enclosure, Envelope, caller


class NeedsKeyword(Exception):
    def __init__(self, *, code: int) -> None:
        super().__init__("it went wrong")
        self.code = code


def run_all(here: Caller, tasks: list[str]) -> list[Envelope]:
    with Enclosure(here) as enclosure:
        return [enclosure.run(task, name) for name in tasks]


def task(name: str) -> str:
    if name == "says":
        sys.stdout.write("out")
        sys.stderr.write("err")
        sys.stdout.write("out again")
    elif name == "warns":
        warnings.warn("careful", RuntimeWarning, stacklevel=1)
    elif name == "raises":
        raise NeedsKeyword(code=7)
    elif name == "configured":
        return str(sys.modules["sklearn"].get_config()["assume_finite"])
    elif name == "talks":
        sys.stdout.write("x" * (1 << 21))
    return name


@pytest.fixture(scope="module")
def executor() -> Iterator[wrenml.Executor]:
    with wrenml.local_executor(workers=1) as executor:
        yield executor


def enclosed(executor: wrenml.Executor, *tasks: str) -> list[Envelope]:
    return executor.submit(run_all, caller(), list(tasks)).result()


def test_output_arrives_in_order_and_with_its_task(
    executor: wrenml.Executor, capsys: pytest.CaptureFixture[str]
) -> None:
    silent, talkative = enclosed(executor, "quiet", "says")
    assert silent.output == ()
    assert talkative.output == (("stdout", "out"), ("stderr", "err"), ("stdout", "out again"))
    assert talkative.open() == "says"
    assert capsys.readouterr() == ("outout again", "err")


def test_endless_output_is_cut_and_says_so(executor: wrenml.Executor) -> None:
    made, after = enclosed(executor, "talks", "says")
    assert sum(len(text) for name, text in made.output if name == "stdout") == 1 << 20
    assert "1,048,576 characters" in made.output[-1][1]
    assert ("stdout", "out again") in after.output


def test_warnings_are_given_where_they_would_have_been(executor: wrenml.Executor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        quiet, made = enclosed(executor, "quiet", "warns")
    assert not quiet.warned
    with pytest.warns(RuntimeWarning, match="careful") as seen:
        made.open()
    assert len(seen) == 1
    assert seen[0].filename == __file__


def test_filters_of_the_caller_hold_in_the_worker(executor: wrenml.Executor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert enclosed(executor, "warns")[0].warned == ()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="care", category=RuntimeWarning)
        (made,) = enclosed(executor, "warns")
    with pytest.raises(RuntimeWarning, match="careful"):
        made.open()


def test_a_failure_keeps_its_type_its_state_and_the_workers_frames(executor: wrenml.Executor) -> None:
    made, after = enclosed(executor, "raises", "quiet")
    with pytest.raises(NeedsKeyword, match="it went wrong") as caught:
        made.open()
    assert caught.value.code == 7
    assert caught.traceback[-1].name == "task"
    assert "NeedsKeyword: it went wrong" in made.traceback
    assert after.open() == "quiet"
    assert after.traceback == ""


def test_only_what_is_to_be_caught_is_put_into_an_envelope() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Enclosure(Caller()) as enclosure:
        enclosure.run(stop)
    with Enclosure(Caller(), catch=(KeyboardInterrupt,)) as enclosure:
        made = enclosure.run(stop)
    assert made.traceback.rstrip().endswith("KeyboardInterrupt")


def test_the_configuration_of_scikit_learn_holds_in_the_worker(executor: wrenml.Executor) -> None:
    sklearn = pytest.importorskip("sklearn")
    # Where the function is from: scikit-learn is loaded there by what the tasks are.
    executor.submit(__import__, "sklearn").result()
    with sklearn.config_context(assume_finite=True):
        (inside,) = enclosed(executor, "configured")
    (outside,) = enclosed(executor, "configured")
    assert (inside.open(), outside.open()) == ("True", "False")


def test_this_process_is_as_it_was_afterwards() -> None:
    before = (list(warnings.filters), sys.stdout, sys.stderr)
    with Enclosure(Caller((("error", None, Warning, None, 0),))) as enclosure:
        assert enclosure.run(lambda: len(warnings.filters)).open() == 1
    assert (list(warnings.filters), sys.stdout, sys.stderr) == before


def test_threads_of_a_task_write_into_its_envelope() -> None:
    def threaded() -> None:
        threads = [threading.Thread(target=lambda: [sys.stdout.write("x") for _ in range(500)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with Enclosure(Caller()) as enclosure:
        made = enclosure.run(threaded)
    assert made.output == (("stdout", "x" * 2000),)


def test_times_are_measured() -> None:
    with Enclosure(Caller()) as enclosure:
        made = enclosure.run(lambda: sum(range(200_000)))
    assert made.seconds > 0
    assert made.cpu_seconds > 0
