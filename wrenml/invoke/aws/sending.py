"""Sends requests to Lambda, and repeats what did not get through.

Retries are our own: botocore's share a quota that one burst of throttling uses up. A throttle is never a call's
failure; it narrows the window instead.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from wrenml.errors import AccessDeniedError, ConfigError, WorkerLost, WrenmlError
from wrenml.invoke.aws.flight import Flight
from wrenml.invoke.aws.target import Target
from wrenml.retry import backoff
from wrenml.storage.s3_errors import EXPIRED, aws_errors, code_of, is_transient, retry_after
from wrenml.wire import encode_request

__all__ = ["LambdaClient", "Sender", "Window", "usable_concurrency"]

_log = logging.getLogger("wrenml")

_CONCURRENCY = 1000
_TRIES = 12
_BASE, _CAP = 0.2, 20.0
_THROTTLE_BASE = 0.5
_NARROWING = 0.7
_SIGNING_IN = 2.0  # seconds
_THROTTLED = {"TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded"}
_UNREADY = {
    "ResourceConflictException",
    "ResourceNotReadyException",
    "EC2ThrottledException",
    "EC2UnexpectedException",
    "ENILimitReachedException",
    "SubnetIPAddressLimitReachedException",
    "KMSAccessDeniedException",
    "CodeArtifactUserPendingException",
}


class LambdaClient(Protocol):
    """What is used of boto3's client of Lambda."""

    def invoke(self, **request: object) -> Mapping[str, Any]:
        """Invoke a function."""

    def get_account_settings(self) -> Mapping[str, Any]:
        """Ask for the account's limits."""


class Window:
    """How many invocations may be on their way: the usable concurrency, less while Lambda throttles.

    Parameters
    ----------
    size : int
        The usable concurrency.
    """

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._most = size
        self._width = float(size)
        self._narrowed = 0.0
        self.throttles = 0

    @property
    def width(self) -> int:
        """The most at this time."""
        return int(self._width)

    def through(self) -> None:
        """Take note that a request got through."""
        with self._lock:
            self._width = min(float(self._most), self._width + 1.0)

    def throttled(self, in_flight: int) -> bool:
        """Take note that a request was throttled; True for the first of a burst, which counts once."""
        now = time.monotonic()
        with self._lock:
            self.throttles += 1
            if now - self._narrowed <= 1.0:
                return False
            self._narrowed = now
            self._width = max(1.0, min(self._width, float(in_flight)) * _NARROWING)
            return True


class Sender:
    """Sends one flight after another, from several threads.

    Parameters
    ----------
    client : LambdaClient
        Of Lambda.
    target : Target
        What is invoked.
    window : Window
        Narrowed by throttles.
    stopped : Event
        Set when nothing is to be sent any more.
    throttled : callable
        Told of a flight that was throttled, once for each burst.
    """

    def __init__(
        self,
        client: LambdaClient,
        target: Target,
        window: Window,
        stopped: threading.Event,
        throttled: Callable[[Flight], None],
    ) -> None:
        self._client = client
        self._target = target
        self._window = window
        self._stopped = stopped
        self._throttled = throttled

    def send(self, flight: Flight, in_flight: Callable[[], int]) -> WrenmlError | None:
        """Send a flight until it gets through; return why it cannot.

        Parameters
        ----------
        flight : Flight
            Gets its lease; it is not sent once it is over.
        in_flight : callable
            How many there are now.
        """
        failures = 0
        while not (self._stopped.is_set() or flight.over):
            try:
                self._invoke(flight)
            except aws_errors() as error:
                failures += 1
                pause = self._pause(error, flight, failures, in_flight)
                if pause is None:
                    return self._translate(error, flight, failures)
                self._stopped.wait(pause)
            else:
                self._window.through()
                return None
        return None

    def _invoke(self, flight: Flight) -> None:
        target = self._target
        now = target.time()
        start_by = now + target.start_by
        not_after = start_by + flight.seconds + target.skew
        request = flight.request._replace(sent=now, start_by=start_by, not_after=not_after)
        # Before it is sent: its outcome may be there before the answer is.
        flight.lease = time.monotonic() + target.start_by + flight.seconds + target.skew
        self._client.invoke(
            FunctionName=flight.function,
            Qualifier=target.alias,
            InvocationType="Event",
            Payload=encode_request(request),
        )

    def _pause(self, error: Exception, flight: Flight, failures: int, in_flight: Callable[[], int]) -> float | None:
        """How long to wait before sending again; None if that is of no use."""
        code = code_of(error)
        if code in _THROTTLED:
            if self._window.throttled(in_flight()):
                self._throttled(flight)
            pause = backoff(failures, base=_THROTTLE_BASE, cap=_CAP, random=random.random())
            return max(pause, min(retry_after(error), _CAP))
        if code in EXPIRED:
            if failures == 1:
                _log.warning("wrenml: the AWS credentials have expired: sign in again, and this goes on by itself")
            return _SIGNING_IN
        if failures >= _TRIES or not (is_transient(error) or code in _UNREADY):
            return None
        return backoff(failures, base=_BASE, cap=_CAP, random=random.random())

    def _translate(self, error: Exception, flight: Flight, failures: int) -> WrenmlError:
        code, function = code_of(error), f"{flight.function}:{self._target.alias}"
        if is_transient(error) or code in _UNREADY:
            return WorkerLost(
                f"Lambda could not be asked to run this call, {failures} times, last with: {error}. "
                "Check the network, the credentials and the function (`wrenml doctor`), then run it again."
            )
        if "AccessDenied" in code or code in {"UnrecognizedClientException", "InvalidSignatureException"}:
            return AccessDeniedError(
                f"lambda:InvokeFunction on {function} was refused ({code}): {error}. Allow it in the policies of this "
                "identity (the stack's client policy does), or sign in as another; `wrenml doctor` checks it."
            )
        if code == "ResourceNotFoundException":
            return ConfigError(
                f"there is no function {function}: the stack was destroyed or the version removed. Run: wrenml deploy"
            )
        return WorkerLost(f"Lambda refused the invocation of {function}: {error}")


def usable_concurrency(client: LambdaClient) -> int:
    """How many invocations the account may run at a time; Lambda's default where that cannot be asked."""
    try:
        limit = client.get_account_settings()["AccountLimit"]
        return max(1, int(limit.get("UnreservedConcurrentExecutions") or limit["ConcurrentExecutions"]))
    except KeyError:
        return _CONCURRENCY
    except aws_errors() as error:
        _log.debug("wrenml: the account's concurrency is not known: %s", error)
        return _CONCURRENCY
