"""Where something runs whose `executor` may be left out."""

from __future__ import annotations

import wrenml
from wrenml.errors import ConfigError
from wrenml.executor import Executor
from wrenml.worker.context import current

__all__ = ["checked", "chosen"]


def chosen(executor: Executor | None) -> Executor:
    """Return the executor that was given, or `wrenml.default_executor()`.

    Within a call that is an inline one, and nothing is said about that: an estimator that a search fits is meant to
    learn where it is.

    Raises
    ------
    ConfigError
        If something else was given.
    """
    if executor is None and current() is not None:
        return wrenml.inline_executor()
    return checked(executor) or wrenml.default_executor()


def checked(executor: Executor | None) -> Executor | None:
    """Return an executor, or None, as it was given.

    Raises
    ------
    ConfigError
        If it is something else.
    """
    if executor is not None and not isinstance(executor, Executor):
        raise ConfigError(
            f"executor={executor!r:.80} is no wrenml executor; make one with wrenml.local_executor(), or leave it out."
        )
    return executor
