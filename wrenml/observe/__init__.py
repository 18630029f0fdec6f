"""Hooks that tell people how jobs go: progress on a screen, records for `logging`.

::

    monitor ──events──▶ Progress (counts) ──▶ text (lines) ──▶ Screen (terminal, notebook, plain)
                   └──▶ Log ──▶ logging.getLogger("wrenml")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from wrenml.events import Hook
from wrenml.observe.log import LARGE_ARGUMENT, Log, warn_large_function, warn_repeated_argument
from wrenml.observe.progress import Progress
from wrenml.observe.screen import Screen
from wrenml.observe.text import plural

__all__ = [
    "LARGE_ARGUMENT",
    "Log",
    "Progress",
    "Screen",
    "say_backend",
    "standard_hooks",
    "warn_large_function",
    "warn_repeated_argument",
]

_OFF = frozenset({"0", "false", "no", "off"})


def standard_hooks(environ: Mapping[str, str], stream: TextIO | None = None) -> list[Hook]:
    """The hooks that every executor of a client has.

    Parameters
    ----------
    environ : mapping of str to str
        ``WRENML_PROGRESS=0`` leaves progress out, whatever a map asks for.
    stream : text stream, optional
        Where progress is shown. Default: `sys.stderr`, whatever it is at the time.
    """
    hooks: list[Hook] = [Log()]
    if not _silent(environ):
        hooks.append(Progress(Screen(stream)))
    return hooks


def say_backend(environ: Mapping[str, str], backend: str, why: str, workers: int, stream: TextIO | None = None) -> None:
    """Say which backend was chosen and why, in a terminal or notebook.

    Parameters
    ----------
    environ : mapping of str to str
        ``WRENML_PROGRESS=0`` silences this too.
    backend, why : str
        Its name, and what decided it.
    workers : int
        How many.
    stream : text stream, optional
        Default: `sys.stderr`.
    """
    screen = Screen(stream)
    if screen.live and not _silent(environ):
        what = "one call after another in this process" if backend == "inline" else plural(workers, "worker")
        screen.say(f"wrenml: backend {backend} ({why}): {what}")


def _silent(environ: Mapping[str, str]) -> bool:
    return environ.get("WRENML_PROGRESS", "").lower() in _OFF
