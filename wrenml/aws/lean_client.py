"""What the lean clients share: the methods that one has are its own, the others are those of boto3's client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wrenml.aws.caller import Caller

__all__ = ["LeanClient"]


class LeanClient:
    """A client of one service, shaped like boto3's.

    Parameters
    ----------
    caller : Caller
        Sends the requests.
    boto : callable
        Gives boto3's client.
    """

    def __init__(self, caller: Caller, boto: Callable[[], Any]) -> None:
        self.caller = caller
        self._boto = boto

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever boto3's client has
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._boto(), name)

    def close(self) -> None:
        """Close idle connections."""
        self.caller.close()
