"""What is documented of scikit-learn's callbacks but begins with an underscore: all that is used, used here."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Iterator
from typing import Any

from sklearn.base import clone

try:
    from sklearn.callback import AutoPropagatedCallback, CallbackContext, CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9
    AutoPropagatedCallback = CallbackContext = CallbackSupportMixin = with_callbacks = None

__all__ = [
    "asked",
    "bare",
    "begun",
    "callbacks_of",
    "detached",
    "is_propagated",
    "put",
    "stand_in",
    "within",
]

_SET = "_skl_callbacks"


def callbacks_of(owner: Any) -> list[Any]:
    """Return the callbacks that are set on an estimator, or told of a task."""
    told = getattr(owner, "_callbacks", ()) if CallbackContext and isinstance(owner, CallbackContext) else ()
    return [*told, *getattr(owner, _SET, ())]


def within(estimator: Any) -> list[Any]:
    """Return an estimator and those among its parameters that have callbacks."""
    inner = estimator.get_params(deep=True).values() if hasattr(estimator, "get_params") else ()
    return [each for each in (estimator, *inner) if not isinstance(each, type) and callbacks_of(each)]


def put(estimator: Any, callbacks: list[Any]) -> None:
    """Set callbacks on an estimator in place of those it has; unlike `set_callbacks` this never warns."""
    vars(estimator).pop(_SET, None)
    if callbacks:
        setattr(estimator, _SET, callbacks)


def bare(scorer: Any) -> Any:
    """Return a scorer without the callbacks of the estimator in it, as a default scorer has one."""
    inner = {name: value for name, value in vars(scorer).items() if hasattr(value, "get_params") and within(value)}
    if not inner:
        return scorer
    copied = copy.copy(scorer)
    for name, value in inner.items():
        plain = clone(value)
        for each in within(plain):
            put(each, [])
        setattr(copied, name, plain)
    return copied


def asked(hook: Any) -> tuple[str, ...]:
    """Return the names of what scikit-learn passes to a hook."""
    parameters = inspect.signature(hook).parameters.values()
    return tuple(each.name for each in parameters if each.kind is each.KEYWORD_ONLY)


def is_propagated(callback: Any) -> bool:
    """Whether a callback is passed on to the estimators within."""
    return AutoPropagatedCallback is not None and isinstance(callback, AutoPropagatedCallback)


def stand_in(name: str) -> Any:
    """Return an object that supports callbacks, of a class of that name."""
    return type(name, (CallbackSupportMixin,), {})()


@contextlib.contextmanager
def begun(owner: Any, name: str, **how: Any) -> Iterator[Any]:
    """Begin a fit as an estimator that supports callbacks does; yield its context."""
    try:
        yield owner._init_callback_context(task_name=name, **how)  # noqa: SLF001
    finally:
        with_callbacks(lambda _: None)(owner)


def detached(estimator: Any) -> Any:
    """Take from a copy of an estimator in mid-fit what belongs to that fit only; return it."""
    for name, value in list(vars(estimator).items()):
        if name.startswith(_SET) or isinstance(value, CallbackContext):
            delattr(estimator, name)
    return estimator
