"""Tasks of scikit-learn whose callbacks are told here what goes on in workers.

Its tasks bring along the whole search that they belong to, its tree of tasks and copies of its callbacks, which talk to
the caller through a socket of the caller's machine. Here proxies go in their place, and nothing where there are no
callbacks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from wrenml.ml.callbacks import Callbacks, Noted, Scene, compat, path_of, replay
from wrenml.ml.model_selection.indexing import as_indices, split

__all__ = ["Answer", "Kept", "Noting", "batch"]

Item = tuple[Any, Any, Any]


class Kept(NamedTuple):
    """What of a task stays here.

    Parameters
    ----------
    callbacks : list of callback
        By number.
    owner : estimator
        Whose task it is.
    context : CallbackContext, optional
        The task.
    data : tuple
        The estimator, X, y and the training rows.
    """

    callbacks: list[Any]
    owner: Any
    context: Any
    data: tuple[Any, ...]


class Answer(NamedTuple):
    """What a task returned, and what callbacks are to be told."""

    value: Any
    noted: Noted


class Noting:
    """A task's function, whose callbacks are proxies.

    Parameters
    ----------
    function : callable
        The function.
    scene : Scene
        Where the task belongs.
    """

    def __init__(self, function: Any, scene: Scene) -> None:
        self._function = function
        self._scene = scene

    def __call__(self, estimator: Any, X: Any, y: Any, *args: Any, **kwargs: Any) -> Answer:
        """Run it."""
        data = estimator, X, y, kwargs.get("train")
        with self._scene.entered(partial(_training, data)) as watched:
            if watched.context is not None:
                kwargs |= {"caller": watched.owner, "callback_ctx": watched.context}
            value = self._function(estimator, X, y, *args, **kwargs)
            return Answer(value, watched.noted())


def _sent(item: Item) -> tuple[Item, Kept | None]:
    """Return a task of scikit-learn's as it is to be sent, and what of it is kept here for its callbacks.

    Parameters
    ----------
    item : tuple
        Function, arguments and keyword arguments; the first arguments are an estimator that is to be fitted, X and y.
    """
    function, (estimator, *args), kwargs = item
    callbacks = Callbacks()
    owner, context = kwargs.get("caller"), kwargs.get("callback_ctx")
    told = compat.callbacks_of(context) if context is not None else []
    changed = dict(kwargs)
    marked = callbacks.marked(estimator)
    if kwargs.get("parameters"):
        changed["parameters"] = {name: callbacks.marked(value) for name, value in kwargs["parameters"].items()}
    if context is not None:
        changed |= {"caller": None, "callback_ctx": None}
    if not callbacks.all and not told:
        return (function, (estimator, *args), changed), None
    if "scorer" in kwargs:
        changed["scorer"] = compat.bare(kwargs["scorer"])
    scene = callbacks.scene(() if context is None else path_of(context), told)
    data = estimator, args[0], args[1], kwargs.get("train")
    return (Noting(function, scene), (marked, *args), changed), Kept(callbacks.all, owner, context, data)


def batch(items: Sequence[Item]) -> tuple[list[Item], Callable[[list[Any]], list[Any]] | None]:
    """Return tasks as they are to be sent, and what makes of their answers what they return, telling callbacks.

    Parameters
    ----------
    items : sequence of tuple
        Tasks of scikit-learn's.
    """
    pairs = [_sent(item) for item in items]
    kept = [mine for _, mine in pairs]
    return [item for item, _ in pairs], partial(_opened, kept) if any(kept) else None


def _opened(kept: Sequence[Kept | None], values: Sequence[Any]) -> list[Any]:
    found = []
    for value, mine in zip(values, kept, strict=True):
        if mine is not None:
            training = partial(_training, mine.data)
            replay(value.noted, mine.callbacks, mine.owner, mine.context, training)
        found.append(value if mine is None else value.value)
    return found


def _training(data: tuple[Any, ...]) -> tuple[Any, Any]:
    estimator, X, y, train = data
    return (None, None) if train is None else split(estimator, X, y, as_indices(train))
