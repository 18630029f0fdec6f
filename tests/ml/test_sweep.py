"""`sweep`: any function over a grid, the outcomes as a table."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.model_selection import ParameterGrid, ParameterSampler

import wrenml
from wrenml.errors import ConfigError, WrenmlError
from wrenml.ml.sweep import SweepResult, Trial, sweep
from wrenml.testing.mocked import MockedAWS

FIXED = ["error", "error_message", "error_traceback", "seconds", "dollars", "reused"]


def by_value(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function without its module, which workers would import, and sort out its file's place there."""
    fn.__module__ = "__main__"
    return fn


@by_value
def power(base: Any, exponent: Any = 2) -> Any:
    return base**exponent


@by_value
def measured(x: int, y: int) -> dict[str, float]:
    if x == y:
        raise LookupError(f"{x} is {y}")
    return {"sum": x + y, "product": x * y}


@by_value
async def later(x: int) -> int:
    return x + 1


@by_value
def noted(log: str, x: int) -> int:
    with open(log, "a") as file:
        file.write(f"{x}\n")
    if x == 3 and not os.path.exists(log + ".mended"):
        raise OSError("not yet")
    return 10 * x


def without_times(result: SweepResult) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key not in ("seconds", "dollars")} for row in result.records]


def params(result: SweepResult) -> list[dict[str, Any]]:
    return [trial.params for trial in result]


# What is tried


@pytest.mark.parametrize(
    "grid",
    [
        {"exponent": [1, 2, 3], "base": [2.0, 3.0]},
        [{"base": [1, 2]}, {"exponent": range(2), "base": (5,)}],
        {"base": np.array([1.0, 2.0]), "exponent": np.arange(2)},
        {"base": [7]},
    ],
)
def test_a_grid_is_scikit_learns(grid: Any, inline: wrenml.Executor) -> None:
    assert params(sweep(power, grid, executor=inline)) == list(ParameterGrid(grid))


@pytest.mark.parametrize(
    "space",
    [
        {"base": stats.uniform(1, 2), "exponent": [1, 2]},
        [{"base": stats.uniform()}, {"base": [1], "exponent": stats.randint(1, 9)}],
        {"base": [1, 2, 3], "exponent": [1, 2, 3]},
    ],
)
def test_draws_are_scikit_learns(space: Any, inline: wrenml.Executor) -> None:
    found = sweep(power, space, n_iter=6, random_state=4, executor=inline)
    assert params(found) == list(ParameterSampler(space, 6, random_state=4))


def test_dicts_are_tried_as_they_are(inline: wrenml.Executor) -> None:
    given = [{"base": 1, "exponent": 2}, {"base": 3}, {"base": 1, "exponent": 2}]
    for dicts in (given, iter(given), (each for each in given)):
        assert [trial.result for trial in sweep(power, dicts, executor=inline)] == [1, 9, 1]
    assert [trial.result for trial in sweep(len, iter([]), executor=inline)] == []
    lists = sweep(lambda layers: f"{layers}", iter([{"layers": [10, 10]}, {"layers": [5]}]), executor=inline)
    assert [trial.result for trial in lists] == ["[10, 10]", "[5]"]


@pytest.mark.parametrize(
    ("grid", "more", "said"),
    [
        ({"base": 3}, {}, r"'base' has 3: give a list"),
        ({"base": "abc"}, {}, r"'base' has 'abc': give a list"),
        ({"base": []}, {}, "nothing to try"),
        ({"base": stats.uniform()}, {}, "n_iter="),
        ({1: [2]}, {}, "1 is no name"),
        ([{"base": [1]}, {"base": 2}], {}, r"iter\("),
        ([3], {}, "candidate 0 is 3"),
        ("abc", {}, "no grid"),
        (7, {}, "no grid"),
        (iter([{"base": 1}]), {"n_iter": 2}, "n_iter="),
        ({"base": [1]}, {"n_iter": 0}, "n_iter"),
        ({"base": [1], "bass": [2]}, {}, "unexpected keyword argument 'bass'"),
        ({"exponent": [1]}, {}, "missing a required argument: 'base'"),
        ({"base": [1]}, {"errors": "skip"}, 'choose "return" or "raise"'),
        ({"base": [1]}, {"retrys": 2}, "retries"),
    ],
)
def test_what_cannot_be_meant_is_said_at_once(grid: Any, more: Any, said: str, inline: wrenml.Executor) -> None:
    with pytest.raises((ConfigError, TypeError), match=said):
        sweep(power, grid, executor=inline, **more)
    with pytest.raises(ConfigError, match="comes first"):
        sweep({"base": [1]}, power, executor=inline)  # type: ignore[arg-type]


