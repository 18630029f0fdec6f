"""The worker's side: an exception as text that always arrives and bytes that nearly always do."""

# Imports inside functions: a worker without failures and `import wrenml` do without traceback and cloudpickle.
# ruff: noqa: PLC0415

from __future__ import annotations

from wrenml.failures.chain import related
from wrenml.failures.frames import drop_frames
from wrenml.failures.guarding import clip, clip_middle, survive
from wrenml.failures.sources import read_sources

__all__ = ["describe", "type_name"]

_TRACEBACK_CHARS = 12 * 1024
_MESSAGE_CHARS = 2000
_NOTES = 10
_UNPRINTABLE = "<its text cannot be made: {}>"


def describe(exc: BaseException, *, skip: int = 0) -> tuple[dict[str, object], bytes]:
    """Return what a client needs in order to raise this exception as if it had happened there.

    The frames of its tracebacks are cleared, so the memory that the call held is free again. Never raises.

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
        ``traceback`` (formatted, with causes, groups and notes; about 12 KB at most), ``sources`` (file to line
        number to source line) and, when `body` is empty, ``unpicklable`` (why).
    body : bytes
        The pickled exception, at most 1 MB; empty when it cannot be pickled and brought back.
    """
    BaseException.with_traceback(exc, drop_frames(exc.__traceback__, skip))
    body, why = survive(lambda: (_pickle(exc), ""), lambda error: (b"", _brief(error)))
    text: dict[str, object] = {
        "kind": "user",
        "type": type_name(exc),
        "message": _message(exc),
        "notes": survive(lambda: _notes(exc), lambda _: list[str]()),
        "traceback": survive(lambda: _formatted(exc), lambda _: f"{type_name(exc)}: {_message(exc)}\n"),
        "sources": survive(lambda: read_sources(exc), lambda _: dict[str, dict[str, str]]()),
    }
    if why:
        text["unpicklable"] = why
    survive(lambda: _clear(exc), lambda _: None)
    return text, body


def type_name(exc: BaseException) -> str:
    """Return ``module.Qualified.Name`` of its type, without the module for built-in ones."""
    cls = type(exc)
    name = survive(lambda: f"{cls.__module__}.{cls.__qualname__}", lambda _: "exception of unknown type")
    return _sendable(name.removeprefix("builtins."))


def _pickle(exc: BaseException) -> bytes:
    from wrenml.failures.pickled import dumps

    return dumps(exc)


def _message(exc: BaseException) -> str:
    text = survive(lambda: str(exc), lambda error: _UNPRINTABLE.format(type(error).__name__))
    return clip(_sendable(text), _MESSAGE_CHARS)


def _brief(error: BaseException) -> str:
    return clip(f"{type_name(error)}: {_message(error)}", 500)


def _notes(exc: BaseException) -> list[str]:
    return [clip(_sendable(str(note)), _MESSAGE_CHARS) for note in exc.__notes__[:_NOTES]]


def _formatted(exc: BaseException) -> str:
    from traceback import TracebackException

    lines = TracebackException.from_exception(exc, compact=True).format()
    return clip_middle(_sendable("".join(lines)), _TRACEBACK_CHARS)


def _clear(exc: BaseException) -> None:
    from traceback import clear_frames

    for each in related(exc):
        clear_frames(each.__traceback__)


def _sendable(text: str) -> str:
    """Lone surrogates would be refused by UTF-8; other than that, the text itself."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
