"""What can go wrong between a client and AWS, as named faults that requests are chosen to meet.

A fault is a callable of two arguments, the call and what carries it out: it may do something before, do
something to the answer, or answer itself. `Faults` chooses, by what the test says and a seeded draw.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Protocol

from wrenml.testing.emulator.recording import Call
from wrenml.testing.emulator.refusing import refusal
from wrenml.testing.emulator.web import Answer

__all__ = [
    "Delay",
    "ErrorBehindSuccess",
    "Expire",
    "Fault",
    "Faults",
    "Flip",
    "LoseAnswer",
    "Refuse",
    "Reset",
    "ShortPages",
    "Truncate",
    "Unsent",
]

Proceed = Callable[[Call], Answer]


class Fault(Protocol):
    """One way to fail."""

    def __call__(self, call: Call, proceed: Proceed, /) -> Answer:
        """Answer the call; `proceed` carries it out."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The request takes so many seconds more."""

    seconds: float

    def __call__(self, call: Call, proceed: Proceed) -> Answer:
        """Wait, then carry it out."""
        time.sleep(self.seconds)
        return proceed(call)


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nothing is done, and an error is answered: by default S3's request to slow down.

    Parameters
    ----------
    status : int, default 503
        HTTP status.
    code : str, default "SlowDown"
        The service's name of the error.
    reason : str, optional
        Of a throttled Lambda invocation.
    retry_after : int, optional
        Seconds, in the header of that name.
    """

    status: int = 503
    code: str = "SlowDown"
    reason: str = ""
    retry_after: int | None = None

    def __call__(self, call: Call, _proceed: Proceed) -> Answer:
        """Answer the error."""
        fields = {"Reason": self.reason} if self.reason else {}
        answer = refusal(call, self.status, self.code, "this request was chosen to meet a fault", **fields)
        if self.retry_after is not None:
            answer.headers["Retry-After"] = str(self.retry_after)
        return answer


@dataclass(frozen=True, slots=True)
class Expire:
    """The credentials are answered to have expired."""

    def __call__(self, call: Call, _proceed: Proceed) -> Answer:
        """Answer as the service does."""
        status, code = (400, "ExpiredToken") if call.service == "s3" else (403, "ExpiredTokenException")
        return refusal(call, status, code, "The provided token has expired.")


@dataclass(frozen=True, slots=True)
class Unsent:
    """The connection is reset before anything is done."""

    def __call__(self, _call: Call, _proceed: Proceed) -> Answer:
        """Answer nothing."""
        return Answer(cut=-1)


@dataclass(frozen=True, slots=True)
class LoseAnswer:
    """The request is carried out, and the connection reset before the answer."""

    def __call__(self, call: Call, proceed: Proceed) -> Answer:
        """Carry it out and answer nothing."""
        return replace(proceed(call), cut=-1)


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset amid the answer's body.

    Parameters
    ----------
    share : float, default 0.5
        How much of the body arrives.
    """

    share: float = 0.5

    def __call__(self, call: Call, proceed: Proceed) -> Answer:
        """Answer a part."""
        answer = proceed(call)
        return replace(answer, cut=int(len(answer.body) * self.share))


@dataclass(frozen=True, slots=True)
class Truncate:
    """The body is shorter than it should be, and its length says so: nothing but its digest shows it.

    Parameters
    ----------
    size : int, default 1
        Bytes that are missing at its end.
    """

    size: int = 1

    def __call__(self, call: Call, proceed: Proceed) -> Answer:
        """Answer less."""
        answer = proceed(call)
        return replace(answer, body=bytes(answer.body)[: -self.size], headers=_unchecked(answer))


@dataclass(frozen=True, slots=True)
class Flip:
    """A bit of the body is another one.

    Parameters
    ----------
    at : int, default -1
        Which byte; from the end if negative.
    """

    at: int = -1

    def __call__(self, call: Call, proceed: Proceed) -> Answer:
        """Answer something else."""
        answer = proceed(call)
        body = bytearray(answer.body)
        if body:
            body[self.at] ^= 1
        return replace(answer, body=bytes(body), headers=_unchecked(answer))


@dataclass(frozen=True, slots=True)
class ErrorBehindSuccess:
    """Status 200, and an error as the body: S3 answers so when a long operation fails at its end."""

    code: str = "InternalError"

    def __call__(self, call: Call, _proceed: Proceed) -> Answer:
        """Answer the error as a success."""
        return refusal(call, 200, self.code, "We encountered an internal error. Please try again.")


@dataclass(frozen=True, slots=True)
class ShortPages:
    """A page of a listing holds fewer keys than were asked for, and says that there are more.

    Parameters
    ----------
    keys : int, default 1
        How many at most; with 0, a page is empty.
    """

    keys: int = 1

    def __call__(self, call: Call, proceed: Proceed) -> Answer:
        """Answer less than there is."""
        query = dict(call.request.query) | {"x-page": str(self.keys)}
        return proceed(replace(call, request=replace(call.request, query=query)))


def _unchecked(answer: Answer) -> dict[str, str]:
    names = ("content-length", "x-amz-checksum")
    return {name: value for name, value in answer.headers.items() if not name.lower().startswith(names)}


@dataclass(slots=True)
class _Rule:
    fault: Fault
    chooses: Callable[[Call], bool]
    share: float
    skip: int
    times: float


class Faults:
    """The faults that requests are to meet.

    Parameters
    ----------
    seed : int
        Of the draws of faults that meet only a share of the requests.
    """

    def __init__(self, seed: int = 0) -> None:
        self._lock = Lock()
        self._rules: list[_Rule] = []
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Begin the draws again."""
        self._random = random.Random(seed)

    def add(
        self,
        fault: Fault,
        operation: str | None = None,
        *,
        when: Callable[[Call], bool] | None = None,
        caller: str | None = None,
        share: float = 1.0,
        skip: int = 0,
        times: float = float("inf"),
    ) -> None:
        """Have requests meet a fault; of several that would choose a request, it meets the first added.

        Parameters
        ----------
        fault : Fault
            What happens to them.
        operation : str, optional
            Only those of this operation, such as ``GetObject``.
        when : callable, optional
            Only those calls for which it is true.
        caller : str, optional
            Only those of this caller, such as ``worker``.
        share : float, default 1.0
            Which share of these, by a draw.
        skip : int, default 0
            So many of these pass first.
        times : int, optional
            So many meet it. Default: all.
        """

        def chooses(call: Call) -> bool:
            return (
                operation in {None, call.operation}
                and caller in {None, call.caller.name}
                and (when is None or when(call))
            )

        with self._lock:
            self._rules.append(_Rule(fault, chooses, share, skip, times))

    def clear(self) -> None:
        """Have no request meet any fault any more."""
        with self._lock:
            self._rules.clear()

    def choose(self, call: Call) -> Fault | None:
        """The fault that the call meets."""
        if not self._rules:
            return None
        with self._lock:
            for rule in self._rules:
                if not rule.times or not rule.chooses(call):
                    continue
                if rule.share < 1 and self._random.random() >= rule.share:
                    continue
                if rule.skip:
                    rule.skip -= 1
                    continue
                rule.times -= 1
                return rule.fault
        return None
