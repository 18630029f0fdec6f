"""How the command ends, for scripts."""

from __future__ import annotations

import enum

__all__ = ["Exit"]


class Exit(enum.IntEnum):
    """Exit codes."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    RUNNING = 4
    ERROR = 5
    INTERRUPTED = 130
