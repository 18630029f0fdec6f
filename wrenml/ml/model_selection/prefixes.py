"""Beginnings of pipelines that several candidates share: fitted once for a split.

Two candidates share the first steps of a pipeline if these have the same parameters, and fitting them twice would give
the same twice: no step draws from a generator that is not its own. Steps of scikit-learn with ``random_state=None``
may or may not draw from numpy's global generator: that is seen when one is fitted. Other steps with
``random_state=None`` are not shared.
"""

from __future__ import annotations

import copy
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from wrenml.ml.model_selection.compat import has_callbacks
from wrenml.ml.model_selection.indexing import Split

__all__ = ["Candidate", "Fitted", "Keys", "Prefixes", "shared_steps"]

Keys = tuple[int, ...]
_Step = tuple[str, Any]

_ATOMS = (bool, int, float, complex, str, bytes, type(None))
_NO_STEP = (None, "passthrough")
_OWN = frozenset({"steps", "memory", "verbose", "transform_input"})  # a pipeline's own parameters
_STATEFUL = (np.random.Generator, np.random.BitGenerator)  # these go on where they were, even in a clone


class Candidate:
    """The estimator of a candidate, whole or the last steps only: most of a short cell would go into making the whole.

    Parameters
    ----------
    estimator : estimator
        Stays as it is.
    parameters : mapping of str to object, optional
        Are set on copies of it. Default: none.
    """

    def __init__(self, estimator: Any, parameters: Mapping[str, Any] | None) -> None:
        self._estimator = estimator
        self._parameters = parameters

    @cached_property
    def whole(self) -> Any:
        """A copy of it, always the same."""
        return _with(self._estimator, self._parameters)

    def tail(self, depth: int) -> Pipeline:
        """Return a copy of a pipeline without its first steps."""
        steps = self._estimator.steps[depth:]
        names = {name for name, _ in steps}
        given = {key: value for key, value in (self._parameters or {}).items() if key.partition("__")[0] in names}
        return _with(Pipeline(steps), given)


def _with(estimator: Any, parameters: Mapping[str, Any] | None) -> Any:
    # The values are cloned as well: they may be estimators.
    return clone(estimator).set_params(**clone(parameters, safe=False)) if parameters else clone(estimator)


class Fitted:
    """An estimator that is or will be fitted, and the data it is fitted to.

    Parameters
    ----------
    estimator : estimator
        The whole pipeline, or what is left of one whose first steps are fitted.
    X_train : data
        What those steps made of the rows.
    """

    fit_seconds = 0.0
    score_seconds = 0.0

    def __init__(self, estimator: Any, X_train: Any) -> None:
        self.estimator = estimator
        self.X_train = X_train

    def for_scoring(self, data: Split, *, whole: bool) -> tuple[Any, Callable[[], Any], Any]:  # noqa: ARG002
        """Return the estimator to score, what makes its training data, and its test data.

        Parameters
        ----------
        data : Split
            Of the whole pipeline.
        whole : bool
            Whether that is what must be scored.
        """
        return self.estimator, lambda: data.X_train, data.X_test

    def whole(self) -> Any:
        """Return the whole pipeline."""
        return self.estimator


class _Tail(Fitted):
    """The last steps of a pipeline, whose first steps were fitted for another cell."""

    def __init__(self, candidate: Candidate, level: _Level, steps: Sequence[_Step]) -> None:
        super().__init__(candidate.tail(len(steps)), _copied(level.fitted_on))
        self._candidate = candidate
        self._steps = steps
        self._level = level
        self.fit_seconds = level.fit_seconds
        self.score_seconds = level.score_seconds

    def for_scoring(self, data: Split, *, whole: bool) -> tuple[Any, Callable[[], Any], Any]:
        if whole:
            self.score_seconds = 0.0
            return self.whole(), lambda: data.X_train, data.X_test
        return self.estimator, lambda: _copied(self._level.X_train), _copied(self._level.X_test)

    def whole(self) -> Any:
        pipeline = self._candidate.whole
        pipeline.steps = [*self._steps, *self.estimator.steps]
        return pipeline


