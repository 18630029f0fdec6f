"""Where progress is drawn: a terminal, a notebook's output, or neither."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

__all__ = ["Screen"]

_COLUMNS = 80

# The bar stands on the line below the cursor, which stays where the user's own output left it: a line that is
# printed meanwhile is whole, and the bar that it ran into is cleared. "Index" and "reverse index" keep the
# column, and scroll where the screen ends.
_DOWN, _UP, _SAVE, _RESTORE, _CLEAR = "\x1bD", "\x1bM", "\x1b7", "\x1b8", "\x1b[K"


class Screen:
    """A stream that lines are written to, and one bar that is drawn over again.

    Parameters
    ----------
    stream : text stream, optional
        Default: `sys.stderr`, whatever it is at the time.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._drawn = ""

    @property
    def _out(self) -> TextIO | None:
        return sys.stderr if self._stream is None else self._stream

    @property
    def live(self) -> bool:
        """Whether a bar can be drawn."""
        return self._in_notebook or self._in_terminal

    @property
    def _in_notebook(self) -> bool:
        return type(self._out).__module__.startswith("ipykernel.")

    @property
    def _in_terminal(self) -> bool:
        out = self._out
        if out is None or os.environ.get("TERM") == "dumb":
            return False
        with contextlib.suppress(ValueError, OSError, AttributeError):
            return out.isatty()
        return False

    @property
    def columns(self) -> int:
        """How many characters a line has, now."""
        out = self._out
        with contextlib.suppress(ValueError, OSError, AttributeError):
            if out is not None:
                return os.get_terminal_size(out.fileno()).columns or _COLUMNS
        return _COLUMNS

    @property
    def ascii_only(self) -> bool:
        """Whether the stream can encode ASCII only."""
        try:
            "█·".encode(getattr(self._out, "encoding", None) or "ascii")
        except (UnicodeEncodeError, LookupError):
            return True
        return False

    def say(self, line: str, *, afresh: bool = False) -> None:
        """Write a line; a bar that is there makes room for it.

        Parameters
        ----------
        line : str
            Without its end.
        afresh : bool, default False
            Write over what the cursor's line holds: the terminal's echo of Ctrl-C, say.
        """
        text = f"{line}\n"
        if afresh and self._in_terminal:
            text = f"\r{_CLEAR}{text}"
        if self._drawn:
            text = self._erasing() + text
            self._drawn = ""
        if self.ascii_only:
            text = text.replace(" · ", " - ").replace("×", "x")
        self._write(text)

    def draw(self, bar: str) -> None:
        """Show a bar in place of the last one."""
        if self._in_notebook:
            self._write("\r" + bar.ljust(len(self._drawn)))
        else:
            self._write(f"{_CLEAR}{_DOWN}{_SAVE}\r{bar}{_CLEAR}{_RESTORE}{_UP}")
        self._drawn = bar

    def clear(self) -> None:
        """Take the bar away."""
        if self._drawn:
            self._write(self._erasing())
            self._drawn = ""

    def _erasing(self) -> str:
        if self._in_notebook:
            return "\r" + " " * len(self._drawn) + "\r"
        return f"{_CLEAR}{_DOWN}{_SAVE}\r{_CLEAR}{_RESTORE}{_UP}"

    def _write(self, text: str) -> None:
        out = self._out
        if out is None:
            return
        # What cannot be shown is no reason for a job to fail.
        with contextlib.suppress(OSError, ValueError):
            out.write(text)
            out.flush()
