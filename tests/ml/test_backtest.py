"""Backtests: forecasts made with what is known and nothing else, the same wherever they are made."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, root_mean_squared_error

import wrenml
from tests.support.forecasters import Counts, LeastSquares, Nosy, Waits, dies, fails_in_the_north, warns, weekday
from tests.support.mocked import stored
from wrenml.errors import ConfigError
from wrenml.ml.backtest import (
    BacktestResult,
    Drift,
    Lagged,
    Mean,
    Naive,
    Record,
    SeasonalNaive,
    backtest,
    mase,
    pinball,
    smape,
)
from wrenml.ml.envelope import Envelope
from wrenml.testing.mocked import MockedAWS

pytest_plugins = ["wrenml.testing.plugin"]

RANDOM = np.random.default_rng(0)
DAYS = np.arange("2020-01-01", "2020-07-01", dtype="datetime64[D]")
SERIES = {
    name: level + 10 * np.sin(np.arange(len(DAYS)) * 2 * np.pi / 7) + RANDOM.normal(size=len(DAYS))
    for name, level in (("north", 50), ("south", 80), ("west", 20))
}
FRAME = pd.DataFrame(
    [(name, day, value) for name, values in SERIES.items() for day, value in zip(DAYS, values, strict=True)],
    columns=["region", "day", "sales"],
)


MODELS: dict[str, Callable[..., Any]] = {
    "naive": Naive(),
    "week": SeasonalNaive(7),
    "drift": Drift(),
    "mean": Mean(14),
    "linear": Lagged(LeastSquares(), 8, weekday),
    "picky": fails_in_the_north,
}


def told(record: Record) -> tuple[Any, ...]:
    """Everything of a record but its time."""
    forecast = None if record.forecast is None else record.forecast.tobytes()
    actual, scale = record.actual.tobytes(), np.float64(record.scale).tobytes()
    error = record.error and (record.error.type, record.error.message)
    return record.model, record.group, record.cutoff, record.known, forecast, actual, scale, error


def forecasts(result: BacktestResult) -> dict[tuple[Any, ...], bytes]:
    return {
        (record.model, record.group, record.known): record.forecast.tobytes()
        for record in result
        if record.forecast is not None
    }


class TestForecasts:
    @pytest.mark.parametrize("window", ["expanding", 21])
    def test_the_seasonal_naive_forecast_is_a_slice(self, inline: wrenml.Executor, window: Any) -> None:
        result = backtest(
            {"week": SeasonalNaive(7)}, SERIES, 10, 4, step=5, window=window, min_train=21, period=7, executor=inline
        )
        known = [len(DAYS) - 10 - 5 * back for back in (3, 2, 1, 0)]
        assert [(record.group, record.known) for record in result] == [(name, at) for name in SERIES for at in known]
        for record in result:
            values, at = SERIES[record.group], record.known
            week = values[at - 7 : at]
            np.testing.assert_array_equal(record.forecast, np.concatenate([week, week[:3]]))
            np.testing.assert_array_equal(record.actual, values[at : at + 10])
            train = values[0 if window == "expanding" else at - 21 : at]
            assert record.scale == np.abs(train[7:] - train[:-7]).mean()
        errors = [np.abs(record.actual - record.forecast) for record in result]
        assert result.scores()[0]["mae"] == pytest.approx(np.mean(errors), rel=1e-14)
        assert [row["mae"] for row in result.scores("step")] == pytest.approx(np.mean(errors, axis=0), rel=1e-14)
        scaled = [error / record.scale for error, record in zip(errors, result, strict=True)]
        assert result.scores()[0]["mase"] == pytest.approx(np.mean(scaled), rel=1e-14)

    def test_the_other_baselines(self) -> None:
        train = np.array([1.0, 4.0, 2.0, 7.0])
        assert Naive()(train, 2).tolist() == [7, 7]
        assert Drift()(train, 2).tolist() == [9, 11]
        assert Mean()(train, 2).tolist() == [3.5, 3.5]
        assert Mean(2)(train, 1).tolist() == [4.5]

    def test_lags_are_what_a_loop_would_take(self) -> None:
        train = SERIES["west"][:40]
        rows = [[train[t - 1], train[t - 7], *weekday(DAYS[t : t + 1])[0]] for t in range(7, 40)]
        model, values = LinearRegression().fit(rows, train[7:]), list(train)
        for t in range(40, 45):
            values.append(model.predict([[values[t - 1], values[t - 7], *weekday(DAYS[t : t + 1])[0]]])[0])
        found = Lagged(LinearRegression(), [7, 1], weekday)(train, 5, DAYS[:40], DAYS[40:45])
        np.testing.assert_array_equal(found, values[40:])

    def test_what_comes_after_has_no_effect(self, inline: wrenml.Executor) -> None:
        cutoffs = [60, 90, 120]
        before = forecasts(backtest(MODELS, FRAME, 14, cutoffs, **COLUMNS, executor=inline))
        for known in cutoffs:
            changed = FRAME.copy()
            after = changed.day.to_numpy() >= DAYS[known]
            changed.loc[after, "sales"] = RANDOM.normal(1e6, 1e5, after.sum())
            again = forecasts(backtest(MODELS, changed, 14, cutoffs, **COLUMNS, executor=inline))
            same = {key for key in before if key[2] <= known}
            assert {key: again[key] for key in same} == {key: before[key] for key in same}
            assert all(again.get(key) != before[key] for key in before if key[2] > known and key[0] == "naive")

    def test_a_model_cannot_reach_beyond_nor_leave_anything(self, inline: wrenml.Executor) -> None:
        result = backtest({"nosy": Nosy()}, FRAME, 3, [50, 40, 60], **COLUMNS, executor=inline)
        assert [record.error for record in result] == [None] * 9
        assert [record.forecast[0] for record in result][:3] == [40, 50, 60]

    def test_all_cutoffs_from_the_first_on(self, inline: wrenml.Executor) -> None:
        series = {"long": np.arange(20.0), "short": np.arange(3.0)}
        result = backtest({"naive": Naive()}, series, 2, None, min_train=14, step=3, executor=inline)
        assert [(record.group, record.cutoff) for record in result] == [("long", 14), ("long", 17)]


COLUMNS: dict[str, Any] = {"group": "region", "target": "sales", "time": "day"}


class TestSameEverywhere:
    def test_inline_and_workers_agree(self, inline: wrenml.Executor, two_workers: wrenml.Executor) -> None:
        runs = [
            backtest(MODELS, FRAME, 14, 6, **COLUMNS, executor=executor, pack=pack)
            for executor, pack in ((inline, None), (two_workers, None), (two_workers, 4))
        ]
        first, *others = [[told(record) for record in run] for run in runs]
        assert len(first) == 3 * 6 * len(MODELS)
        assert [told(record) for record in sorted(runs[1].as_completed(), key=first_of(first))] == first
        assert others == [first, first]
        assert repr(runs[1].scores("group", "step")) == repr(runs[0].scores("group", "step"))

    @pytest.mark.parametrize(
        ("backend", "workers", "seconds", "calls"),
        [
            ("local", 2, 0.0001, 2 + 20),  # a sixteenth of all at most: two groups of 10 each
            ("local", 2, 0.01, 2 + 40 * 2),  # 5 to a call
            ("local", 2, 0.06, 400),  # one is worth a call
            ("aws", 100, 0.01, 4 + 3),  # 150 to a call
            ("aws", 100, 2.0, 400),
        ],
    )
    def test_packs_are_made_by_measured_time(
        self, inline: wrenml.Executor, backend: str, workers: int, seconds: float, calls: int
    ) -> None:
        many = {number: SERIES["north"] + number for number in range(40)}
        clocked = Clocked(inline, backend, workers, seconds)
        result = backtest({"naive": Naive()}, many, 7, 10, executor=cast("wrenml.Executor", clocked))
        known = [len(DAYS) - 7 * back for back in range(10, 0, -1)]
        assert [(record.group, record.known) for record in result] == [(name, at) for name in many for at in known]
        assert clocked.calls == calls

    @pytest.mark.slow
    def test_lambda_agrees(self, inline: wrenml.Executor, wrenml_aws: MockedAWS) -> None:
        models = {name: MODELS[name] for name in ("naive", "week", "picky")}
        here = backtest(models, FRAME, 14, 6, **COLUMNS, executor=inline)
        with wrenml.default_executor() as executor:
            there = backtest(models, FRAME, 14, 6, **COLUMNS, executor=executor)
            assert [told(record) for record in there] == [told(record) for record in here]
            assert there.dollars > 0
        # 18 origins of milliseconds: four for the time they take, and one for the rest.
        assert wrenml_aws.requests["lambda.Invoke"] <= 4 + 2

    @pytest.mark.slow
    def test_a_series_is_stored_once(self, wrenml_aws: MockedAWS) -> None:
        series = RANDOM.normal(size=100_000)
        with wrenml.default_executor() as executor:
            result = backtest({"naive": Naive()}, {"long": series}, 7, 6, executor=executor, pack=1)
            assert [each.forecast[0] for each in result] == [series[each.known - 1] for each in result]
        assert series.nbytes <= stored(wrenml_aws) < 1.2 * series.nbytes


def first_of(order: list[tuple[Any, ...]]) -> Callable[[Record], int]:
    return lambda record: order.index(told(record))


class Clocked(wrenml.Executor):
    """An executor that seems to have workers and runs calls here; a forecast has taken the time that it is told.

    The first call has taken a minute more, as where a worker has to load its modules.
    """

    def __init__(self, executor: wrenml.Executor, backend: str, workers: int, seconds: float) -> None:
        self._session = cast("Any", SimpleNamespace(backend=backend, workers=workers))
        self.calls = 0
        self._executor = executor
        self._seconds = seconds

    def map(  # type: ignore[override]  # as a backtest calls it
        self, work: Callable[[Any], list[Envelope]], parcels: list[Any], **options: Any
    ) -> Any:
        def clocked(parcel: Any, seconds: float) -> list[Envelope]:
            return [replace(made, seconds=seconds) for made in work(parcel)]

        took = [self._seconds if self.calls or place else 60 + self._seconds for place in range(len(parcels))]
        self.calls += len(parcels)
        return self._executor.map(clocked, parcels, took, **options)


class TestFailures:
    def test_a_failing_model_is_a_row(self, two_workers: wrenml.Executor) -> None:
        result = backtest(MODELS, SERIES | {"short": np.arange(20.0)}, 7, 3, min_train=10, executor=two_workers)
        rows = {(each["group"], each["model"]): each for each in result.scores("group", "model")}
        assert (rows["north", "picky"]["forecasts"], rows["north", "picky"]["failed"]) == (0, 3)
        assert np.isnan(rows["north", "picky"]["mae"])
        assert (rows["south", "picky"]["forecasts"], rows["south", "picky"]["failed"]) == (3, 0)
        [first, *_] = [each for each in result.failures if each.group == "north" and each.model == "picky"]
        assert first.error is not None
        assert (first.error.type, first.error.message) == ("LookupError", "no model of the north")
        assert 'raise LookupError("no model of the north")' in first.error.traceback
        short = [each for each in result.failures if each.group == "short" and each.model == "naive"]
        assert [(each.known, each.error and each.error.message) for each in short] == [
            (-1, "0 values are known of group 'short', and 10 are the least"),
            (6, "6 values are known of group 'short', and 10 are the least"),
        ]

    def test_a_dead_worker_costs_one_forecast(self, two_workers: wrenml.Executor) -> None:
        models: dict[str, Any] = {"naive": Naive(), "dies": dies}
        result = backtest(models, {"only": SERIES["north"]}, 7, 2, executor=two_workers, pack=2)
        found = [(each.model, None if each.error is None else each.error.type) for each in result]
        assert found == [("naive", None), ("dies", "wrenml.errors.CallExited")] * 2

    def test_raising_instead(self, inline: wrenml.Executor) -> None:
        result = backtest(MODELS, SERIES, 7, 2, errors="raise", executor=inline)
        models = {name: MODELS[name] for name in ("naive", "picky")}
        with pytest.raises(ValueError, match="features are made of times"):
            list(result.as_completed())
        with pytest.raises(ValueError, match="features are made of times"):
            _ = result.records
        with pytest.raises(LookupError, match="no model of the north") as caught:
            _ = backtest(models, SERIES, 7, 2, errors="raise", executor=inline).records
        assert caught.traceback[-1].name == "fails_in_the_north"

    @pytest.mark.parametrize(
        ("model", "message"),
        [
            (lambda train, _: train[:3], r"returned shape \(3,\): \(7,\) is the horizon's"),
            (lambda _, horizon: [np.nan] * horizon, "values that are not finite"),
            (lambda _, horizon: ["much"] * horizon, "could not convert string to float"),
            (SeasonalNaive(500), "a season has 500 values, and only"),
            (Lagged(LinearRegression(), 400), "lags reach 400 values back, and only"),
        ],
    )
    def test_forecasts_that_are_none(self, inline: wrenml.Executor, model: Any, message: str) -> None:
        [record] = backtest({"model": model}, {"north": SERIES["north"]}, 7, 1, executor=inline)
        assert record.forecast is None
        assert record.error is not None
        with pytest.raises(ValueError, match=message):
            raise ValueError(record.error.message)

    def test_warnings_come_through(self, two_workers: wrenml.Executor) -> None:
        with pytest.warns(UserWarning, match="60 values"):
            backtest({"warns": warns}, {"north": SERIES["north"]}, 7, [60], executor=two_workers).scores()

    def test_missing_values(self, inline: wrenml.Executor) -> None:
        values = SERIES["north"].copy()
        values[[5, 100, 103]] = np.nan
        models: dict[str, Any] = {"naive": Naive(), "mean": Mean()}
        result = backtest(models, {"north": values}, 7, [90, 100], executor=inline)
        naive, mean = (each for each in result if each.known == 100)
        assert np.isnan(naive.actual).tolist() == [True, False, False, True, False, False, False]
        assert mean.error is not None
        assert mean.error.message.endswith("1 of the training values are missing.")
        assert np.isfinite(naive.scale)
        there = ~np.isnan(naive.actual)
        expected = mean_absolute_error(naive.actual[there], naive.forecast[there])
        assert result.to_frame().query("model == 'naive'")["mae"].iloc[1] == pytest.approx(expected)

    def test_cancelled_forecasts_are_rows(self, two_workers: wrenml.Executor, tmp_path: Path) -> None:
        waits = Waits(str(tmp_path / "first"))
        result = backtest({"waits": waits}, SERIES, 7, 1, executor=two_workers, pack=1)
        stream = result.as_completed()
        first = next(stream)
        result.cancel()
        errors = [each.error and each.error.type for each in stream]
        assert first.error is None
        assert errors == ["wrenml.errors.CallCancelled"] * 2
        assert [each.error is None for each in result] == [each.group == first.group for each in result]

    def test_an_interrupt_keeps_what_is_there(
        self, two_workers: wrenml.Executor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        waits = Waits(str(tmp_path / "first"))
        result = backtest({"waits": waits}, SERIES, 7, 1, executor=two_workers, pack=1)
        stream = result.as_completed()
        first = next(stream)
        interrupt = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            next(started(interrupt, stream))
        interrupt.join()
        assert "the backtest is cancelled after 1 of 3 forecasts" in capsys.readouterr().err
        assert sorted((each.error and each.error.type) or "" for each in result) == [
            "",
            *["wrenml.errors.CallCancelled"] * 2,
        ]
        assert told(first) in [told(each) for each in result]


def started(timer: threading.Timer, stream: Iterator[Record]) -> Iterator[Record]:
    timer.start()
    return stream


def draws(train: Any, horizon: int) -> Any:
    return train[-1] + np.random.normal(size=horizon)  # noqa: NPY002  # the generator that a seed is for


def test_a_seed_means_the_same_however_forecasts_are_packed(
    two_workers: wrenml.Executor, inline: wrenml.Executor
) -> None:
    def run(executor: wrenml.Executor, pack: int | None = None, seed: int = 1) -> list[Any]:
        found = backtest({"draws": draws}, SERIES, 7, 9, seed=seed, executor=executor, pack=pack)
        return [each.forecast.tolist() for each in found]

    first = run(two_workers, 1)
    assert run(two_workers) == run(two_workers, 4) == run(inline) == first
    noise = {round(made[0] - made[1], 9) for made in first}
    assert len(noise) == len(first)
    assert run(two_workers, 1, seed=2) != first


class TestCache:
    def test_groups_that_did_not_change_are_not_forecast_again(
        self, two_workers: wrenml.Executor, tmp_path: Path
    ) -> None:
        counts = Counts(str(tmp_path))

        def run(series: dict[str, Any]) -> list[Any]:
            result = backtest({"counts": counts}, series, 7, 2, cache="backtest", executor=two_workers)
            return [told(each) for each in result]

        first = run(SERIES)
        assert len(list(tmp_path.iterdir())) == 6
        assert run(SERIES) == first
        assert len(list(tmp_path.iterdir())) == 6
        assert run(SERIES | {"south": SERIES["south"] + 1}) != first
        assert len(list(tmp_path.iterdir())) == 8

    def test_only_what_is_new_is_forecast(self, two_workers: wrenml.Executor, tmp_path: Path) -> None:
        counts = Counts(str(tmp_path))

        def run(cutoffs: int, **models: Any) -> list[Record]:
            given = {"counts": counts, **models}
            return backtest(given, SERIES, 7, cutoffs, cache="new", executor=two_workers).records

        first = run(2)
        more = run(3, week=SeasonalNaive(7), fails=fails_in_the_north)
        assert len(list(tmp_path.iterdir())) == 3 * 3
        assert {each.model for each in more if each.reused} == {"counts"}
        assert sum(each.reused for each in more) == 3 * 2
        again = run(3, week=SeasonalNaive(7), fails=fails_in_the_north)
        assert [each.reused for each in again] == [each.error is None for each in again]
        assert not all(each.reused for each in again)
        assert [told(each) for each in again] == [told(each) for each in more]
        kept = {(each.group, each.cutoff): each.forecast.tolist() for each in more if each.model == "counts"}
        assert all(kept[each.group, each.cutoff] == each.forecast.tolist() for each in first)

    def test_what_is_no_forecast_is_not_used(
        self, two_workers: wrenml.Executor, caplog: pytest.LogCaptureFixture
    ) -> None:
        def run() -> list[bool]:
            found = backtest({"drift": Drift()}, SERIES, 7, 1, cache="spoilt", executor=two_workers)
            return [each.reused for each in found]

        assert not any(run())
        for number, spoilt in enumerate((b"5", b"[1, 2]", b"[[]]", b'{"a": 1}', b"\xff")):
            two_workers.storage.put(f"backtests/spoilt/{number}.json", spoilt)
        assert all(run())
        assert sum("does not hold forecasts" in message for message in caplog.messages) == 5

    @pytest.mark.parametrize("name", ["", "../x", "a/b", True])
    def test_a_name_that_cannot_be(self, name: Any, inline: wrenml.Executor) -> None:
        with pytest.raises(ConfigError, match="cache must be a name of letters"):
            backtest({"drift": Drift()}, SERIES, 7, 1, cache=name, executor=inline)

    @pytest.mark.slow
    def test_a_killed_backtest_goes_on_in_another_process(self, tmp_path: Path) -> None:
        script, log = tmp_path / "script.py", tmp_path / "log"
        script.write_text(KILLED)

        def run(*more: str) -> tuple[int, list[str]]:
            done = subprocess.run(
                [sys.executable, script, log, *more], env={**os.environ, "HOME": str(tmp_path)},
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            return done.returncode, done.stdout.split()

        assert run("die") == (-9, [])
        before = len(log.read_text().splitlines())
        assert before < 24
        code, (reused, *forecasts) = run()
        assert code == 0
        assert int(reused) >= 6
        assert len(log.read_text().splitlines()) == before + 24 - int(reused)
        assert run() == (0, ["24", *forecasts])
        assert len(log.read_text().splitlines()) == before + 24 - int(reused)


KILLED = """
import os, sys, time
import numpy as np
from wrenml import local_executor
from wrenml.ml.backtest import backtest

