"""Which call this process is running, if any."""

from __future__ import annotations

__all__ = ["CurrentCall", "current", "enter", "leave"]


class CurrentCall:
    """The call that is running; a worker that goes on to the next call of a request only changes the number."""

    __slots__ = ("attempt", "call", "depth", "job", "said")

    def __init__(self, job: str, call: int, attempt: int, depth: int) -> None:
        self.job = job
        self.call = call
        self.attempt = attempt
        self.depth = depth
        self.said: int | None = None  # the last call that was told where its maps run


_current: CurrentCall | None = None


def current() -> CurrentCall | None:
    """The call that this process is running; None in a client."""
    return _current


def enter(call: CurrentCall) -> None:
    """Take note that calls of a request start."""
    global _current  # noqa: PLW0603  # a worker runs one call at a time
    _current = call


def leave(previous: CurrentCall | None) -> None:
    """Take note that they are over."""
    global _current  # noqa: PLW0603  # a worker runs one call at a time
    _current = previous
