from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from wrenml.errors import AccessDeniedError, ConfigError, WorkerLost, WrenmlError
from wrenml.invoke.aws.flight import Flight
from wrenml.invoke.aws.sending import Sender, Window, usable_concurrency
from wrenml.invoke.aws.target import Target
from wrenml.wire import Request
from wrenml.worker.endings import Limits

TARGET = Target({1769: "stack-1769"}, "v3", timeout=900.0, start_by=120.0)


def refusal(code: str, status: int, **headers: str) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": "as told"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }
    return ClientError(answer, "Invoke")


class Lambda:
    """Refuses requests as planned, and takes what comes after."""

    def __init__(self, *plan: Exception | None) -> None:
        self.plan = list(plan)
        self.taken: list[dict[str, Any]] = []

    def invoke(self, **request: Any) -> Mapping[str, Any]:  # noqa: ANN401  # as boto3's
        error = self.plan.pop(0) if self.plan else None
        if error is not None:
            raise error
        self.taken.append(request)
        return {"StatusCode": 202}

    def get_account_settings(self) -> Mapping[str, Any]:
        raise refusal("AccessDeniedException", 403)


class NoPauses(threading.Event):
    """Does not wait, but notes how long it should have."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0.0)
        return False


def flight() -> Flight:
    request = Request("0" * 16, 7, 1, 1, "", b"k", (0, 1), b"a")
    return Flight(request, Limits(), "stack-1769", 30.0)


def send(
    client: Lambda, one: Flight, window: Window | None = None, told: list[Flight] | None = None
) -> tuple[WrenmlError | None, list[float]]:
    pauses = NoPauses()
    sender = Sender(client, TARGET, window or Window(100), pauses, ([] if told is None else told).append)
    return sender.send(one, lambda: 80), pauses.pauses


def test_a_request_names_function_and_version_and_when_it_is_too_late() -> None:
    client, one = Lambda(), flight()
    before = time.time()

    assert send(client, one) == (None, [])

    [request] = client.taken
    assert (request["FunctionName"], request["Qualifier"], request["InvocationType"]) == ("stack-1769", "v3", "Event")
    event = json.loads(request["Payload"])
    assert before <= event["sent"] <= time.time()
    assert event["start_by"] == pytest.approx(event["sent"] + 120)
    assert event["not_after"] == pytest.approx(event["sent"] + 120 + 30 + 90)
    assert one.lease is not None
    assert one.lease - time.monotonic() == pytest.approx(240, abs=20)


@pytest.mark.parametrize(
    "error",
    [
        refusal("ServiceException", 500),
        refusal("EC2ThrottledException", 502),
        refusal("ResourceConflictException", 409),
        ConnectionClosedError(endpoint_url="http://127.0.0.1"),
    ],
    ids=["5xx", "vpc", "pending", "reset"],
)
def test_what_passes_by_itself_is_waited_for(error: Exception) -> None:
    client = Lambda(error, error)

    refused, pauses = send(client, flight())

    assert refused is None
    assert len(pauses) == 2
    assert len(client.taken) == 1


def test_a_throttle_is_never_a_failure_and_narrows_the_window() -> None:
    window = Window(100)
    client = Lambda(*[refusal("TooManyRequestsException", 429, **{"retry-after": "3"})] * 30)

    one = flight()
    told: list[Flight] = []

    refused, pauses = send(client, one, window, told)

    assert refused is None
    assert told == [one]
    assert min(pauses) >= 3
    assert window.throttles == 30
    assert window.width == int(80 * 0.7) + 1  # once for the burst; the request that got through widened it again


def test_a_window_opens_again_up_to_what_it_was() -> None:
    window = Window(10)
    window.throttled(10)
    assert window.width == 7

    for _ in range(20):
        window.through()

    assert window.width == 10


@pytest.mark.parametrize(
    ("code", "status", "kind", "words"),
    [
        ("AccessDeniedException", 403, AccessDeniedError, "lambda:InvokeFunction on stack-1769:v3"),
        ("ResourceNotFoundException", 404, ConfigError, "wrenml deploy"),
        ("InvalidRequestContentException", 400, WorkerLost, "refused"),
    ],
)
def test_what_does_not_pass_is_said_at_once(code: str, status: int, kind: type[Exception], words: str) -> None:
    client = Lambda(refusal(code, status))

    refused, pauses = send(client, flight())

    assert type(refused) is kind
    assert words in str(refused)
    assert pauses == []
    assert client.taken == []


def test_patience_ends() -> None:
    client = Lambda(*[refusal("ServiceException", 500)] * 50)

    refused, pauses = send(client, flight())

    assert type(refused) is WorkerLost
    assert "wrenml doctor" in str(refused)
    assert len(pauses) < 20


def test_what_is_cancelled_meanwhile_is_not_sent() -> None:
    client, one = Lambda(), flight()
    one.over = True

    assert send(client, one) == (None, [])
    assert client.taken == []


def test_lambdas_default_holds_where_the_account_may_not_be_asked() -> None:
    assert usable_concurrency(Lambda()) == 1000
