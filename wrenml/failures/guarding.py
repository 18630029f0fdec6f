"""The user's methods (`__str__`, `__reduce__`, `__setattr__`, …) are run so that they break nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["clip", "clip_middle", "survive"]

T = TypeVar("T")


def survive(action: Callable[[], T], otherwise: Callable[[BaseException], T]) -> T:
    """Return what `action` returns or, when it raises, what `otherwise` makes of that.

    Parameters
    ----------
    action : callable
        Runs code that may be the user's. Only a `KeyboardInterrupt` is let through.
    otherwise : callable
        Takes the exception; must not run code of the user's.

    Returns
    -------
    object
        The result of one of the two.
    """
    try:
        return action()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  a user's method may raise SystemExit as well
        return otherwise(error)


def clip(text: str, limit: int) -> str:
    """Return the text, its end replaced by ``...`` where it has more than `limit` characters."""
    return text if len(text) <= limit else text[: max(limit - 3, 0)] + "..."


def clip_middle(text: str, limit: int) -> str:
    """Return the text, whole lines in the middle left out where it has more than about `limit` characters."""
    if len(text) <= limit:
        return text
    head = text[: limit // 3].rpartition("\n")[0] or text[: limit // 3]
    tail = text[-(limit - limit // 3) :]
    tail = tail.partition("\n")[2] or tail
    return f"{head}\n  ... {len(text) - len(head) - len(tail)} characters left out ...\n{tail}"
