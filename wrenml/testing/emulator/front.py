"""What every request passes before its service: recorded, slowed, failed as told, checked for its time and keys."""

from __future__ import annotations

import calendar
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate

from wrenml.testing.emulator.callers import Callers
from wrenml.testing.emulator.faults import Expire, Faults
from wrenml.testing.emulator.identifying import identify
from wrenml.testing.emulator.recording import Call, Requests
from wrenml.testing.emulator.refusing import RefusedError, new_id, refusal
from wrenml.testing.emulator.web import Answer, Request

__all__ = ["Front"]

_SKEW = 900
_logger = logging.getLogger(__name__)


class Front:
    """The way of a request, whichever service it is to.

    Parameters
    ----------
    account : str
        Twelve digits.
    callers : Callers
        Whose keys there are.
    faults : Faults
        What requests meet.
    serve : callable
        Carries a call out; may raise `RefusedError`.

    Attributes
    ----------
    requests : Requests
        What came.
    latency : dict of str to float
        Seconds, by operation or service.
    clock_offset : float
        Seconds by which AWS's clock is ahead.
    """

    def __init__(self, account: str, callers: Callers, faults: Faults, serve: Callable[[Call], Answer]) -> None:
        self.requests = Requests()
        self.latency: dict[str, float] = {}
        self.clock_offset = 0.0
        self._account = account
        self._callers = callers
        self._faults = faults
        self._serve = serve

    def answer(self, request: Request) -> Answer:
        """Answer what came over the network."""
        call = identify(request, self._callers, self._account)
        self.requests.add(call)
        pause = self.latency.get(call.operation, self.latency.get(call.service, 0.0))
        if pause:
            time.sleep(pause)
        return self._answer(call)

    def write(self, call: Call) -> Answer:
        """Answer what a service of AWS itself asks for: at once, but recorded, and it may fail."""
        self.requests.add(call)
        return self._answer(call)

    def _answer(self, call: Call) -> Answer:
        try:
            fault = self._expired(call) or self._faults.choose(call)
            if fault is None:
                answer = self._proceed(call)
            else:
                call.fault = type(fault).__name__
                answer = fault(call, self._proceed)
        except Exception as error:  # a defect of the emulator's must show as an answer, not as a hang
            _logger.exception("%s:%s", call.service, call.operation)
            answer = refusal(call, 500, "InternalError", f"the emulator failed: {error!r}")
        call.status, call.sent = answer.status, len(answer.body)
        # Whoever looks at many requests needs no bodies, and the machine needs its memory.
        call.request = replace(call.request, body=b"")
        name = "x-amz-request-id" if call.service == "s3" else "x-amzn-RequestId"
        answer.headers.setdefault(name, new_id())
        answer.headers["Date"] = formatdate(time.time() + self.clock_offset, usegmt=True)
        return answer

    def _expired(self, call: Call) -> Expire | None:
        return Expire() if call.caller.access_key in self._callers.expired else None

    def _proceed(self, call: Call) -> Answer:
        try:
            self._check_clock(call)
            return self._serve(call)
        except RefusedError as error:
            return refusal(call, error.status, error.code, str(error), **error.fields)

    def _check_clock(self, call: Call) -> None:
        stamp = call.headers.get("x-amz-date", "")
        if not stamp:
            return
        signed = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
        if abs(signed - time.time() - self.clock_offset) <= _SKEW:
            return
        if call.service == "s3":
            raise RefusedError(
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            )
        raise RefusedError(403, "InvalidSignatureException", "Signature expired: the request's time is too far off")
