"""Ctrl-C while results are waited for: what is not over is cancelled, and what can be done with the rest is said."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

__all__ = ["interruptible", "kept_or_not"]


@contextlib.contextmanager
def interruptible(said: Callable[[], str], cancel: Callable[[], object] | None = None) -> Iterator[None]:
    """Wait inside; on Ctrl-C say something on standard error, cancel, and raise `KeyboardInterrupt` again.

    Parameters
    ----------
    said : callable
        Returns what to say.
    cancel : callable, optional
        Ends what is not over. Default: others do.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        sys.stderr.write(f"\nwrenml: interrupted; {said()}\n")
        if cancel is not None:
            with contextlib.suppress(KeyboardInterrupt):  # a second one is in a hurry: no more than the first asked for
                cancel()
        # Another one, whose traceback is without the lines that waited: those tell nobody anything.
        raise KeyboardInterrupt(*interrupt.args) from None


def kept_or_not(cache: str | None) -> str:
    """Say whether what is finished is found again, and by which name."""
    return f'with cache="{cache}" another process finds it' if cache else "cache=NAME would keep it"
