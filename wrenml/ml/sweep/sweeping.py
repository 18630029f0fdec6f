"""Starting a sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Unpack

from wrenml import MapOptions
from wrenml.errors import ConfigError
from wrenml.executor import Executor
from wrenml.ml.choosing import chosen
from wrenml.ml.sweep.candidates import candidates_of, check_accepted
from wrenml.ml.sweep.result import SweepResult
from wrenml.ml.sweep.running import Errors
from wrenml.ml.sweep.timed import timed

__all__ = ["sweep"]

Grid = Mapping[str, Any] | Sequence[Mapping[str, Any]] | Iterable[Mapping[str, Any]]


def sweep(
    fn: Callable[..., Any],
    grid_or_distributions: Grid,
    /,
    *,
    n_iter: int | None = None,
    random_state: Any = None,
    errors: Errors = "return",
    executor: Executor | None = None,
    **options: Unpack[MapOptions],
) -> SweepResult:
    """Call a function with each combination of parameters, in parallel; return a table of what came of it, at once.

    Parameters
    ----------
    fn : callable
        Called with parameters as keywords. Returns a number, a dict of metrics, or anything else that can be pickled.
    grid_or_distributions : mapping, sequence of mappings or iterable of mappings
        A dict of lists, of which all combinations are tried, or a list of such dicts, in the order of scikit-learn's
        `ParameterGrid`; with `n_iter` dicts of lists and distributions (with ``rvs``, as in `scipy.stats`), as for its
        `ParameterSampler`. Or the candidates: a list of dicts of which none has a list for every parameter, or any
        other finite iterable of dicts, such as ``iter([…])``.
    n_iter : int, optional
        How many candidates to draw. Default: all combinations are tried.
    random_state : int or numpy.random.RandomState, optional
        What to draw with. Default: others each time, so that a cache finds none of them again.
    errors : {"return", "raise"}, default "return"
        Failures are rows of the table; ``"raise"`` raises the first of them where the table is read.
    executor : Executor, optional
        Where. Default: `wrenml.default_executor`.
    **options
        Of the map: see `wrenml.Options`. With ``cache="name"`` results of equal calls are reused, by whatever process
        they were made: a sweep that was killed goes on where it was, and of a larger grid only what is new is run.
        `name` is the function's by default.

    Returns
    -------
    SweepResult
        In the order of the candidates.

    Raises
    ------
    ConfigError
        If there is nothing to sweep over, or the function does not take the parameters.
    FunctionNotSerializable
        If the function cannot be pickled.
    NotSupportedError
        If `n_iter` is given, and there is no scikit-learn.
    """
    if not callable(fn):
        raise ConfigError(f"the function is a {type(fn).__name__}, which cannot be called: {fn!r:.80}; it comes first")
    if errors not in ("return", "raise"):
        raise ConfigError(f'errors={errors!r}: choose "return" or "raise"')
    candidates = candidates_of(grid_or_distributions, n_iter, random_state)
    check_accepted(fn, candidates)
    name = options.get("name") or _name_of(fn)
    options["name"] = name
    where = chosen(executor)
    futures = where.map(timed(fn), candidates, **options)
    return SweepResult(candidates, futures, name=name, errors=errors, cache=options.get("cache"))


def _name_of(fn: Callable[..., Any]) -> str:
    inner = getattr(fn, "func", fn)  # of a partial
    return str(getattr(inner, "__name__", type(inner).__name__))