# The table


def test_the_table_is_the_same_everywhere(inline: wrenml.Executor, two_workers: wrenml.Executor) -> None:
    grid = {"x": [1, 2, 3], "y": [1, 2]}
    expected = without_times(sweep(measured, grid, executor=inline))
    assert [list(row) for row in expected] == 6 * [["x", "y", "sum", "product", *FIXED[:3], "reused"]]
    assert [row["product"] for row in expected] == [None, 2, 2, None, 3, 6]
    assert [row["error"] for row in expected] == ["LookupError", None, None, "LookupError", None, None]
    assert expected[0]["error_message"] == "1 is 1"
    assert re.fullmatch(
        r'Traceback .*\n  File ".*test_sweep.py", line \d+, in measured\n(.*\n)+LookupError: 1 is 1\n',
        expected[0]["error_traceback"],
    )
    assert without_times(sweep(measured, grid, executor=two_workers)) == expected


@pytest.fixture(scope="module")
def lambdas() -> Iterator[wrenml.Executor]:
    with MockedAWS(environments=2) as aws, aws.executor() as executor:
        yield executor
        executor.shutdown(cancel_futures=True)


@pytest.mark.slow
def test_on_lambda_it_has_costs(inline: wrenml.Executor, lambdas: wrenml.Executor) -> None:
    grid = {"x": [1, 2, 3], "y": [1, 2]}
    found = sweep(measured, grid, executor=lambdas, cache="costs")
    assert without_times(found) == without_times(sweep(measured, grid, executor=inline))
    dollars = [row["dollars"] for row in found.records]
    assert min(dollars) > 0
    assert sum(dollars) == pytest.approx(found.futures.cost.dollars)
    again = sweep(measured, grid, executor=lambdas, cache="costs")
    assert [trial.reused for trial in again] == [trial.error is None for trial in found]
    assert [trial.dollars for trial in again if trial.reused] == [0, 0, 0, 0]


def test_workers_load_nothing_of_the_learning_layer() -> None:
    def loaded(name: str) -> bool:
        return name in __import__("sys").modules

    with wrenml.local_executor(workers=1) as executor:
        found = sweep(loaded, {"name": ["wrenml.ml", "sklearn", "joblib", "os"]}, executor=executor)
        assert [trial.result for trial in found] == [False, False, False, True]


def test_times_are_the_workers(inline: wrenml.Executor) -> None:
    def spin(rounds: int, fails: bool) -> int:  # noqa: FBT001  # a parameter of the sweep
        total = sum(range(rounds))
        if fails:
            raise ArithmeticError
        return total

    short, long, failed = sweep(
        spin,
        iter([{"rounds": rounds, "fails": fails} for rounds, fails in [(1, False), (10**6, False), (10**6, True)]]),
        executor=inline,
    )
    assert short.seconds is not None
    assert long.seconds is not None
    assert failed.seconds is not None
    assert 0 < short.seconds < min(long.seconds, failed.seconds)


def test_coroutines_partials_and_what_dies(inline: wrenml.Executor, two_workers: wrenml.Executor) -> None:
    assert [trial.result for trial in sweep(later, {"x": [1, 2]}, executor=inline)] == [2, 3]
    died, lived = sweep(lambda code: code and os._exit(code), {"code": [3, 0]}, executor=two_workers, infra_retries=0)
    assert died.error is not None
    assert died.error.type.startswith("wrenml.errors.")
    assert (died.result, died.seconds) == (None, None)
    assert (lived.error, lived.result) == (None, 0)


def test_names_that_are_taken_get_a_prefix(inline: wrenml.Executor) -> None:
    def fn(seconds: int, result: int) -> dict[str, int]:
        return {"result": result, "error": seconds}

    (row,) = sweep(fn, {"seconds": [7], "result": [8]}, executor=inline).records
    assert list(row) == ["result", "param_seconds", "result_result", "result_error", *FIXED]
    assert (row["result"], row["param_seconds"], row["result_result"], row["result_error"]) == (8, 7, 8, 7)


