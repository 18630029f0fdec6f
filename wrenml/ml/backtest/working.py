"""The worker's side: models are called with what is known, and with nothing else."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np

from wrenml.ml.envelope import Caller, Enclosure, Envelope
from wrenml.worker.seeding import seed_call

__all__ = ["Parcel", "Part", "Work", "parcel_of"]

_TIMES = ("index", "future_index")


class Part(NamedTuple):
    """Origins of one group.

    Parameters
    ----------
    values : ndarray, or int in a parcel
        Of the series; at least what is known at the last origin.
    index : ndarray, or int in a parcel, optional
        Its times, those of the last forecast included.
    origins : list of (int, int, list of str)
        Where the training values begin and end, and the names of the models.
    """

    values: Any
    index: Any
    origins: list[tuple[int, int, list[str]]]


Parcel = tuple[Any, ...]
"""What a call is given: parts, and then the arrays that they name by place, which so are sent once for all calls."""


def parcel_of(parts: Iterable[Part]) -> Parcel:
    """Return parts as a parcel."""
    places: dict[int, int] = {}
    arrays: list[Any] = []

    def place(value: Any) -> int:
        if id(value) not in places:
            places[id(value)] = len(arrays)
            arrays.append(value)
        return places[id(value)]

    plain = [
        tuple(part._replace(values=place(part.values), index=None if part.index is None else place(part.index)))
        for part in parts
    ]
    return plain, *arrays


class Work:
    """The function of the map: forecasts from some origins, each forecast in an envelope of its own.

    Parameters
    ----------
    models : mapping of str to callable
        Name to model.
    horizon : int
        Steps that are forecast.
    here : Caller
        The caller's settings.
    seed : int, optional
        Of the global random generators. Default: they are left alone.
    """

    def __init__(
        self, models: Mapping[str, Callable[..., Any]], horizon: int, here: Caller, seed: int | None = None
    ) -> None:
        self._models = dict(models)
        self._horizon = horizon
        self._here = here
        self._seed = seed

    def __call__(self, parcel: Parcel) -> list[Envelope]:
        """Forecast; what a model raises takes nothing from the others."""
        plain, *arrays = parcel
        parts = [
            Part(arrays[values], None if index is None else arrays[index], origins) for values, index, origins in plain
        ]
        with Enclosure(self._here) as enclosure:
            return [
                enclosure.run(self._forecast, name, part, start, stop)
                for part in parts
                for start, stop, names in part.origins
                for name in names
            ]

    def _forecast(self, name: str, part: Part, start: int, stop: int) -> Any:
        # A copy, so that a model cannot reach what comes after, nor leave anything for the next forecast.
        model = copy.deepcopy(self._models[name])
        train = np.array(part.values[start:stop])
        if self._seed is not None:
            # Numbers of calls tell nothing: which call makes a forecast depends on how long the first ones take.
            seed_call(self._seed, int.from_bytes(sha256(train.tobytes()).digest()[:8], "big"))
        made = np.array(model(train, self._horizon, **self._times(model, part, start, stop)), dtype=np.float64)
        if made.shape != (self._horizon,):
            raise ValueError(f"the model {name!r} returned shape {made.shape}: ({self._horizon},) is the horizon's")
        if not np.isfinite(made).all():
            missing = (
                f" {int(np.isnan(train).sum())} of the training values are missing." if np.isnan(train).any() else ""
            )
            raise ValueError(f"the model {name!r} returned values that are not finite: {made}.{missing}")
        return made

    def _times(self, model: Any, part: Part, start: int, stop: int) -> dict[str, Any]:
        wanted = [name for name in _TIMES if name in _parameters(model)]
        if not wanted:
            return {}
        index = future = None
        if part.index is not None:
            index = np.array(part.index[start:stop])
            future = np.array(part.index[stop : stop + self._horizon])
            future = future if len(future) == self._horizon else None
        return {name: {"index": index, "future_index": future}[name] for name in wanted}


def _parameters(model: Any) -> Mapping[str, object]:
    try:
        return inspect.signature(model).parameters
    except (TypeError, ValueError):  # builtins tell nothing
        return {}
