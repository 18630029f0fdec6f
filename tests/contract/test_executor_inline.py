from __future__ import annotations

from collections.abc import Iterator

import pytest

from wrenml import Executor, inline_executor
from wrenml.testing.executor_contract import ExecutorContract


class TestInlineExecutor(ExecutorContract):
    isolated = False

    @pytest.fixture(scope="class")
    @classmethod
    def executor(cls) -> Iterator[Executor]:
        with inline_executor() as executor:
            yield executor
