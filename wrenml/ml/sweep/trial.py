"""What came of one candidate."""

from __future__ import annotations

import os
from dataclasses import dataclass
from traceback import TracebackException
from typing import Any, NamedTuple, Self

from wrenml import Future
from wrenml.errors import CallCancelled, RemoteError
from wrenml.ml.sweep.timed import FRAME, Timed, taken

__all__ = ["Failure", "Trial"]

_HERE = os.path.join("sweep", "timed.py")
_WHICH = "wrenml: call "  # how the first of the notes begins that say which call it was, and where


class Failure(NamedTuple):
    """Why a call has no result.

    Parameters
    ----------
    type : str
        Of the exception, with its module unless that is `builtins`.
    message : str
        The exception's text.
    traceback : str
        As Python prints it, from the function on, with causes and the user's notes.
    """

    type: str
    message: str
    traceback: str

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Describe an exception."""
        if isinstance(error, RemoteError) and error.type_name:
            message = str(error).partition("\n\n")[0].removeprefix(f"{error.type_name}: ")
            return cls(error.type_name, message, error.remote_traceback)
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        try:
            message = str(error)
        except Exception:  # noqa: BLE001  # the user's code
            message = ""
        return cls(name, message, _formatted(error))


def _formatted(error: BaseException) -> str:
    shown = TracebackException.from_exception(error, compact=True)
    if shown.stack and shown.stack[0].name == FRAME and shown.stack[0].filename.endswith(_HERE):
        del shown.stack[0]
    # They name the job, and so would differ between two runs of the same.
    notes = [str(note) for note in getattr(error, "__notes__", ())]
    first = next((i for i, note in enumerate(notes) if note.startswith(_WHICH)), len(notes))
    shown.__notes__ = notes[:first] or None  # type: ignore[attr-defined,unused-ignore]  # not in all type stubs
    return "".join(shown.format())


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate and what came of it.

    Parameters
    ----------
    index : int
        Its place among the candidates.
    params : dict of str to object
        What the function was called with.
    result : object
        What it returned; None if it failed.
    error : Failure, optional
        Why it failed. Default: it did not.
    seconds : float, optional
        That the function ran, in the worker; None where that is not known, as where the worker died. Of a reused
        result, what it took then.
    dollars : float, optional
        Its share, by time, of what the calls that ran have cost; None while some of them run.
    reused : bool
        Whether the result was found in the cache.
    """

    index: int
    params: dict[str, Any]
    result: Any = None
    error: Failure | None = None
    seconds: float | None = None
    dollars: float | None = None
    reused: bool = False

    @classmethod
    def of(cls, index: int, params: dict[str, Any], future: Future[Timed]) -> Self:
        """Return what came of a call that is over."""
        try:
            error = future.exception()
        except CallCancelled as cancelled:
            error = cancelled
        if error is not None:
            return cls(index, params, error=Failure.of(error), seconds=taken(error))
        seconds, result = future.result()
        return cls(index, params, result, seconds=seconds, reused=_was_kept(future))


def _was_kept(future: Future[Timed]) -> bool:
    # Attempts of workers are counted from 1; 0 is what the client supplies.
    frame = getattr(None if future.raw is None else future.raw.origin, "frame", None)
    return getattr(frame, "attempt", 1) == 0
