"""An exception's type and message as words, whatever its class does."""

from __future__ import annotations

from wrenml.failures.guarding import clip, survive

__all__ = ["message_of", "sendable", "type_name"]

_CHARS = 2000


def type_name(exc: BaseException) -> str:
    """Return ``module.Qualified.Name`` of its type, without the module for built-in ones."""
    cls = type(exc)
    name = survive(lambda: f"{cls.__module__}.{cls.__qualname__}", lambda _: "exception of unknown type")
    return sendable(name.removeprefix("builtins."))


def message_of(exc: BaseException) -> str:
    """Return its text, at most 2,000 characters, or why there is none."""
    text = survive(lambda: str(exc), lambda error: f"<its text cannot be made: {type(error).__name__}>")
    return clip(sendable(text), _CHARS)


def sendable(text: str) -> str:
    """Return the text with lone surrogates, which UTF-8 refuses, written as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
