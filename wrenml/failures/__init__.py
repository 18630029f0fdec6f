"""How a call's exception travels from the worker to the one who asks for the result.

::

    worker                                            client
    describe(exc) ── text: JSON, always complete ──▶  rebuild(text, body) ── annotate ──▶ raised by `result()`
                  └─ body: the pickled exception ──▶     the user's own type, or RemoteError with the text

`text` survives anything: an exception that cannot be pickled, printed or imported still arrives as words.
`body` brings type, attributes, notes, chain, groups and tracebacks. A traceback travels as plain rows, one a
frame (`frames`), so depth costs no recursion and the carets under a line stay where they were.
"""

from __future__ import annotations

from wrenml.failures.describing import describe
from wrenml.failures.rebuilding import annotate, rebuild
from wrenml.failures.reprs import short_repr
from wrenml.failures.words import message_of

__all__ = ["annotate", "describe", "message_of", "rebuild", "short_repr"]