def test_results_that_are_not_all_metrics_are_one_column(inline: wrenml.Executor) -> None:
    found = sweep(lambda x: {"a": x} if x else x, {"x": [0, 1]}, executor=inline)
    assert [row["result"] for row in found.records] == [0, {"a": 1}]


def test_parameters_that_only_some_have_are_none(inline: wrenml.Executor) -> None:
    rows = sweep(power, [{"base": [2]}, {"base": [3], "exponent": [3]}], executor=inline).records
    assert [(row["base"], row["exponent"], row["result"]) for row in rows] == [(2, None, 4), (3, 3, 27)]


def test_the_frame_has_the_records(inline: wrenml.Executor) -> None:
    found = sweep(measured, {"x": [1, 2, 3], "y": [1, 2]}, executor=inline)
    frame = found.to_frame()
    assert list(frame.columns) == list(found.records[0])
    assert frame.groupby("x")["product"].max().to_dict() == {1: 2, 2: 2, 3: 6}
    assert frame["product"].dtype == np.float64
    assert pd.notna(frame["error"]).sum() == len(found.failed) == 2


def test_it_is_a_sequence(inline: wrenml.Executor) -> None:
    found = sweep(power, {"base": [1, 2, 3]}, executor=inline, name="squares")
    assert len(found) == 3
    assert found[-1].result == 9
    assert [trial.index for trial in found[1:]] == [1, 2]
    assert found.trials() == list(found)
    with pytest.raises(IndexError):
        found[3]
    assert repr(found) == "<SweepResult squares: 3 of 3 done>"


def test_html_shows_the_rows_and_nothing_else(inline: wrenml.Executor) -> None:
    found = sweep(lambda x: f"<b>{x}</b>", {"x": list(range(130))}, executor=inline, name="a<b")
    text = found._repr_html_()  # notebooks call it
    assert "&lt;b&gt;99&lt;/b&gt;" in text
    assert "<b>" not in text
    assert "30 more rows" in text


# The best


def test_the_best_of_numbers_and_of_metrics(inline: wrenml.Executor) -> None:
    squares = sweep(power, {"base": [-3, 1, 2, 3], "exponent": [2]}, executor=inline)
    assert squares.best().params["base"] == -3  # the first of equal ones
    assert squares.best(maximize=False).result == 1
    assert squares.best(lambda result: -abs(result - 4)).params["base"] == 2
    with pytest.raises(ConfigError, match="no dicts"):
        squares.best("accuracy")
    several = sweep(measured, {"x": [1, 2, 3], "y": [1, 2]}, executor=inline)
    assert several.best("product").params == {"x": 3, "y": 2}
    assert several.best("sum", maximize=False).params == {"x": 1, "y": 2}
    with pytest.raises(ConfigError, match="sum, product"):
        several.best()
    with pytest.raises(ConfigError, match="'total'"):
        several.best("total")


def test_failures_and_nan_are_never_best(inline: wrenml.Executor) -> None:
    found = sweep(power, {"base": [float("nan"), "a", 2.0, 1.0]}, executor=inline)
    assert (found.best().result, found.best(maximize=False).result) == (4, 1)
    some = sweep(lambda x: x or None, {"x": [0, 2, 1]}, executor=inline)
    assert (some.best().result, some.best(maximize=False).result) == (2, 1)
    with pytest.raises(WrenmlError, match=r"none of 1 candidates .* TypeError"):
        sweep(power, {"base": ["a"]}, executor=inline).best()


# While it runs, and again


