"""One signed request and its answer: what the lean clients of all services share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from wrenml.aws.answers import Answer
from wrenml.aws.clock import Clock
from wrenml.aws.endpoints import Endpoint
from wrenml.aws.failures import RefusedError
from wrenml.aws.http import Pool, Request
from wrenml.aws.payload import Payload
from wrenml.aws.routes import Address, Trust
from wrenml.aws.signing import Keys, Signer, query_string

__all__ = ["READ_SECONDS", "Call", "Caller", "metadata"]

READ_SECONDS = 60.0
"""How long a server may be silent."""

_SUCCESS = 300
_AGENT = "wrenml"

Refusal = Callable[[str, Answer, bytes], RefusedError]
"""Reads what the service says of a refusal: operation, answer and body."""


@dataclass(slots=True)
class Call:
    """What is asked of a service.

    Parameters
    ----------
    operation : str
        Its name, for messages.
    method : str
        The HTTP method.
    path : str
        Encoded.
    query : sequence of pairs of str
        Not encoded.
    headers : mapping of str to str
        Names in lower case.
    payload : Payload
        The body.
    repeatable : bool
        Whether it may be sent twice though the first one may have been acted on.
    seconds : float
        How long the server may be silent.
    """

    operation: str
    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    payload: Payload
    repeatable: bool
    seconds: float = READ_SECONDS


class Caller:
    """Sends calls to one service. Threads may share it.

    Parameters
    ----------
    endpoint : Endpoint
        The service.
    keys : callable
        The credentials, asked for before every request.
    clock : Clock
        The time to sign with.
    trust : Trust
        Whose certificates are believed.
    refusal : callable
        How the service words a refusal.
    """

    def __init__(
        self, endpoint: Endpoint, keys: Callable[[], Keys], *, clock: Clock, trust: Trust, refusal: Refusal
    ) -> None:
        self.endpoint = endpoint
        self._keys = keys
        self._clock = clock
        self._trust = trust
        self._refusal = refusal
        self._signer = Signer(endpoint.service, endpoint.region)
        self._lock = Lock()
        self._pools: dict[Address, Pool] = {}

    def send(self, call: Call, address: Address) -> Answer:
        """Send a call, once more where the server does not believe our clock.

        Returns
        -------
        Answer
            A successful one, its body still to be read or closed.

        Raises
        ------
        RefusedError
            The service said no.
        UnreachableError
            No whole answer came.
        """
        pool = self._pools.get(address) or self._pool(address)
        query = query_string(call.query)
        target = f"{call.path}?{query}" if query else call.path
        payload = call.payload.sha256()
        corrected = False
        while True:
            headers = {"host": address.name, **call.headers}
            behind = self._clock.behind
            signed = self._signer.headers(
                call.method, (call.path, query), headers, payload, self._keys(), self._clock.stamp()
            )
            signed["user-agent"] = _AGENT
            answer = pool.send(Request(call.method, target, signed, call.payload, call.repeatable, call.seconds))
            if answer.status < _SUCCESS:
                return answer
            error = self._refusal(call.operation, answer, answer.read())
            code = error.response["Error"]["Code"]
            if corrected or not self._clock.correct(code, answer.headers.get("date", ""), behind):
                raise error
            corrected = True

    def close(self) -> None:
        """Close idle connections."""
        for pool in list(self._pools.values()):
            pool.close()

    def _pool(self, address: Address) -> Pool:
        with self._lock:
            if address not in self._pools:
                self._pools[address] = Pool(address, self._trust)
            return self._pools[address]


def metadata(answer: Answer) -> dict[str, Any]:
    """What boto3 puts under ``ResponseMetadata``."""
    headers = answer.headers
    return {
        "RequestId": headers.get("x-amz-request-id") or headers.get("x-amzn-requestid", ""),
        "HTTPStatusCode": answer.status,
        "HTTPHeaders": headers,
        "RetryAttempts": 0,
    }
