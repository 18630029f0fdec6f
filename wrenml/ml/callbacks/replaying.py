"""The caller's side: proxies for callbacks, and telling the callbacks what the proxies noted."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from sklearn.base import clone

from wrenml.ml.callbacks import compat
from wrenml.ml.callbacks.notes import HOOKS, OWNER, Call, Data, Noted, Path, Proxy, Scene, Training, made

__all__ = ["Callbacks", "replay"]


class Callbacks:
    """Callbacks, by the numbers of their proxies."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._proxies: dict[int, Proxy] = {}

    def proxies(self, callbacks: Iterable[Any]) -> tuple[Proxy, ...]:
        """Return a proxy for each of some callbacks."""
        return tuple(self._proxy(each) for each in callbacks)

    def _proxy(self, callback: Any) -> Proxy:
        found = self._proxies.get(id(callback))
        if found is None:
            depth = {"max_propagation_depth": callback.max_propagation_depth} if compat.is_propagated(callback) else {}
            asked = {hook: compat.asked(getattr(callback, hook)) for hook in HOOKS}
            found = self._proxies[id(callback)] = made(type(callback).__name__, len(self.all), asked, depth)
            self.all.append(callback)
        return found

    def marked(self, value: Any) -> Any:
        """Return an estimator with proxies for the callbacks of it and of those within; a copy if it has any.

        Parameters
        ----------
        value : object
            Anything but an estimator is returned as it is.
        """
        if isinstance(value, type) or not compat.within(value):
            return value
        copied = clone(value)
        for each in compat.within(copied):
            compat.put(each, [*self.proxies(compat.callbacks_of(each))])
        return copied

    def scene(self, path: Path, callbacks: Iterable[Any]) -> Scene:
        """Return where a task belongs, once all estimators that are fitted in it are marked.

        Parameters
        ----------
        path : tuple of Task
            The task and those it is part of; none where only estimators have callbacks.
        callbacks : iterable of callback
            What is told of the task.
        """
        proxies = self.proxies(callbacks)
        return Scene(path, proxies, tuple(self._proxies.values()))


def replay(noted: Noted, callbacks: list[Any], owner: Any, context: Any, training: Training) -> None:
    """Tell callbacks what their proxies noted.

    Parameters
    ----------
    noted : Noted
        What was noted during a task.
    callbacks : list of callback
        By number.
    owner : estimator
        Whose task it was.
    context : CallbackContext, optional
        The task's own. Default: the task is an estimator's whole fit.
    training : callable
        Returns the training rows of the task, X and y.

    Raises
    ------
    BaseException
        What a hook raises; callbacks that were set up for a fit within are torn down.
    """
    if not noted.calls:
        return
    with contextlib.ExitStack() as stack:
        telling = _Telling(noted, callbacks, owner, training, _Tree(context, stack))
        stack.callback(telling.tear_down)
        for call in noted.calls:
            telling.tell(call)


class _Telling:
    def __init__(self, noted: Noted, callbacks: list[Any], owner: Any, training: Training, tree: _Tree) -> None:
        self._callbacks = callbacks
        self._training = training
        self._tree = tree
        self._known: tuple[Any, Any] | None = None
        self._up: dict[tuple[int, int], tuple[Any, ...]] = {}
        copies = (compat.stand_in(each) if isinstance(each, str) else each for each in noted.estimators)
        self._estimators = [owner if number == OWNER else each for number, each in enumerate(copies)]

    def tell(self, call: Call) -> None:
        callback, estimator = self._callbacks[call.callback], self._estimators[call.estimator]
        context = self._tree.at(call.path)
        given = {name: self._value(value) for name, value in call.given.items()}
        key = call.callback, call.estimator
        if call.hook == "setup":
            self._up[key] = callback, estimator, context
        elif call.hook == "teardown":
            self._up.pop(key, None)
        # scikit-learn's way: hooks of tasks may name their first parameters as they like, these may not.
        if call.hook in ("setup", "teardown"):
            getattr(callback, call.hook)(estimator=estimator, context=context)
        else:
            getattr(callback, call.hook)(estimator, context, **given)

    def _value(self, value: Any) -> Any:
        if not isinstance(value, Data):
            return value
        if self._known is None:
            self._known = self._training()
        return self._known[value.name == "y"]

    def tear_down(self) -> None:
        while self._up:
            callback, estimator, context = self._up.popitem()[1]
            callback.teardown(estimator=estimator, context=context)


class _Tree:
    """The contexts of tasks, made as they are asked for."""

    def __init__(self, context: Any, stack: contextlib.ExitStack) -> None:
        self._context = context
        self._stack = stack
        self._found: dict[Path, Any] = {}
        self._leaves: dict[tuple[Path, int], Any] = {}
        self._children: Counter[Path] = Counter()

    def at(self, path: Path) -> Any:
        if path not in self._found:
            self._found[path] = self._made(path)
        return self._found[path]

    def _made(self, path: Path) -> Any:
        task = path[-1]
        leaf = self._context if len(path) == 1 else self._leaf(path)
        if leaf is not None and task.stands_for is None:
            return leaf
        owner = compat.stand_in(task.estimator)
        if leaf is not None:
            self._stack.enter_context(leaf.propagate_callback_context(owner))
        return self._stack.enter_context(task.begun(owner))

    def _leaf(self, path: Path) -> Any:
        """Return the context of a task, or of the one that it is the whole fit of."""
        *above, task = path
        key = tuple(above), task.number
        if key not in self._leaves:
            parent = self.at(tuple(above))
            shape = () if task.stands_for else (task.most, task.sequential)
            name = task.stands_for or task.name
            if parent.sequential_subtasks:
                # Numbers follow one another, and of some tasks nobody was told.
                for number in range(self._children[key[0]], task.number):
                    self._leaves[key[0], number] = parent.subcontext()
                self._children[key[0]] = task.number + 1
                self._leaves[key] = parent.subcontext(name, None, *shape)
            else:
                self._leaves[key] = parent.subcontext(name, task.number, *shape)
        return self._leaves[key]
