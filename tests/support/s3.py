"""S3 as moto plays it, made to keep what S3 promises, and told when to fail."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from threading import RLock
from typing import Any

from wrenml.aws.session import Session

Answer = dict[str, Any]
Send = Callable[..., Answer]
Twist = Callable[[str, Send, Answer], Answer]


def plain(_operation: str, send: Send, request: Answer) -> Answer:
    return send(**request)


@cache
def _mocked() -> Session:
    """What sessions under moto's mock have in common: making a client takes a tenth of a second."""
    return Session(region="us-east-1", transport="boto3")


class TwistedSession(Session):
    """A session whose S3 requests pass through `twist` one at a time.

    moto checks a condition and stores afterwards, without a lock, so racing conditional writes need one.
    """

    def __init__(self, twist: Twist = plain, *, endpoint_url: str | None = None, transport: str | None = None) -> None:
        super().__init__(region="us-east-1", endpoint_url=endpoint_url, transport=transport)
        self._twist = twist
        self._one_at_a_time = RLock()
        self.operations: list[str] = []

    def client(self, service: str) -> Any:  # noqa: ANN401 - as the class above
        plain = self._endpoint_url is None and self._transport == "auto"
        return _Client(_mocked().client(service) if plain else super().client(service), self)

    def run(self, operation: str, send: Send, request: Answer) -> Answer:
        with self._one_at_a_time:
            self.operations.append(operation)
            return self._twist(operation, send, request)


class _Client:
    def __init__(self, inner: object, session: TwistedSession) -> None:
        self._inner = inner
        self._session = session

    def __getattr__(self, operation: str) -> Send:
        send: Send = getattr(self._inner, operation)
        return lambda **request: self._session.run(operation, send, request)
