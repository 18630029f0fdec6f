"""What an estimator tells callbacks inside its fit in a worker: noted there, told to the callbacks here.

scikit-learn's own way is a socket of the caller's machine, which workers elsewhere do not reach. So callbacks stay in
the caller, a `Recorder` takes their place in the worker, and `replay` builds the same tree of tasks again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from wrenml.ml.model_selection import compat

__all__ = ["Event", "Recorder", "Task", "replay"]


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


Path = tuple[Task, ...]
Event = tuple[str, Path]


class Recorder:
    """A callback that notes which tasks begin and end, for itself and for the estimators within."""

    max_propagation_depth = None

    def __init__(self) -> None:
        self.events: list[Event] = []

    def setup(self, estimator: Any, context: Any) -> None:
        """Do nothing: the callbacks of the caller are set up there."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing, as above."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:  # noqa: ARG002  # scikit-learn's signature
        """Note a beginning."""
        self.events.append(("begin", _path(context)))

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:  # noqa: ARG002  # scikit-learn's signature
        """Note an end."""
        self.events.append(("end", _path(context)))


def _path(context: Any) -> Path:
    tasks: list[Task] = []
    while context is not None:
        tasks.append(
            Task(
                context.estimator_name,
                context.task_name,
                context.task_id,
                context.max_subtasks,
                context.sequential_subtasks,
                context.source_task_name,
            )
        )
        context = context.parent
    return tuple(reversed(tasks))


def replay(estimator: Any, events: Sequence[Event], data: dict[str, Any]) -> None:
    """Tell an estimator's callbacks what was noted.

    Parameters
    ----------
    estimator : estimator
        As the one that was fitted, not fitted; those callbacks are told that are set on it or passed on to it.
    events : sequence of (str, tuple of Task)
        What a `Recorder` noted.
    data : dict
        What tasks are told to work on: ``X``, ``y`` and ``metadata``.
    """
    known: dict[Path, tuple[Any, Any]] = {}
    with contextlib.ExitStack() as stack:
        for what, path in events:
            owner, context = _at(path, estimator, known, stack)
            getattr(context, f"call_on_fit_task_{what}")(estimator=owner, **data)


def _at(path: Path, estimator: Any, known: dict[Path, tuple[Any, Any]], stack: contextlib.ExitStack) -> tuple[Any, Any]:
    """Return the context of a task and the estimator it belongs to; made where it is not known yet."""
    if path in known:
        return known[path]
    task = path[-1]
    if len(path) == 1:
        owner, context = estimator, stack.enter_context(_begun(estimator, task))
    else:
        owner, parent = _at(path[:-1], estimator, known, stack)
        number = None if parent.sequential_subtasks else task.number
        if task.stands_for is None:
            context = parent.subcontext(task.name, number, task.most, task.sequential)
        else:
            leaf = parent.subcontext(task.stands_for, number)
            owner = compat.stand_in(task.estimator)
            stack.enter_context(leaf.propagate_callback_context(owner))
            context = stack.enter_context(_begun(owner, task))
    known[path] = owner, context
    return owner, context


def _begun(owner: Any, task: Task) -> contextlib.AbstractContextManager[Any]:
    how = {"task_id": task.number, "max_subtasks": task.most, "sequential_subtasks": task.sequential}
    return compat.callbacks_managed(owner, task.name, **how)
