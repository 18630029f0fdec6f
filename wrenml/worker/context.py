"""Which call this process is running, if any."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CurrentCall", "current", "enter", "leave"]


class CurrentCall(NamedTuple):
    """The call that is running."""

    job: str
    call: int
    attempt: int
    depth: int


_current: CurrentCall | None = None


def current() -> CurrentCall | None:
    """The call that this process is running; None in a client."""
    return _current


def enter(job: str, call: int, attempt: int, depth: int) -> None:
    """Take note that a call starts."""
    global _current  # noqa: PLW0603  # a worker runs one call at a time
    _current = CurrentCall(job, call, attempt, depth)


def leave(previous: CurrentCall | None) -> None:
    """Take note that the call is over."""
    global _current  # noqa: PLW0603  # a worker runs one call at a time
    _current = previous
