"""Starting a backtest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Unpack

from wrenml import MapOptions
from wrenml.errors import ConfigError
from wrenml.executor import Executor
from wrenml.ml.backtest.calls import Calls
from wrenml.ml.backtest.cells import Cells
from wrenml.ml.backtest.kept import Kept
from wrenml.ml.backtest.metrics import DEFAULT, Metrics, named
from wrenml.ml.backtest.origins import Plan, at_least_one, origins_of
from wrenml.ml.backtest.result import BacktestResult
from wrenml.ml.backtest.series import Columns, read
from wrenml.ml.choosing import chosen

__all__ = ["backtest"]


def backtest(  # noqa: PLR0913  # the options of a backtest, each by name
    models: Mapping[str, Callable[..., Any]],
    series_by_group: Any,
    horizon: int,
    cutoffs: int | Iterable[Any] | None,
    *,
    window: int | Literal["expanding"] = "expanding",
    step: int | None = None,
    min_train: int | None = None,
    period: int = 1,
    metrics: Iterable[str] | Metrics = DEFAULT,
    groups: Iterable[Any] | None = None,
    group: str | list[str] | None = None,
    target: str | None = None,
    time: str | None = None,
    errors: Literal["keep", "raise"] = "keep",
    pack: int | None = None,
    executor: Executor | None = None,
    **options: Unpack[MapOptions],
) -> BacktestResult:
    """Forecast series of many groups from points in their past with several models, and compare with what came after.

    Parameters
    ----------
    models : mapping of str to callable
        Name to model: called as ``model(train, horizon)`` with an array of what is known, returns as many numbers as
        the horizon has steps. A model with parameters ``index`` or ``future_index`` is given the times of the training
        values or of the steps, None where they are not known. It is a copy of its own for each forecast, and so is
        what it is given. `Naive`, `SeasonalNaive`, `Drift` and `Mean` are such models, and `Lagged` makes one of a
        regressor of scikit-learn's.
    series_by_group : mapping or pandas.DataFrame
        Group to numbers in the order of time, as an array, list or `pandas.Series`, whose index then is their times;
        or a frame with a row for each group and time. Missing values (NaN) are given to the models, and are not
        scored.
    horizon : int
        How many steps to forecast, 1 or more.
    cutoffs : int, iterable or None
        How many, the last one with a whole horizon after it. Or those to take: numbers of known values (from the end
        of the series if negative), or last known times. None: all, from `min_train` known values on.
    window : int or "expanding", default "expanding"
        How many last values a model is given (rolling origins), or all that are known.
    step : int, optional
        Values from one cutoff to the next, where they are counted. Default: `horizon`.
    min_train : int, optional
        A cutoff with fewer known values in a group is a failure there. Default: `window` if it is a number, else 1.
    period : int, default 1
        Steps of a season, for the scale of ``"mase"``.
    metrics : iterable of str, or mapping of str to callable
        Names from ``"mae"``, ``"rmse"``, ``"mase"`` and ``"smape"``, by default all; or functions of actual values
        and forecasts, scikit-learn's for instance. Computed here, so that they can be changed afterwards.
    groups : iterable, optional
        Take only these.
    group, target, time : str, optional
        Columns of the frame: of the group (or several), of the value (needed if there are several others), of the
        time (default: the order of the rows).
    errors : {"keep", "raise"}, default "keep"
        Whether a forecast that fails is a record with its error, or raises what the model raised when the result is
        read.
    pack : int, optional
        How many cutoffs a call takes. Default: by the time that the first ones take.
    executor : Executor, optional
        Where. Default: `wrenml.default_executor()`; `wrenml.inline_executor()` runs one forecast after the other in
        this process.
    **options
        Of the map (`wrenml.Options`). With ``cache="name"`` forecasts are kept as they are read, and not made again, by
        whatever process: a backtest that was killed goes on where it was, and with another model or cutoff only what is
        new is forecast. Failures are made again. With ``seed=`` the global random generators start each forecast from
        the seed and the training values, so that it is the same in whichever call it is made. Limits of a call hold for
        a pack; where a call is lost or runs out of time or memory, each of its forecasts is made again in a call of its
        own.

    Returns
    -------
    BacktestResult
        Calls may still be under way: it waits for them when it is read.

    Raises
    ------
    ConfigError
        If a parameter cannot be meant, a group is unknown, a cutoff lies outside of all series, or a series is not
        one of numbers in the order of time.
    """
    plan = Plan(horizon, window, step, min_train)
    at_least_one("period", period)
    if errors not in ("keep", "raise"):
        raise ConfigError(f'errors={errors!r}: choose "keep" or "raise"')
    if options.get("dry_run"):
        raise ConfigError("dry_run=True: a backtest needs the time of its first calls. Try it with map()")
    if pack is not None:
        at_least_one("pack", pack)
    checked = named(metrics)
    series = read(series_by_group, Columns(group, target, time), groups)
    cells = Cells(series, _models(models), plan, period)
    origins = origins_of(series, cutoffs, plan)
    where = chosen(executor)
    name = options.get("cache")
    kept = None if name is None else Kept(where, name, cells, options)
    # The cache of a map has calls in it, and the next backtest may pack its forecasts into others.
    changed = {"name": "backtest", **options, "cache": None}
    calls = Calls(cells, where, changed, raises=errors == "raise", kept=kept)
    calls.start(origins, pack)
    return BacktestResult(calls, checked)


def _models(models: Any) -> dict[str, Callable[..., Any]]:
    if not isinstance(models, Mapping) or not models:
        raise ConfigError(f"models={models!r:.80}: give a dict, name to model, with at least one")
    for name, model in models.items():
        if not callable(model):
            hint = f"Lagged({type(model).__name__}(…), lags=…) makes one of it" if hasattr(model, "predict") else ""
            raise ConfigError(f"the model {name!r} cannot be called as model(train, horizon). {hint}".rstrip())
        if isinstance(model, type):
            raise ConfigError(f"the model {name!r} is a class: give an instance, {model.__name__}(…)")
    return dict(models)
