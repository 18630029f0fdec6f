"""Sees the requests of every AWS client in this process before moto does, counts them, and answers some.

botocore tells every new session to the initializers that are registered with it, and sessions ask the handlers of
``before-send`` for an answer before they open a connection. moto is such a handler; here it is asked by ours.
"""

from __future__ import annotations

import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from email.utils import formatdate
from typing import Any

import botocore
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto.core.models import botocore_stubber

from wrenml.errors import ConfigError

__all__ = ["CLIENT", "LAMBDA", "WORKER", "Answerer", "Tap", "acting_as", "make_answer"]

CLIENT, WORKER, LAMBDA = "client", "worker", "lambda"
"""Who sends a request: the test's own code, the worker in an environment, or Lambda itself."""

Answerer = Callable[[AWSPreparedRequest], AWSResponse | None]
"""Answers a request, or leaves it to moto."""


class _Caller(threading.local):
    name = CLIENT


_caller = _Caller()
_open: list[Tap] = []


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Have this thread's requests counted as somebody's."""
    before, _caller.name = _caller.name, name
    try:
        yield
    finally:
        _caller.name = before


class Tap:
    """Counts requests and answers some, from `open` to `close`. One at a time.

    Parameters
    ----------
    answers : mapping of str to callable
        By operation, such as ``lambda.Invoke``; moto answers the others.
    refuse : callable
        Called before each request with the name of who sends it; it may raise.
    """

    def __init__(self, answers: Mapping[str, Answerer], refuse: Callable[[str], None]) -> None:
        self._answers = answers
        self._refuse = refuse
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._objects = threading.RLock()

    def open(self) -> None:
        """Begin to see requests, those of sessions that are made from now on.

        Raises
        ------
        ConfigError
            If another one is open.
        """
        if _open:
            raise ConfigError(
                "a mocked AWS is open already, and there can be one at a time. "
                "Use either wrenml_aws or wrenml_aws_module in a module, and no MockedAWS beside them."
            )
        _open.append(self)
        botocore.register_initializer(_attach)

    def close(self) -> None:
        """See no more requests."""
        _open.remove(self)
        botocore.unregister_initializer(_attach)

    def counts(self, caller: str | None = None) -> Counter[str]:
        """How often each operation was asked for, by somebody or by anybody but Lambda itself."""
        found: Counter[str] = Counter()
        with self._lock:
            for (who, operation), count in self._counts.items():
                if who == caller or (caller is None and who != LAMBDA):
                    found[operation] += count
        return found

    def reset(self) -> None:
        """Count from zero again."""
        with self._lock:
            self._counts.clear()

    def see(self, event_name: str, request: AWSPreparedRequest) -> AWSResponse | None:
        """Count one request and answer it, or leave it to moto."""
        operation = event_name.partition(".")[2]
        self._refuse(_caller.name)
        with self._lock:
            self._counts[_caller.name, operation] += 1
        answer = self._answers.get(operation, _nothing)(request)
        if answer is not None:
            return answer
        # moto checks the condition of a write and stores afterwards, without a lock between threads.
        with self._objects if operation.startswith("s3.") else nullcontext():
            return botocore_stubber(event_name, request)


def make_answer(url: str, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> AWSResponse:
    """Make an answer as botocore reads it."""
    return AWSResponse(url, status, {"Date": formatdate(usegmt=True), **(headers or {})}, _Body(body))


def _nothing(_: AWSPreparedRequest) -> None:
    """Leave a request to moto."""


class _Body(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        """All that is left, as urllib3 has it."""
        yield self.read()


def _attach(session: Any) -> None:  # noqa: ANN401  # botocore has no types
    # botocore asks all handlers, even when one has answered: moto's would act on each request once more.
    emitter = session.get_component("event_emitter")
    emitter.unregister("before-send", botocore_stubber)
    emitter.register("before-send", _see)


def _see(request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse | None:
    return _open[0].see(event_name, request) if _open else botocore_stubber(event_name, request)
