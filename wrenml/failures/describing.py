"""The worker's side: an exception as text that always arrives and bytes that nearly always do."""

# Imports inside functions: without a failure, traceback and cloudpickle are not loaded.
# ruff: noqa: PLC0415

from __future__ import annotations

from wrenml.failures.chain import related
from wrenml.failures.frames import drop_frames
from wrenml.failures.guarding import clip, clip_middle, survive
from wrenml.failures.sources import read_sources
from wrenml.failures.words import message_of, sendable, type_name

__all__ = ["describe"]

_TRACEBACK_CHARS = 12 * 1024
_NOTE_CHARS = 2000
_NOTES = 10


def describe(exc: BaseException, *, skip: int = 0) -> tuple[dict[str, object], bytes]:
    """Return what a client needs in order to raise this exception as if it had happened there.

    The frames of its tracebacks are cleared, so the memory that the call held is free again. Only a
    `KeyboardInterrupt` while it works gets out of here.

    Parameters
    ----------
    exc : BaseException
        What a call raised, of whatever type.
    skip : int, default 0
        How many of its traceback's outermost frames are the worker's own, to be left out.

    Returns
    -------
    text : dict
        For JSON: ``kind`` ("user"), ``type`` (qualified name), ``message``, ``notes`` (list of str),
        ``traceback`` (formatted, with causes, groups and notes; about 12 KB at most), ``sources`` (file to
        line number to source line) and, when `body` is empty, ``unpicklable`` (why).
    body : bytes
        The pickled exception, at most 1 MB; empty when it cannot be pickled and brought back.
    """
    BaseException.with_traceback(exc, drop_frames(exc.__traceback__, skip))
    body, why = survive(lambda: (_pickle(exc), ""), lambda error: (b"", _brief(error)))
    text: dict[str, object] = {
        "kind": "user",
        "type": type_name(exc),
        "message": message_of(exc),
        "notes": survive(lambda: _notes(exc), lambda _: list[str]()),
        "traceback": survive(lambda: _formatted(exc), lambda _: f"{type_name(exc)}: {message_of(exc)}\n"),
        "sources": survive(lambda: read_sources(exc), lambda _: dict[str, dict[str, str]]()),
    }
    if why:
        text["unpicklable"] = why
    survive(lambda: _clear(exc), lambda _: None)
    return text, body


def _pickle(exc: BaseException) -> bytes:
    from wrenml.failures.pickled import dumps

    return dumps(exc)


def _brief(error: BaseException) -> str:
    return clip(f"{type_name(error)}: {message_of(error)}", 500)


def _notes(exc: BaseException) -> list[str]:
    return [clip(sendable(str(note)), _NOTE_CHARS) for note in exc.__notes__[:_NOTES]]


def _formatted(exc: BaseException) -> str:
    from traceback import TracebackException

    lines = TracebackException.from_exception(exc, compact=True).format()
    return clip_middle(sendable("".join(lines)), _TRACEBACK_CHARS)


def _clear(exc: BaseException) -> None:
    from traceback import clear_frames

    for each in related(exc):
        clear_frames(each.__traceback__)
