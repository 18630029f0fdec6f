from __future__ import annotations

import json
from hashlib import sha256

import pytest

from wrenml.auth import TAG_SIZE
from wrenml.storage import MemoryStorage
from wrenml.wire import Request, state_key
from wrenml.worker.cancelling import Cancellation

JOB, TOKEN = "0" * 16, b"token"


def cancelled(state: object) -> bool:
    storage = MemoryStorage()
    storage.put(state_key(JOB), bytes(TAG_SIZE) + json.dumps(state).encode())
    request = Request(JOB, 3, 2, 1, "", b"", (), cancel=sha256(TOKEN).hexdigest())
    return Cancellation(request, storage)()


def test_a_request_is_cancelled_when_all_of_its_calls_are() -> None:
    assert cancelled({"token": TOKEN.hex(), "cancelled": [[0, 5]]})
    assert not cancelled({"token": TOKEN.hex(), "cancelled": [[0, 4], [4, 5]]})


@pytest.mark.parametrize(
    "state",
    [
        {"token": b"other".hex(), "cancelled": [[0, 5]]},
        {"token": None, "cancelled": [[0, 5]]},
        {"token": TOKEN.hex(), "cancelled": [7]},
        {"token": TOKEN.hex()},
        [],
        "cancelled",
    ],
)
def test_what_no_client_of_the_job_wrote_cancels_nothing(state: object) -> None:
    assert not cancelled(state)
