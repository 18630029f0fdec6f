"""Whether a client has cancelled what a worker is about to run, or runs: seldom asked, since asking costs a request."""

from __future__ import annotations

import json
import time
from hashlib import sha256
from hmac import compare_digest

from wrenml.auth import TAG_SIZE
from wrenml.errors import StorageError
from wrenml.storage.base import Objects
from wrenml.wire import Request, state_key

__all__ = ["Cancellation"]

_OLD = 5.0  # seconds a request may have waited without being asked about
_EVERY = 10.0  # seconds of run time between questions


class Cancellation:
    """What a job's `state` says of one request.

    The client alone may write that object; the token in it, whose digest the request carries, proves that this
    job's client did.

    Parameters
    ----------
    request : Request
        In question.
    storage : Objects
        Where the state lies.
    """

    def __init__(self, request: Request, storage: Objects) -> None:
        self._request = request
        self._storage = storage
        self._due = time.monotonic() + (0.0 if time.time() - request.sent > _OLD else _EVERY)
        self._cancelled = False

    def __call__(self) -> bool:
        """Whether every call of the request is cancelled, as far as that was asked lately."""
        if self._request.cancel and not self._cancelled and time.monotonic() >= self._due:
            self._cancelled = self._ask()
            self._due = time.monotonic() + _EVERY
        return self._cancelled

    def _ask(self) -> bool:
        request = self._request
        try:
            data = bytes(self._storage.get(state_key(request.job)))
            state = json.loads(data[TAG_SIZE:])
            token = bytes.fromhex(state.get("token", ""))
            ranges = state["cancelled"] if compare_digest(sha256(token).hexdigest(), request.cancel) else []
            return any(a <= request.first and request.first + request.count <= b for a, b in ranges)
        except (StorageError, ValueError, KeyError, TypeError, AttributeError):
            # Most jobs have no such object, and a worker that may not list is told so in other words.
            return False