class _Level(NamedTuple):
    """The data after some steps, and what these took."""

    fitted_on: Any  # of `fit_transform`, for the next step to be fitted to
    X_train: Any  # of `transform`: rounding may differ
    X_test: Any
    fit_seconds: float
    score_seconds: float


class Prefixes:
    """Fitted steps of the cells before, in a worker.

    Parameters
    ----------
    keys : sequence of tuple of int
        For each candidate, one number for each of its first steps that may be shared: two candidates with the same
        numbers have the same steps.
    train_scores : bool
        Whether training rows are scored too.
    """

    def __init__(self, keys: Sequence[Keys], *, train_scores: bool) -> None:
        self._keys = keys
        self._train_scores = train_scores
        # The last steps fitted, one after another: cells come sorted by split and by what they share.
        self._made: list[tuple[tuple[int, Keys], _Step, _Level]] = []
        self._not_shared: set[tuple[int, Keys]] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        return _prefixes, (self._keys, self._train_scores)

    def extend(self, candidate: Candidate, cell: tuple[int, int], data: Split) -> Fitted | None:
        """Return what is left to fit of a candidate's pipeline; None if it has to be fitted as a whole.

        Parameters
        ----------
        candidate : Candidate
            Of a pipeline.
        cell : tuple of int
            Numbers of the candidate and of the split.
        data : Split
            The split.
        """
        place, number = cell
        keys = self._keys[place]
        level: _Level | None = None
        steps: list[_Step] = []
        for depth in range(len(keys)):
            key = number, keys[: depth + 1]
            if depth >= len(self._made) or self._made[depth][0] != key:
                made = None
                if key not in self._not_shared:
                    before = level or _Level(data.X_train, data.X_train, data.X_test, 0.0, 0.0)
                    made = self._fit(candidate.whole.steps[depth], before, data.y_train)
                if made is None:
                    self._not_shared.add(key)
                    break
                self._made[depth:] = [(key, *made)]
            _, step, level = self._made[depth]
            steps.append(step)
        return _Tail(candidate, level, steps) if level is not None else None

    def _fit(self, named: _Step, before: _Level, y: Any) -> tuple[_Step, _Level] | None:
        """Fit a step; None if it cannot be shared, or fails: then the whole pipeline shall fail as it does."""
        name, step = named
        if step in _NO_STEP:
            return named, before
        state = _global_state()
        try:
            fitted, level = self._fit_step(clone(step), before, y)
        except Exception:  # noqa: BLE001  # the user's step: what it raises is raised again by the whole pipeline
            _set_global_state(state)
            return None
        if not _same(_global_state(), state):
            _set_global_state(state)
            return None
        return (name, fitted), level

    def _fit_step(self, step: Any, before: _Level, y: Any) -> tuple[Any, _Level]:
        data = _copied(before.fitted_on)
        started = time.perf_counter()
        both = hasattr(step, "fit_transform")
        fitted_on = step.fit_transform(data, y) if both else step.fit(data, y).transform(data)
        fit_seconds = time.perf_counter() - started
        test = _copied(before.X_test)
        started = time.perf_counter()
        X_test = step.transform(test)
        score_seconds = time.perf_counter() - started
        X_train = step.transform(_copied(before.X_train)) if self._train_scores else None
        return step, _Level(
            fitted_on, X_train, X_test, before.fit_seconds + fit_seconds, before.score_seconds + score_seconds
        )


def _prefixes(keys: Sequence[Keys], train_scores: bool) -> Prefixes:  # noqa: FBT001
    return Prefixes(keys, train_scores=train_scores)


def _copied(data: Any) -> Any:
    """Copy data that a step may change in place."""
    if isinstance(data, np.ndarray):
        return data.copy(order="K")  # in the other order sums would be rounded otherwise
    return data.copy() if hasattr(data, "copy") else copy.copy(data)