def test_trials_stream_while_it_runs(two_workers: wrenml.Executor, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    def wait(which: str) -> str:
        return Path(which).read_text() if which else "at once"

    found = sweep(wait, {"which": [str(gate), "", ""]}, executor=two_workers, max_in_flight=2)
    streamed = found.as_completed(timeout=60)
    first, second = next(streamed), next(streamed)
    assert {first.index, second.index} == {1, 2}
    assert (first.result, first.dollars, found.done_count) == ("at once", None, 2)
    assert "2 of 3 done" in repr(found)
    assert found._repr_html_().count("<tr>") == 3  # the head and what there is; it does not wait
    gate.write_text("opened")
    assert [trial.index for trial in streamed] == [0]
    assert found[0].result == "opened"
    assert [trial.dollars for trial in found] == [0, 0, 0]


def test_failures_are_raised_on_demand(inline: wrenml.Executor) -> None:
    found = sweep(power, {"base": [1, "b", "c"]}, executor=inline, errors="raise")
    assert found[0].result == 1
    for read in (found.trials, found.best, found.to_frame, lambda: list(found.as_completed()), lambda: found[1]):
        with pytest.raises(TypeError, match=r"\*\*"):
            read()


def test_what_failed_is_run_again(inline: wrenml.Executor, tmp_path: Path) -> None:
    log = tmp_path / "log"
    found = sweep(noted, {"log": [str(log)], "x": [1, 2, 3]}, executor=inline)
    assert [trial.index for trial in found.failed] == [2]
    Path(f"{log}.mended").touch()
    again = found.retry_failed()
    assert [trial.result for trial in again] == [10, 20, 30]
    assert log.read_text().split() == ["1", "2", "3", "3"]
    assert found[2].error is not None


def test_a_larger_grid_runs_what_is_new(inline: wrenml.Executor, tmp_path: Path) -> None:
    log = tmp_path / "log"

    def run(values: list[int]) -> list[bool]:
        found = sweep(noted, {"log": [str(log)], "x": values}, executor=inline, cache="larger")
        return [trial.reused for trial in found]

    assert run([1, 2]) == [False, False]
    assert run([2, 1, 4]) == [True, True, False]
    assert run([3]) == run([3]) == [False]  # failures are not kept
    assert log.read_text().split() == ["1", "2", "4", "3", "3"]


KILLED = """
import os, sys
from wrenml import local_executor
from wrenml.ml.sweep import sweep

def square(x, log):
    with open(log, "a") as file:
        file.write(f"{x}\\n")
    return x * x

if __name__ == "__main__":
    with local_executor(workers=1) as executor:
        grid = {"x": range(int(sys.argv[2])), "log": [sys.argv[1]]}
        found = sweep(square, grid, executor=executor, cache="killed", chunksize=1)
        for number, trial in enumerate(found.as_completed(), 1):
            if number == 5 and "die" in sys.argv:
                os.kill(os.getpid(), 9)
        print(*(trial.result for trial in found), sum(trial.reused for trial in found))
"""


def test_a_killed_sweep_goes_on_in_another_process(tmp_path: Path) -> None:
    script, log = tmp_path / "script.py", tmp_path / "log"
    script.write_text(KILLED)

    def run(count: int, *more: str) -> tuple[int, list[int]]:
        done = subprocess.run(
            [sys.executable, script, log, str(count), *more], env={**os.environ, "HOME": str(tmp_path)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, [int(word) for word in done.stdout.split()]

    assert run(40, "die") == (-9, [])
    before = len(log.read_text().split())
    code, (*results, reused) = run(50)
    assert (code, results) == (0, [x * x for x in range(50)])
    assert reused >= 5
    assert len(log.read_text().split()) == before + 50 - reused
    assert run(50) == (0, [*results, 50])
    assert len(log.read_text().split()) == before + 50 - reused


INTERRUPTED = """
import sys, threading
from wrenml import local_executor
from wrenml.ml.sweep import sweep

def wait(gate):
    if gate:
        with open(gate, "w") as file:
            file.write("started")
        threading.Event().wait()
    return "done"

if __name__ == "__main__":
    with local_executor(workers=1) as executor:
        found = sweep(wait, {{"gate": ["", sys.argv[1], "", ""]}}, executor=executor, chunksize=1)
        try:
            {line}
        except KeyboardInterrupt:
            print([row["error"] or row["result"] for row in found.records])
"""


@pytest.mark.parametrize("line", ["found.records", "list(found.as_completed())"])
def test_ctrl_c_keeps_what_is_finished(line: str, tmp_path: Path) -> None:
    script, gate = tmp_path / "script.py", tmp_path / "gate"
    script.write_text(INTERRUPTED.format(line=line))
    os.mkfifo(gate)
    with subprocess.Popen([sys.executable, script, gate], text=True, stdout=-1, stderr=-1) as client:
        assert gate.read_text() == "started"
        client.send_signal(signal.SIGINT)
        out, err = client.communicate(timeout=60)
    assert out == f"{['done', *3 * ['wrenml.errors.CallCancelled']]}\n"
    assert re.search(r"sweep wait \(job \w{16}\) is cancelled after 1 of 4 calls.*retry_failed.*cache=NAME", err)
    assert "Traceback" not in err


# Drawn


class Paper:
    """Notes what is drawn, as axes of matplotlib would draw it."""

    def __init__(self) -> None:
        self.lines: list[tuple[str | None, list[float], list[float]]] = []
        self.said: dict[str, Any] = {}

    def plot(self, x: Any, y: Any, label: str | None = None, **_: object) -> tuple[Paper]:
        self.lines.append((label, list(x), list(y)))
        return (self,)

    def get_color(self) -> str:
        return "red"

    def __getattr__(self, name: str) -> Callable[..., None]:
        def note(*args: object, **_: object) -> None:
            self.said[name] = args

        return note


def test_a_line_for_each_value_through_the_means(inline: wrenml.Executor) -> None:
    def fn(x: float, kind: str, seed: int) -> float:
        if x == 10 and kind == "b":
            raise ValueError(x)
        return x + seed + (100 if kind == "b" else 0)

    found = sweep(fn, {"x": [100, 1, 10], "kind": ["b", "a"], "seed": [0, 2]}, executor=inline)
    paper = found.plot("x", hue="kind", ax=Paper())
    means = [line for line in paper.lines if line[0] is not None]
    assert means == [("b", [1, 100], [102, 201]), ("a", [1, 10, 100], [2, 11, 101])]
    assert sum(len(x) for label, x, _ in paper.lines if label is None) == 10
    assert paper.said["set_xscale"] == ("log",)
    assert (paper.said["set_xlabel"], paper.said["set_ylabel"]) == (("x",), ("result",))
    assert paper.said["set_title"] == ("2 of 12 candidates have no result",)
    assert "legend" in paper.said


def test_what_is_no_number_stands_in_order(inline: wrenml.Executor) -> None:
    found = sweep(lambda kind: len(str(kind)), {"kind": ["poly", None, [1, 2]]}, executor=inline)
    paper = found.plot("kind", ax=Paper())
    assert paper.lines == [(None, [0, 1, 2], [4, 4, 6])]
    assert paper.said["set_xticks"] == (range(3), ["poly", "None", "[1, 2]"])
    assert "set_xscale" not in paper.said
    assert found.plot("kind", "seconds", ax=Paper()).said["set_ylabel"] == ("seconds",)


def test_what_cannot_be_drawn_is_said(inline: wrenml.Executor) -> None:
    found = sweep(measured, {"x": [1, 2], "y": [1, 2]}, executor=inline)
    with pytest.raises(ConfigError, match="y=, one of sum, product"):
        found.plot("x", ax=Paper())
    with pytest.raises(ConfigError, match="no column 'z'; choose from x, y, sum"):
        found.plot("z", "sum", ax=Paper())
    with pytest.raises(ConfigError, match="no row has a number in 'error'"):
        found.plot("x", "error", ax=Paper())


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib")
def test_a_figure_is_drawn(inline: wrenml.Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    axes = sweep(measured, {"x": [3, 4], "y": [1, 2]}, executor=inline).plot("x", "sum", hue="y")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["1", "2"]
    file = io.BytesIO()
    axes.figure.savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")


WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(["matplotlib", "pandas", "sklearn", "numpy", "joblib"]))
from wrenml import inline_executor
from wrenml.errors import NotSupportedError
from wrenml.ml.sweep import sweep
found = sweep(lambda x: x, {"x": [1, 2]}, executor=inline_executor())
print(found.records[1]["result"])
for needy in (found.to_frame, lambda: found.plot("x"), lambda: sweep(print, {"x": [1]}, n_iter=1)):
    try:
        needy()
    except NotSupportedError as error:
        print(error)
"""


def test_nothing_else_need_be_installed() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "2"
    assert [re.findall(r"wrenml\[(\w+)\]", line) for line in lines[1:]] == [["pandas"], ["plot"], ["ml"]]


def test_trials_are_values() -> None:
    assert Trial(0, {"x": 1}, 2) == Trial(0, {"x": 1}, 2, seconds=None)
