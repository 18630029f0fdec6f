"""What is worth a warning, and only that."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from wrenml import inline_executor


@pytest.mark.parametrize(("count", "warned"), [(4, 0), (5, 1), (12, 1)])
def test_large_data_that_comes_with_call_after_call(count: int, warned: int, caplog: pytest.LogCaptureFixture) -> None:
    data = np.zeros(1_500_000)
    with inline_executor() as executor, caplog.at_level(logging.WARNING, "wrenml"):
        futures = [executor.submit(np.sum, data) for _ in range(count)]

    assert [future.result() for future in futures] == [0.0] * count
    said = [text for text in caplog.messages if "executor.put(data)" in text]
    assert len(said) == warned
    assert all("12 MB of data have come with 5 calls" in text for text in said)


def test_what_was_put_may_come_as_often_as_you_like(caplog: pytest.LogCaptureFixture) -> None:
    with inline_executor() as executor, caplog.at_level(logging.WARNING, "wrenml"):
        data: Any = executor.put(np.zeros(1_500_000))
        assert [executor.submit(np.sum, data).result() for _ in range(12)] == [0.0] * 12

    assert not caplog.messages
