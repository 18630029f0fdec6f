"""Checks of what a user set: each takes a name and its value and returns the value in its normal form.

What cannot be meant raises `ConfigError`, which names the setting, shows the value and says what is allowed.
"""

# pathlib takes longer to import than the rest of this module.
from __future__ import annotations

import math
import operator
import os
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, Final

from wrenml.errors import ConfigError

__all__ = [
    "Check",
    "called",
    "environment",
    "exceptions",
    "flag",
    "line",
    "memory",
    "modules",
    "nearest",
    "optional",
    "paths",
    "positive",
    "safe_name",
    "suggestion",
    "texts",
    "whole",
    "wrong",
]

Check = Callable[[str, Any], Any]
"""Name and value in, the value in its normal form out."""

_SHOWN: Final = 80
_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")


def wrong(name: str, value: object, allowed: str) -> ConfigError:
    """Make the error that says what was set and what is allowed, for the caller to raise."""
    shown = repr(value)
    if len(shown) > _SHOWN:
        shown = shown[:_SHOWN] + "…"
    return ConfigError(f"{name}={shown} cannot be used: {name} must be {allowed}.")


def whole(least: int) -> Check:
    """Make a check for whole numbers, numpy's included, of at least `least`."""

    def check(name: str, value: Any) -> int:  # noqa: ANN401 - whatever a user gave
        allowed = f"a whole number, {least} or more"
        if isinstance(value, bool):
            raise wrong(name, value, allowed)
        try:
            number = operator.index(value)
        except TypeError:
            raise wrong(name, value, allowed) from None
        if number < least:
            raise wrong(name, value, allowed)
        return number

    return check


def positive(name: str, value: Any) -> float:  # noqa: ANN401 - whatever a user gave
    """Check a finite number above 0."""
    allowed = "a number above 0, or None for no limit"
    # Texts convert to float as well; a limit given as one is a mistake.
    if isinstance(value, bool | str | bytes) or not (hasattr(value, "__float__") or hasattr(value, "__index__")):
        raise wrong(name, value, allowed)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise wrong(name, value, allowed) from None
    if not 0 < number < math.inf:
        raise wrong(name, value, allowed)
    return number


def flag(name: str, value: object) -> bool:
    """Check a switch: True or False and nothing that is merely true."""
    if not isinstance(value, bool):
        raise wrong(name, value, "True or False")
    return value


def optional(check: Check) -> Check:
    """Let None pass, and check the rest."""
    return lambda name, value: None if value is None else check(name, value)


def exceptions(name: str, value: object) -> tuple[type[BaseException], ...]:
    """Check an exception class or a tuple of them; a tuple comes back."""
    classes = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(one, type) and issubclass(one, BaseException) for one in classes):
        raise wrong(name, value, "an exception class or a tuple of them")
    return classes


def line(name: str, value: object) -> str:
    """Check a text of one line that is not empty."""
    if not (isinstance(value, str) and value.strip() and value.isprintable()):
        raise wrong(name, value, "a text of one line, not empty")
    return value


def safe_name(name: str, value: object) -> str:
    """Check a name that may become part of a key or a file name."""
    if not (isinstance(value, str) and _SAFE_NAME.fullmatch(value)):
        raise wrong(name, value, "a name of letters, digits, '_', '-' and '.', at most 100, no '.' first")
    return value


def texts(name: str, value: object) -> dict[str, str]:
    """Check a dict of texts; a new dict comes back, empty for None."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise wrong(name, value, "a dict of texts")
    for key, text in value.items():
        # The value itself stays out of the message: it may be a secret.
        if not (isinstance(key, str) and isinstance(text, str)):
            kind = type(text).__name__
            raise ConfigError(f"{name} has the entry {key!r} of type {kind}: names and values must be texts.")
    return dict(value)


def environment(name: str, value: object) -> dict[str, str]:
    """Check a dict of environment variables; a new dict comes back, empty for None."""
    variables = texts(name, value)
    for key, text in variables.items():
        if not key or "=" in key or "\0" in key + text:
            raise ConfigError(
                f"{name} has the entry {key!r}, which no environment can hold: "
                "a name is not empty and has no '=', and there is no NUL in either part."
            )
    return variables


def memory(name: str, value: object) -> tuple[int, ...]:
    """Check one size in MB or a rising list of them; a tuple comes back."""
    sizes = tuple(value) if isinstance(value, list | tuple) else (value,)
    checked = tuple(whole(1)(name, size) for size in sizes)
    if not checked or any(a >= b for a, b in pairwise(checked)):
        raise wrong(name, value, "a whole number of MB, or a rising list of them to try in turn")
    return checked


def modules(name: str, value: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever a user gave
    """Check dotted names of modules; a tuple comes back, empty for None."""
    modules = _several(name, value, "a module's name or several, such as 'package.module'")
    for module in modules:
        if not (isinstance(module, str) and all(part.isidentifier() for part in module.split("."))):
            raise wrong(name, module, "a module's name or several, such as 'package.module'")
    return modules


def paths(name: str, value: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever a user gave
    """Check paths of files and folders that exist; a tuple of texts comes back, empty for None."""
    allowed = "a path or several, each of an existing file or folder"
    paths = []
    for path in _several(name, value, allowed):
        if not isinstance(path, str | os.PathLike):
            raise wrong(name, path, allowed)
        text = os.fspath(path)
        if not isinstance(text, str) or "\0" in text:
            raise wrong(name, path, allowed)
        if not os.path.exists(text):
            raise ConfigError(
                f"{name} names {text!r}, which does not exist (looked for from {os.getcwd()!r}): "
                "create it, correct the path, or leave it out."
            )
        paths.append(text)
    return tuple(paths)


def _several(name: str, value: Any, allowed: str) -> tuple[Any, ...]:  # noqa: ANN401 - whatever a user gave
    if value is None:
        return ()
    if isinstance(value, str | os.PathLike):
        return (value,)
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise wrong(name, value, allowed)
    return tuple(value)


def called(name: str, value: object) -> Callable[[], object]:
    """Check a callable."""
    if not callable(value):
        raise wrong(name, value, "a function without arguments, or None")
    return value


def suggestion(name: str, names: Iterable[str]) -> str:
    """Say what was probably meant, to end a sentence about a name that is not known.

    Parameters
    ----------
    name : str
        What was written.
    names : iterable of str
        What could have been meant.

    Returns
    -------
    str
        ``"; did you mean 'chunksize'?"``, or all the names where none is near.
    """
    known = sorted(names)
    near = nearest(name, known, cutoff=0.6)
    return f"; did you mean {near!r}?" if near else f"; there are {', '.join(known)}."


def nearest(name: str, names: Iterable[str], *, cutoff: float) -> str | None:
    """Find the one of `names` that is most like `name`.

    Parameters
    ----------
    name : str
        What was written.
    names : iterable of str
        What could have been meant.
    cutoff : float
        How alike the two must be at least, 0 to 1.

    Returns
    -------
    str or None
        None where nothing is alike enough.
    """
    import difflib  # noqa: PLC0415 - only a misspelt name needs it

    return next(iter(difflib.get_close_matches(name, list(names), n=1, cutoff=cutoff)), None)
