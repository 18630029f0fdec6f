"""What to try: grids as of scikit-learn's `ParameterGrid`, distributions as of its `ParameterSampler`, or any dicts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from wrenml.errors import ConfigError, NotSupportedError

__all__ = ["Params", "candidates_of", "check_accepted"]

Params = dict[str, Any]

_AS_CANDIDATES = "to try dicts as they are, give iter([…])"


def candidates_of(given: Any, n_iter: int | None, random_state: Any) -> list[Params]:
    """List the candidates that a grid, distributions or dicts stand for, in order.

    Parameters
    ----------
    given : mapping, sequence of mappings or iterable of mappings
        As for `wrenml.ml.sweep.sweep`.
    n_iter : int, optional
        How many to draw; None tries all there are.
    random_state : int, numpy.random.RandomState or None
        What to draw with.

    Raises
    ------
    ConfigError
        If it is none of these.
    NotSupportedError
        If there is something to be drawn, and no scikit-learn.
    """
    spaces = _spaces(given)
    if n_iter is not None:
        if spaces is None:
            raise ConfigError("n_iter= draws from a dict, or a list of dicts, of lists and distributions; leave it out")
        return _drawn(spaces, n_iter, random_state)
    if spaces is not None:
        return [candidate for space in spaces for candidate in _grid(space)]
    if not isinstance(given, Iterable) or isinstance(given, str | bytes):
        raise ConfigError(f"{given!r:.80} is no grid: give a dict of lists, a list of those, or dicts to be tried")
    return [_checked(number, one) for number, one in enumerate(given)]


def check_accepted(fn: Callable[..., Any], candidates: Iterable[Params]) -> None:
    """Raise unless the function takes the parameters of all candidates as keywords, as far as that can be known.

    Raises
    ------
    ConfigError
        The message names the first candidate that it does not take.
    """
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):
        return  # some builtins do not say
    known: set[frozenset[str]] = set()
    for number, params in enumerate(candidates):
        names = frozenset(params)
        if names in known:
            continue
        known.add(names)
        try:
            signature.bind(**params)
        except TypeError as error:
            raise ConfigError(
                f"the function cannot be called with candidate {number}, {params!r:.200}: {error}; parameters are its "
                f"keywords, and it has {signature}"
            ) from None


def _spaces(given: Any) -> list[Mapping[str, Any]] | None:
    """The grids or distributions; None for candidates."""
    if isinstance(given, Mapping):
        return [given]
    if not isinstance(given, list | tuple) or not given or not all(isinstance(one, Mapping) for one in given):
        return None
    kinds = {all(_is_space(value) for value in one.values()) for one in given if one}
    if len(kinds) > 1:
        raise ConfigError(
            "some of these dicts have a list for every parameter, as grids do, and some have not: give each parameter "
            f"of a grid a list; {_AS_CANDIDATES}"
        )
    return None if kinds == {False} else list(given)


def _is_space(value: Any) -> bool:
    return _is_distribution(value) or _is_sequence(value)


def _is_distribution(value: Any) -> bool:
    return hasattr(value, "rvs")


def _is_sequence(value: Any) -> bool:
    if isinstance(value, str | bytes):
        return False
    return isinstance(value, Sequence) or (isinstance(value, Iterable) and getattr(value, "ndim", 0) == 1)


def _grid(space: Mapping[str, Any]) -> list[Params]:
    for name, values in space.items():
        if _is_distribution(values):
            raise ConfigError(f"{name!r} has a distribution: say with n_iter= how many candidates to draw")
        if not _is_sequence(values):
            raise ConfigError(f"{name!r} has {values!r:.80}: give a list of the values to try; {_AS_CANDIDATES}")
        if not len(values):
            raise ConfigError(f"{name!r} has no values, so there is nothing to try; give at least one")
    # The order of scikit-learn's ParameterGrid.
    names = sorted(_named(space))
    return [dict(zip(names, values, strict=True)) for values in product(*(space[name] for name in names))]


def _drawn(spaces: list[Mapping[str, Any]], n_iter: int, random_state: Any) -> list[Params]:
    if n_iter < 1:
        raise ConfigError(f"n_iter={n_iter!r}: give how many candidates to draw, 1 or more")
    try:
        from sklearn.model_selection import ParameterSampler  # noqa: PLC0415  # slow to load, and optional
    except ImportError as error:
        raise NotSupportedError(
            "n_iter= draws candidates with scikit-learn, which cannot be imported: pip install 'wrenml[ml]', or draw "
            "them yourself and give the dicts"
        ) from error
    try:
        drawn = list(ParameterSampler([dict(space) for space in spaces], n_iter, random_state=random_state))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"no candidates can be drawn: {error}") from error
    return [_checked(number, one) for number, one in enumerate(drawn)]


def _checked(number: int, one: Any) -> Params:
    if not isinstance(one, Mapping):
        raise ConfigError(f"candidate {number} is {one!r:.80}: give dicts of the function's parameters")
    return _named(one)


def _named(one: Mapping[str, Any]) -> Params:
    for name in one:
        if not isinstance(name, str):
            raise ConfigError(f"{name!r} is no name of a parameter: the keys are the function's keywords")
    return dict(one)