class Slow:
    def __init__(self, log):
        self.log = log

    def __call__(self, train, horizon):
        time.sleep(0.1)  # so that not all are made before the process dies
        with open(self.log, "a") as file:
            file.write("fitted\\n")
        return np.full(horizon, train.mean())

if __name__ == "__main__":
    series = {name: np.arange(50.0) + place for place, name in enumerate("abcd")}
    with local_executor(workers=1) as executor:
        found = backtest({"slow": Slow(sys.argv[1])}, series, 2, 6, executor=executor, cache="killed", pack=1)
        for number, _ in enumerate(found.as_completed(), 1):
            if number == 12 and "die" in sys.argv:
                os.kill(os.getpid(), 9)
        print(sum(each.reused for each in found), *(each.forecast[0] for each in found))
"""


class TestScores:
    def test_metrics_are_those_of_scikit_learn(self, inline: wrenml.Executor) -> None:
        metrics = {
            "absolute": mean_absolute_error,
            "squared": root_mean_squared_error,
            "p90": functools.partial(pinball, quantile=0.9),
        }
        result = backtest({"naive": Naive()}, SERIES, 7, 3, metrics=metrics, executor=inline)
        [row] = result.scores()
        [ours] = result.scores(metrics=["mae", "rmse"])
        assert (ours["mae"], ours["rmse"]) == pytest.approx((row["absolute"], row["squared"]), rel=1e-14)
        actual, forecast = (np.concatenate([getattr(each, name) for each in result]) for name in ("actual", "forecast"))
        assert row["p90"] == pytest.approx(mean_pinball_loss(actual, forecast, alpha=0.9), rel=1e-14)

    def test_definitions(self) -> None:
        actual, forecast = np.array([2.0, 0.0, 4.0]), np.array([1.0, 0.0, 12.0])
        assert smape(actual, forecast) == pytest.approx((200 / 3 + 0 + 100) / 3)
        assert mase(actual, forecast, 2.0) == pytest.approx(9 / 3 / 2)
        assert np.isnan(mase(actual, forecast, 0.0))

    def test_frames(self, inline: wrenml.Executor) -> None:
        result = backtest(MODELS, FRAME, 14, ["2020-03-01", DAYS[100]], **COLUMNS, executor=inline)
        frame, steps = result.to_frame(), result.to_frame(steps=True)
        assert len(frame) == len(result) == 3 * 2 * len(MODELS)
        assert set(frame.cutoff) == {pd.Timestamp("2020-03-01"), pd.Timestamp(DAYS[100])}
        assert frame.known[0] == 61  # the last known day is the cutoff
        assert len(steps) == 14 * frame.error.isna().sum()
        by_step = (steps.forecast - steps.actual).abs().groupby([steps.model, steps.step]).mean()
        for row in result.scores("model", "step", metrics="mae"):
            if row["forecasts"]:
                assert row["mae"] == pytest.approx(by_step[row["model"], row["step"]])
        assert repr(result) == "<BacktestResult: 36 of 36 forecasts>"
        assert "<td>picky</td>" in result._repr_html_()

    def test_series_come_in_several_ways(self, inline: wrenml.Executor) -> None:
        shuffled = FRAME.sample(frac=1, random_state=0)
        by_region = FRAME.set_index("day").groupby("region")["sales"]
        given: list[Any] = [(FRAME, COLUMNS), (shuffled, COLUMNS), (dict(iter(by_region)), {})]
        found = [
            [told(each) for each in backtest(MODELS, each, 7, 2, **columns, groups=["west", "north"], executor=inline)]
            for each, columns in given
        ]
        assert found[1:] == [found[0]] * 2
        assert [row[1] for row in found[0]] == ["west"] * 12 + ["north"] * 12
        two = FRAME.assign(shop="a")
        [record, *_] = backtest(
            {"naive": Naive()}, two, 7, 1, **COLUMNS | {"group": ["shop", "region"]}, executor=inline
        )
        assert record.group == ("a", "north")


class TestBadInput:
    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"models": {}}, "with at least one"),
            ({"models": {"a": LinearRegression()}}, r"Lagged\(LinearRegression\(…\), lags=…\)"),
            ({"models": {"a": Naive}}, r"give an instance, Naive\(…\)"),
            ({"series_by_group": {}}, "there is no series"),
            ({"series_by_group": [1, 2]}, "give a dict, group to 1-d array"),
            ({"series_by_group": {"a": ["x"]}}, "not made of numbers"),
            ({"series_by_group": {"a": np.zeros((2, 2))}}, r"has shape \(2, 2\)"),
            ({"series_by_group": {"a": [1.0, np.inf]}}, "an infinite value, at 1"),
            ({"series_by_group": {"a": pd.Series([1.0, 2, 3], [2, 1, 3])}}, "do not rise: 2 is followed by 1"),
            ({"series_by_group": FRAME}, "group="),
            ({"series_by_group": FRAME, "group": "region"}, r"target=, one of \['day', 'sales'\]"),
            ({"series_by_group": FRAME, **COLUMNS, "time": "dya"}, "no column 'dya'"),
            ({"series_by_group": pd.concat([FRAME, FRAME]), **COLUMNS}, "keep one value for each time"),
            ({"groups": ["nroth"]}, "no group 'nroth': is it 'north'"),
            ({"target": "sales"}, "a dict of series has none"),
            ({"horizon": 0}, "horizon=0: give a whole number of 1 or more"),
            ({"window": "rolling"}, "window='rolling': .* or \"expanding\""),
            ({"step": 0.5}, "step=0.5"),
            ({"min_train": True}, "min_train=True"),
            ({"period": 0}, "period=0"),
            ({"pack": 0}, "pack=0"),
            ({"cutoffs": 0}, "cutoffs=0"),
            ({"cutoffs": None}, "min_train="),
            ({"cutoffs": None, "min_train": 500}, "no series has min_train=500 values"),
            ({"cutoffs": []}, "cutoffs is empty"),
            ({"cutoffs": "2020-03-01"}, "a list of numbers of known values or of times"),
            ({"cutoffs": [50, 5000]}, "the cutoff 5000 lies outside of every series"),
            ({"cutoffs": ["2020-03-01"]}, "is a time, and the series of group 'north' has none"),
            ({"series_by_group": FRAME, **COLUMNS, "cutoffs": ["soon"]}, "'soon' is not a time of group 'north'"),
            ({"series_by_group": FRAME, **COLUMNS, "cutoffs": ["2019-12-31"]}, "lies outside of every series"),
            ({"metrics": ["mea"]}, "no metric 'mea': choose from mae"),
            ({"metrics": {"a": 1}}, "the metric 'a' is 1"),
            ({"errors": "skip"}, 'choose "keep" or "raise"'),
            ({"dry_run": True}, "dry_run=True"),
        ],
    )
    def test_said_at_once(self, inline: wrenml.Executor, changed: dict[str, Any], message: str) -> None:
        given: dict[str, Any] = {
            "models": {"naive": Naive()},
            "series_by_group": SERIES,
            "horizon": 7,
            "cutoffs": 2,
        } | changed
        with pytest.raises(ConfigError, match=message):
            backtest(**given, executor=inline)

    def test_of_scores(self, inline: wrenml.Executor) -> None:
        result = backtest({"naive": Naive()}, SERIES, 7, 1, executor=inline)
        with pytest.raises(ConfigError, match="choose from 'model', 'group', 'cutoff', 'step'"):
            result.scores("region")
