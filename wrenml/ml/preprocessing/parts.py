"""Two passes over shards: what a scaler learns of each, made one here; then each shard scaled where it is.

::

    rows, shards or a data set ──▶ learned of each shard, on workers ──▶ joined here: the fitted scaler
    data set, url ──▶ the scaler goes to each shard; workers write what it makes of them
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from inspect import unwrap
from itertools import pairwise
from typing import Any, Final, TypeVar

import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted, validate_data

from wrenml.ml.linear_model.entering import shards_of
from wrenml.ml.linear_model.shards import FLOATS, Shard, checked_weights, weighted
from wrenml.ml.model_selection.engine import planned, run
from wrenml.ml.shards import check_some, common_width, forget_names, given_parts, in_shard

__all__ = ["DEFAULT_SHARDS", "as_theirs", "learned", "plain", "slices", "unwrapped", "written"]

DEFAULT_SHARDS: Final = 4

Kind = TypeVar("Kind", bound=type)


def plain(ours: Any, kind: type[Any], **others: Any) -> Any:
    """Return an estimator of scikit-learn's class with the parameters of ours that it knows, some changed."""
    names = kind().get_params()
    known = {name: value for name, value in ours.get_params(deep=False).items() if name in names}
    return kind(**(known | others))


def as_theirs(ours: Any, kind: type[Any]) -> Any:
    """Return a fitted estimator as scikit-learn's class: it needs no executor where it is sent."""
    check_is_fitted(ours)
    theirs = plain(ours, kind)
    vars(theirs).update({name: value for name, value in vars(ours).items() if name.endswith("_")})
    return theirs


def slices(count: int, n_shards: Any) -> list[slice]:
    """Cut a number of rows into ranges of almost equal size, no more than there are rows.

    Raises
    ------
    ValueError
        If `n_shards` is not 1 or more.
    """
    if not isinstance(n_shards, int | np.integer) or n_shards < 1:
        raise ValueError(f"n_shards={n_shards!r}: give a whole number, 1 or more")
    bounds = np.linspace(0, count, min(int(n_shards), count) + 1).astype(int).tolist()
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def learned(
    ours: Any, kind: type[Any], names: Sequence[str], X: Any, sample_weight: Any = None
) -> list[dict[str, Any]]:
    """Return what scikit-learn's estimator learns of each shard; set `n_features_in_`.

    Parameters
    ----------
    ours : estimator
        Tells parameters, `n_shards` and `executor`.
    kind : class
        Of scikit-learn.
    names : sequence of str
        Attributes that are wanted.
    X : array, sparse matrix, iterable of (X, y), or ShardedDataset
        Rows, shards, or a data set.
    sample_weight : array of shape (n,), optional
        Of rows.

    Returns
    -------
    list of dict
        The attributes, shard by shard.

    Raises
    ------
    ValueError
        If data is not valid; what is wrong with a shard names its number.
    """
    given = shards_of(X, None)
    plan = planned(ours.executor, "fit", ours, None)
    put = plan.executor.put
    if given is None:
        shards = [put(part) for part in _slices(ours, X, sample_weight)]
    elif sample_weight is not None:
        raise ValueError("sample_weight= is for rows, not for shards")
    else:
        # One at a time: together they may be larger than memory.
        shards = [
            shard if hasattr(shard, "load") else put((given_parts(number, shard)[0], None))
            for number, shard in enumerate(given)
        ]
        forget_names(ours)
    check_some(shards)
    # One call for each shard: its worker needs that shard only.
    alone = [[number] for number in range(len(shards))]
    items = [(shard, None if given is None else number) for number, shard in enumerate(shards)]
    found: list[dict[str, Any]] = run(plan, partial(_learned, plain(ours, kind), tuple(names)), items, groups=alone)
    ours.n_features_in_ = common_width([each["n_features_in_"] for each in found])
    return found


def _slices(ours: Any, X: Any, sample_weight: Any) -> Iterator[tuple[Any, Any]]:
    # Where it makes no sense, scikit-learn says so best.
    X = validate_data(ours, X, accept_sparse="csr", dtype=FLOATS, ensure_all_finite="allow-nan")
    # scikit-learn refuses a part in which no row counts.
    rows = weighted(Shard(X, None, checked_weights(sample_weight, X)))
    for some in slices(len(rows), ours.n_shards):
        yield rows.X[some], None if rows.weights is None else rows.weights[some]


def _learned(estimator: Any, names: tuple[str, ...], shard: Any, number: int | None) -> dict[str, Any]:
    """Learn a shard: in a worker."""
    X, weights = (shard.load()[0], None) if hasattr(shard, "load") else shard
    more = {} if weights is None else {"sample_weight": weights}
    with in_shard(number), warnings.catch_warnings():
        # A column that a shard has no values of may have some in others.
        warnings.simplefilter("ignore", RuntimeWarning)
        # What a worker was sent is there for its next call as well.
        fitted = clone(estimator).fit(X, **more)
    return {name: getattr(fitted, name) for name in (*names, "n_features_in_")}


def written(ours: Any, kind: type[Any], dataset: Any, url: Any, *, overwrite: bool) -> Any:
    """Have workers write what a fitted estimator makes of each shard as a new data set; return that.

    Raises
    ------
    ValueError
        If there is no URL to write to.
    """
    if url is None:
        raise ValueError("a data set is written anew, by the workers: say where with url=")
    return dataset.transform(_Transformed(as_theirs(ours, kind)), url, executor=ours.executor, overwrite=overwrite)


def unwrapped(kind: Kind) -> Kind:
    """Decorate a scaler: a data set that its `transform` returns stays one where tables are set as output.

    scikit-learn wraps the method when the class is made; that of rows, which ours calls, is wrapped as well.
    """
    kind.transform = unwrap(kind.transform)  # type: ignore[attr-defined]  # of scikit-learn's scalers
    return kind


class _Transformed:
    """What becomes of a shard: in a worker."""

    def __init__(self, estimator: Any) -> None:
        self.__name__ = "transform"
        self._estimator = estimator

    def __call__(self, X: Any, y: Any) -> Any:
        with config_context(transform_output="default"):
            made = self._estimator.transform(X)
        if sparse.issparse(made):
            made = sparse.csr_matrix(made)
        return made if y is None else (made, y)
