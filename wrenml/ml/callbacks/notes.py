"""The worker's side: a fit whose callbacks are proxies, which note what they are told."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from sklearn.base import clone

from wrenml.ml.callbacks import compat

__all__ = [
    "HOOKS",
    "NOTHING",
    "OWNER",
    "Call",
    "Data",
    "Noted",
    "Path",
    "Proxy",
    "Quiet",
    "Scene",
    "Task",
    "Training",
    "Watched",
    "made",
    "path_of",
]

Training = Callable[[], tuple[Any, Any]]
"""Returns the training rows of a task, X and y."""

HOOKS: Final = ("on_fit_task_begin", "on_fit_task_end", "setup", "teardown")
OWNER: Final = 0
"""Number of the estimator that a scene belongs to."""


class Task(NamedTuple):
    """A task of an estimator's fit.

    Parameters
    ----------
    estimator, name : str
        The estimator's class, and what it calls the task.
    number : int
        Among the tasks beside it.
    most : int, optional
        How many tasks it may have within; None if that is not known.
    sequential : bool
        Whether those are numbered one after another.
    stands_for : str, optional
        The task of the estimator around that this is the whole fit of.
    """

    estimator: str
    name: str
    number: int
    most: int | None
    sequential: bool
    stands_for: str | None

    @classmethod
    def of(cls, context: Any) -> Task:
        """Return the task of a context."""
        return cls(
            context.estimator_name,
            context.task_name,
            context.task_id,
            context.max_subtasks,
            context.sequential_subtasks,
            context.source_task_name,
        )

    def begun(self, owner: Any) -> contextlib.AbstractContextManager[Any]:
        """Begin the fit of an estimator as this task; yields its context."""
        how = {"task_id": self.number, "max_subtasks": self.most, "sequential_subtasks": self.sequential}
        return compat.begun(owner, self.name, **how)


Path = tuple[Task, ...]
"""A task, and before it those it is part of."""


def path_of(context: Any) -> Path:
    """Return the path of a context."""
    tasks: list[Task] = []
    while context is not None:
        tasks.append(Task.of(context))
        context = context.parent
    return tuple(reversed(tasks))


class Data(NamedTuple):
    """Stands for training data that the caller has: ``"X"`` or ``"y"``."""

    name: str


class Call(NamedTuple):
    """A call of a hook.

    Parameters
    ----------
    callback : int
        Of which callback.
    hook : str
        Its name.
    estimator : int
        Which one it was told.
    path : tuple of Task
        The task, from the scene's own on.
    given : mapping of str to object
        What the hook asks for.
    """

    callback: int
    hook: str
    estimator: int
    path: Path
    given: Mapping[str, Any]


class Noted(NamedTuple):
    """All calls of hooks in a fit, in order.

    Parameters
    ----------
    calls : sequence of Call
        The calls.
    estimators : sequence of estimator or str
        Copies of those they were told, not fitted; the names of those that cannot be copied.
    """

    calls: Sequence[Call] = ()
    estimators: Sequence[Any] = ()


NOTHING: Final = Noted()


class _Hook:
    """A hook that notes; it asks for the same as that of the callback."""

    def __init__(self, proxy: Proxy, name: str, asked: tuple[str, ...]) -> None:
        self._proxy = proxy
        self._name = name
        plain = [inspect.Parameter(each, inspect.Parameter.POSITIONAL_OR_KEYWORD) for each in ("estimator", "context")]
        more = [inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY, default=None) for each in asked]
        self.__signature__ = inspect.Signature([*plain, *more])

    def __call__(self, estimator: Any, context: Any, **given: Any) -> None:
        if self._proxy.notes is not None:
            self._proxy.notes.take((self._proxy.place, self._name), estimator, context, given)


class Proxy:
    """Takes the place of a callback.

    Parameters
    ----------
    name : str
        Of the callback's class.
    place : int
        Which callback it is.
    asked : mapping of str to sequence of str
        What its hooks ask for.
    propagated : mapping of str to object
        Its `max_propagation_depth`, if it has one.
    """

    def __init__(
        self, name: str, place: int, asked: Mapping[str, tuple[str, ...]], propagated: Mapping[str, Any]
    ) -> None:
        self.place = place
        self.notes: _Notes | None = None
        self._parts = (name, place, asked, propagated)
        vars(self).update({hook: _Hook(self, hook, asked[hook]) for hook in HOOKS}, **propagated)

    def __reduce__(self) -> tuple[Any, ...]:
        return made, self._parts


def made(name: str, *parts: Any) -> Proxy:
    """Return a proxy whose class has the name of the callback's: scikit-learn's messages tell it."""
    kind: type[Proxy] = type(name, (Proxy,), {})
    return kind(name, *parts)


class _Notes:
    """What proxies are told during one task."""

    def __init__(self, depth: int, owner: Any, training: Training) -> None:
        self._depth = depth
        self._training = training
        self._calls: list[Call] = []
        self._seen: list[Any] = [owner]
        self._copies: list[Any] = [None]

    def take(self, which: tuple[int, str], estimator: Any, context: Any, given: dict[str, Any]) -> None:
        noted = {name: self._value(name, value) for name, value in given.items()}
        self._calls.append(Call(*which, self._number(estimator), path_of(context)[self._depth :], noted))

    def _number(self, estimator: Any) -> int:
        for number, each in enumerate(self._seen):
            if each is estimator:
                return number
        self._seen.append(estimator)
        self._copies.append(_copy(estimator))
        return len(self._seen) - 1

    def _value(self, name: str, value: Any) -> Any:
        if name == "fitted_estimator" and value is not None:
            return compat.detached(value)
        if name in ("X", "y") and value is not None and _same(value, self._training()[name == "y"]):
            return Data(name)
        return value

    def noted(self) -> Noted:
        return Noted(self._calls, self._copies) if self._calls else NOTHING


def _copy(estimator: Any) -> Any:
    try:
        copied = clone(estimator)
    except TypeError:  # it supports callbacks, and is no estimator otherwise
        return type(estimator).__name__
    for each in compat.within(copied):
        compat.put(each, [])
    return copied


def _same(value: Any, known: Any) -> bool:
    if value is known:
        return True
    if not isinstance(value, np.ndarray) or not isinstance(known, np.ndarray):
        return False
    if value.dtype != known.dtype or value.shape != known.shape or value.dtype.hasobject:
        return False
    return bool(np.array_equal(value, known, equal_nan=value.dtype.kind in "fc"))


class Quiet:
    """A task of which nobody wants to know."""

    context = owner = None

    def fitting(self, estimator: Any, **told: Any) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002  # as of the other
        """Fit inside."""
        return contextlib.nullcontext()

    def ended(self, **told: Any) -> None:
        """Do nothing."""

    def noted(self) -> Noted:
        """Nothing."""
        return NOTHING


class Watched:
    """A task under way, in a scene.

    Parameters
    ----------
    context : CallbackContext, optional
        The task's own; None where only the estimator that is fitted has callbacks.
    owner : object
        Stands for the estimator that the task is part of.
    notes : Notes
        Where proxies note.
    """

    def __init__(self, context: Any, owner: Any, notes: _Notes) -> None:
        self.context = context
        self.owner = owner
        self._notes = notes

    @contextlib.contextmanager
    def fitting(self, estimator: Any, **told: Any) -> Iterator[None]:
        """Fit an estimator inside, as a task of the scene's owner.

        Parameters
        ----------
        estimator : estimator
            What is to be passed on to it is.
        **told
            ``X``, ``y`` and ``metadata``, for hooks that ask for them.
        """
        if self.context is None:
            yield
            return
        with self.context.propagate_callback_context(estimator):
            self.context.call_on_fit_task_begin(estimator=self.owner, **told)
            yield

    def ended(self, **told: Any) -> None:
        """The task is over, whatever became of it.

        Parameters
        ----------
        **told
            As for `fitting`.
        """
        if self.context is not None:
            self.context.call_on_fit_task_end(estimator=self.owner, **told)

    def noted(self) -> Noted:
        """What was noted."""
        return self._notes.noted()


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a task belongs that runs in a worker.

    Parameters
    ----------
    path : tuple of Task
        The task and those it is part of; none where only the estimator that is fitted has callbacks.
    proxies : tuple of Proxy
        What is told of the task.
    listening : tuple of Proxy
        These, and those within the estimators that are fitted.
    """

    path: Path
    proxies: tuple[Any, ...]
    listening: tuple[Any, ...]

    def numbered(self, number: int) -> Scene:
        """Return the scene of a task beside this one."""
        if not self.path:
            return self
        return Scene((*self.path[:-1], self.path[-1]._replace(number=number)), self.proxies, self.listening)

    @contextlib.contextmanager
    def entered(self, training: Training) -> Iterator[Watched]:
        """Run the task inside.

        Parameters
        ----------
        training : callable
            Returns the training data as the caller has it, which need not be sent back.
        """
        with contextlib.ExitStack() as stack:
            context, owner = self._context(stack)
            notes = _Notes(max(0, len(self.path) - 1), owner, training)
            for proxy in self.listening:
                proxy.notes = notes
            try:
                yield Watched(context, owner, notes)
            finally:
                for proxy in self.listening:
                    proxy.notes = None

    def _context(self, stack: contextlib.ExitStack) -> tuple[Any, Any]:
        owner = context = None
        inner = max((place for place, task in enumerate(self.path) if task.stands_for is not None), default=0)
        for place, given in enumerate(self.path):
            # Around the task only names and numbers matter; sequential tasks take no numbers.
            task = given if place == len(self.path) - 1 else given._replace(most=None, sequential=False)
            if context is not None and task.stands_for is None:
                context = context.subcontext(task.name, task.number, task.most, task.sequential)
                continue
            owner = compat.stand_in(task.estimator)
            if context is not None:
                leaf = context.subcontext(task.stands_for, task.number)
                stack.enter_context(leaf.propagate_callback_context(owner))
            if place == inner:
                compat.put(owner, list(self.proxies))
            context = stack.enter_context(task.begun(owner))
        return context, owner
