from __future__ import annotations

import concurrent.futures
import re
import threading

import pytest

from wrenml.errors import CallCancelled
from wrenml.futures import Future


def test_a_future_of_no_job_is_the_standard_librarys() -> None:
    future: Future[int] = Future()
    assert re.fullmatch(r"<Future at 0x[0-9a-f]+ state=pending>", repr(future))
    future.set_result(3)
    assert future.result(0) == 3
    assert re.fullmatch(r"<Future at 0x[0-9a-f]+ state=finished returned int>", repr(future))


def test_a_cancelled_future_of_no_job_keeps_nobody_waiting() -> None:
    future: Future[int] = Future()
    told: list[BaseException] = []

    def read() -> None:
        try:
            future.result(30)
        except concurrent.futures.CancelledError as error:
            told.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    assert future.cancel()
    reader.join(30)
    assert [type(error) for error in told] == [CallCancelled]
    with pytest.raises(CallCancelled):
        future.exception(0)
