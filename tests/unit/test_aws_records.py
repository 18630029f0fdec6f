from __future__ import annotations

import json
import time

import pytest

from wrenml.errors import (
    CallTimeout,
    ConfigError,
    StorageError,
    StorageUnavailableError,
    WorkerCrashed,
    WorkerLost,
    WorkerOutOfMemory,
)
from wrenml.invoke.aws.records import FailureRecord, Records
from wrenml.storage import MemoryStorage, Storage
from wrenml.storage.base import Buffer
from wrenml.testing.storage_faults import FlakyStorage, StorageFault

FUNCTION = "wrenml-1769"
DAY = 86_400


def put(
    storage: Storage,
    when: float,
    call: int = 0,
    *,
    answer: dict[str, str] | None = None,
    condition: str = "RetriesExhausted",
) -> None:
    stamp = time.strftime("%Y/%m/%d/%Y-%m-%dT%H.%M.%S", time.gmtime(when))
    record = {
        "version": "1.0",
        "requestContext": {"requestId": "r", "condition": condition, "approximateInvokeCount": 1},
        "requestPayload": {"job": "j", "calls": [call, 1], "attempt": 2},
        "responsePayload": answer,
    }
    storage.put(f"aws/lambda/async/{FUNCTION}/{stamp}-{call:04d}", json.dumps(record).encode())


def look(records: Records) -> list[FailureRecord]:
    return list(records.look([FUNCTION]))


def test_each_new_record_is_read_once() -> None:
    storage, now = MemoryStorage(), time.time()
    put(storage, now - 100, 1)
    records = Records(storage, {FUNCTION: 1769}, now - 1)
    put(storage, now, 2)

    assert [record.name for record in look(records)] == [("j", 2, 2)]
    assert look(records) == []

    put(storage, now + 2, 3)
    assert [record.name for record in look(records)] == [("j", 3, 2)]


def test_a_record_that_appears_late_is_not_missed() -> None:
    storage, now = MemoryStorage(), time.time()
    records = Records(storage, {FUNCTION: 1769}, now - 100)
    put(storage, now, 1)
    assert len(look(records)) == 1

    put(storage, now - 50, 2)

    assert [record.name[1] for record in look(records)] == [2]


def test_yesterdays_records_are_read_where_the_job_began_then() -> None:
    storage, now = MemoryStorage(), time.time()
    records = Records(storage, {FUNCTION: 1769}, now - DAY)
    put(storage, now - DAY + 10, 1)
    put(storage, now, 2)

    assert [record.name[1] for record in look(records)] == [1, 2]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 900.00 seconds"}, CallTimeout, "900"),
        (
            {"errorType": "Runtime.ExitError", "errorMessage": "Runtime exited with error: signal: killed"},
            WorkerOutOfMemory,
            "1769 MB",
        ),
        (
            {"errorType": "Runtime.ExitError", "errorMessage": "Runtime exited with error: exit status 3"},
            WorkerCrashed,
            "exit status 3",
        ),
        ({"errorType": "AccessDeniedError", "errorMessage": "s3:PutObject on …"}, StorageError, "s3:PutObject"),
    ],
    ids=["timeout", "memory", "exit", "storage"],
)
def test_the_record_says_why(answer: dict[str, str], kind: type[Exception], words: str) -> None:
    storage, now = MemoryStorage(), time.time()
    put(storage, now, answer=answer)

    [record] = look(Records(storage, {FUNCTION: 1769}, now - 1))

    assert type(record.cause) is kind
    assert words in str(record.cause)


def test_an_event_that_waited_too_long_never_started() -> None:
    storage, now = MemoryStorage(), time.time()
    put(storage, now, condition="EventAgeExceeded")

    [record] = look(Records(storage, {}, now - 1))

    assert type(record.cause) is WorkerLost


@pytest.mark.parametrize("data", [b"not JSON", b"{}", b"[]", b'{"requestPayload": {"job": 1}}'])
def test_what_is_no_record_of_ours_is_passed_over(data: bytes) -> None:
    storage, now = MemoryStorage(), time.time()
    stamp = time.strftime("%Y/%m/%d/%Y-%m-%dT%H.%M.%S", time.gmtime(now))
    storage.put(f"aws/lambda/async/{FUNCTION}/{stamp}-x", data)
    put(storage, now + 1, 5)

    assert [record.name[1] for record in look(Records(storage, {}, now - 1))] == [5]


def test_what_could_not_be_listed_for_long_is_not_missed() -> None:
    storage, now = FlakyStorage(MemoryStorage(), [StorageFault("list")]), time.time()
    put(storage, now - 900, 1)
    records = Records(storage, {FUNCTION: 1769}, now - 1000)
    with pytest.raises(StorageUnavailableError):
        look(records)

    assert [record.name[1] for record in look(records)] == [1]


@pytest.mark.parametrize("reason", [StorageUnavailableError("away"), ConfigError("not answered as AWS would")])
def test_a_record_that_could_not_be_read_is_read_later(reason: Exception) -> None:
    class Away(MemoryStorage):
        def get(self, key: str, *, start: int = 0, stop: int | None = None) -> Buffer:
            if reasons:
                raise reasons.pop()
            return super().get(key, start=start, stop=stop)

    storage, now, reasons = Away(), time.time(), [reason]
    put(storage, now, 1)
    records = Records(storage, {FUNCTION: 1769}, now - 1)
    with pytest.raises(type(reason)):
        look(records)

    assert [record.name[1] for record in look(records)] == [1]


def test_records_are_looked_for_by_the_clock_of_aws() -> None:
    storage, theirs = MemoryStorage(), time.time() - DAY
    records = Records(storage, {FUNCTION: 1769}, theirs - 1, lambda: theirs)
    put(storage, theirs, 1)
    assert len(look(records)) == 1

    put(storage, theirs + 10, 2)

    assert [record.name[1] for record in look(records)] == [2]
