"""Names of scikit-learn that are inherited or documented, but begin with an underscore: all that are used, used here.

`_run_search` is the documented way to write a search; the others belong to the classes that ours inherit from.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from inspect import signature
from typing import Any

from sklearn import config_context, get_config
from sklearn.base import BaseEstimator, clone

from wrenml.ml.callbacks import compat as callbacks
from wrenml.ml.model_selection.indexing import count

__all__ = [
    "best_index",
    "callbacks_of",
    "callbacks_set",
    "check_arguments",
    "check_inputs",
    "check_refit",
    "constraints",
    "fitting",
    "halves",
    "has_callbacks",
    "metrics_of",
    "passes_callbacks_on",
    "propose",
    "routed",
    "scorers_of",
    "shipped",
    "splitter_is",
    "task",
    "with_callbacks",
    "without_callbacks",
]

Evaluate = Callable[..., dict[str, Any]]

try:
    from sklearn.callback import with_callbacks
except ImportError:  # before scikit-learn 1.9

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method: there are no callbacks."""
        return method


def constraints(kind: type, **more: Any) -> dict[str, Any]:
    """What the parameters of a search class may be, those of a scikit-learn class and further ones."""
    return {**kind._parameter_constraints, **more}  # type: ignore[attr-defined]  # noqa: SLF001


@contextlib.contextmanager
def fitting(search: Any) -> Iterator[None]:
    """Check a search's parameters, and fit under the settings that scikit-learn's `fit` has."""
    skip = get_config()["skip_parameter_validation"]
    if not skip:
        search._validate_params()  # noqa: SLF001
    with config_context(skip_parameter_validation=skip):
        yield


def check_arguments(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Check arguments as a function of scikit-learn does.

    Raises
    ------
    ValueError, TypeError
        With scikit-learn's text.
    """
    allowed = getattr(function, "_skl_parameter_constraints", None)
    if allowed is None or get_config()["skip_parameter_validation"]:
        return
    checked = {name: given[name] for name in given if name in allowed}

    def get_params(_: Any, deep: bool = True) -> dict[str, Any]:  # noqa: ARG001, FBT001, FBT002
        return checked

    body = {"_parameter_constraints": {name: allowed[name] for name in checked}, "get_params": get_params}
    # Estimators can check parameters, and are named by their class.
    type(function.__name__, (BaseEstimator,), body)()._validate_params()  # noqa: SLF001


def scorers_of(search: Any) -> tuple[Any, Any]:
    """Return a search's scorer, which may leave this process, and the metric by which it refits."""
    plain = without_callbacks(search.estimator)
    if plain is not search.estimator:
        # The default scorer has the estimator in it.
        search = copy(search)
        search.estimator = plain
    scorer, metric = search._get_scorers()  # noqa: SLF001
    return scorer, metric


def metrics_of(scorer: Any, scoring: Any) -> dict[str, Any] | None:
    """Return the scorers of a scorer of several metrics, None for another one."""
    return None if scoring is None or isinstance(scoring, str) or callable(scoring) else dict(scorer._scorers)  # noqa: SLF001


def routed(search: Any, params: Mapping[str, Any]) -> Any:
    """Return which parameters of `fit` go where: a bunch of ``estimator.fit``, ``splitter.split``, ``scorer.score``."""
    return search._get_routed_params_for_fit(params)  # noqa: SLF001


def splitter_is(search: Any, splitter: Any) -> None:
    """Note the splitter that is used by default, for searches that ask for it."""
    search._checked_cv_orig = splitter  # noqa: SLF001


def check_inputs(search: Any, X: Any, y: Any, split_params: Mapping[str, Any]) -> None:
    """Have a search check its data."""
    if halves(search):
        search._n_samples_orig = count(X)  # noqa: SLF001
    check = getattr(search, "_check_input_parameters", None)  # before scikit-learn 1.9 few searches have it
    if check is not None:
        check(X=X, y=y, split_params=split_params)


def check_refit(search: Any, scores: Mapping[str, Any]) -> None:
    """Check that a search of several metrics is told by which to refit.

    Raises
    ------
    ValueError
        If not.
    """
    search._check_refit_for_multimetric(scores)  # noqa: SLF001


def best_index(search: Any, metric: Any, results: Mapping[str, Any]) -> int:
    """Return the number of the best candidate."""
    index: int = search._select_best_index(search.refit, metric, results)  # noqa: SLF001
    return index


def halves(search: Any) -> bool:
    """Whether a search proposes candidates in rounds of more and more resources."""
    return hasattr(search, "aggressive_elimination")


def propose(search: Any, evaluate: Evaluate, context: Any) -> None:
    """Have a search propose candidates to `evaluate`."""
    if context is not None and "callback_ctx" in signature(search._run_search).parameters:  # noqa: SLF001
        search._run_search(evaluate, callback_ctx=context)  # noqa: SLF001
    else:
        search._run_search(evaluate)  # noqa: SLF001


def callbacks_set(owner: Any) -> list[Any]:
    """Return the callbacks that are set on an estimator, or told of a task."""
    return callbacks.callbacks_of(owner)


def has_callbacks(estimator: Any) -> bool:
    """Whether callbacks are set on an estimator."""
    return bool(callbacks_set(estimator))


def without_callbacks(value: Any) -> Any:
    """Return an estimator that may leave this process: itself, or a copy if it or one within has callbacks."""
    return shipped(value) if not isinstance(value, type) and callbacks.within(value) else value


def shipped(estimator: Any) -> Any:
    """Return a copy of an estimator that may leave this process."""
    copied = clone(estimator)
    for each in callbacks.within(copied):
        callbacks.put(each, [])
    return copied


def passes_callbacks_on(search: Any) -> bool:
    """Whether a search has callbacks for the estimators that it fits as well."""
    return any(map(callbacks.is_propagated, callbacks.callbacks_of(search)))


def callbacks_of(search: Any) -> Any:
    """Return the context that tells a search's callbacks what is done; None before scikit-learn 1.9."""
    begin = getattr(search, "_init_callback_context", None)
    return None if begin is None else begin(max_subtasks=1 + (search.refit is not False))


@contextlib.contextmanager
def task(root: Any, name: str, estimator: Any) -> Iterator[Any]:
    """Fit an estimator as a task of its own, of which callbacks are told; the context is None where there are none.

    Parameters
    ----------
    root : CallbackContext, optional
        The task that this is part of.
    name : str
        Of the task.
    estimator : estimator
        Gets the callbacks that are passed on.
    """
    if root is None:
        yield None
        return
    context = root.subcontext(task_name=name)
    with context.propagate_callback_context(estimator):
        yield context