def _global_state() -> tuple[Any, Any]:
    return np.random.get_state(), random.getstate()  # noqa: NPY002  # this is the one that steps may draw from


def _set_global_state(state: tuple[Any, Any]) -> None:
    np.random.set_state(state[0])  # noqa: NPY002
    random.setstate(state[1])


def _same(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    (name, words, *position), (other_name, other_words, *other_position) = one[0], other[0]
    return bool(
        name == other_name and position == other_position and np.array_equal(words, other_words) and one[1] == other[1]
    )


# Planning, in the caller.


def shared_steps(
    estimator: Any, candidates: Sequence[Mapping[str, Any] | None], fit_params: Mapping[str, Any]
) -> list[Keys] | None:
    """Tell which first steps candidates share.

    Parameters
    ----------
    estimator : estimator
        Only a `sklearn.pipeline.Pipeline` has steps to share.
    candidates : sequence of dict
        The parameters that are set on it.
    fit_params : mapping of str to object
        Of `fit`: they may go to any step, so that nothing is shared unless there are none.

    Returns
    -------
    list of tuple of int, or None
        For each candidate, a number for each of its first steps that another candidate shares; None if nothing is
        shared.
    """
    if type(estimator) is not Pipeline or fit_params or not _plain(estimator):
        return None
    names = [name for name, _ in estimator.steps[:-1]]
    numbers: dict[Any, int] = {}
    keys = [_keys(estimator, names, candidate or {}, numbers) for candidate in candidates]
    times = Counter(chain[: depth + 1] for chain in keys for depth in range(len(chain)))
    trimmed = [chain[: sum(times[chain[: depth + 1]] > 1 for depth in range(len(chain)))] for chain in keys]
    return trimmed if any(trimmed) else None


def _plain(pipeline: Pipeline) -> bool:
    """Whether a pipeline does nothing but fit its steps one after another."""
    return (
        pipeline.memory is None
        and not pipeline.verbose
        and getattr(pipeline, "transform_input", None) is None
        and not has_callbacks(pipeline)
    )


def _keys(pipeline: Pipeline, names: Sequence[str], candidate: Mapping[str, Any], numbers: dict[Any, int]) -> Keys:
    if not _OWN.isdisjoint(candidate):
        return ()
    chain: list[int] = []
    for name in names:
        given = {key: value for key, value in candidate.items() if key.partition("__")[0] == name}
        token = tuple(chain), name, tuple(sorted((key, _token(value)) for key, value in given.items()))
        if token not in numbers:
            numbers[token] = len(numbers) if _deterministic(dict(pipeline.steps)[name], name, given) else -1
        if numbers[token] < 0:
            break
        chain.append(numbers[token])
    return tuple(chain)


def _token(value: Any) -> tuple[str, str]:
    """What tells a value from others: atoms by what they are, anything else by identity."""
    kind = type(value)
    if kind in _ATOMS or isinstance(value, np.generic):
        return f"{kind.__module__}.{kind.__qualname__}", repr(value)
    if kind is tuple:
        return "tuple", repr([_token(part) for part in value])
    return "object", str(id(value))


def _deterministic(step: Any, name: str, given: Mapping[str, Any]) -> bool:
    """Whether fitting this step twice gives the same, as far as its parameters tell."""
    step = given.get(name, step)
    if step in _NO_STEP:
        return True
    changed = {key.partition("__")[2]: value for key, value in given.items() if key != name}
    try:
        parameters = clone(step).set_params(**clone(changed, safe=False)).get_params(deep=True)
    except Exception:  # noqa: BLE001  # the user's step or value: what is wrong with it, its cell will say
        return False
    values = [step, *parameters.values()]
    if any(has_callbacks(value) or isinstance(value, _STATEFUL) for value in values):
        return False
    drawn = any(key.endswith("random_state") and value is None for key, value in parameters.items())
    estimators = (value for value in values if hasattr(value, "get_params"))
    return not drawn or all(type(value).__module__.startswith("sklearn.") for value in estimators)
