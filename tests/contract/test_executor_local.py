from __future__ import annotations

from collections.abc import Iterator

import pytest

from wrenml import Executor, local_executor
from wrenml.testing.executor_contract import ExecutorContract


class TestLocalExecutor(ExecutorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def executor(cls) -> Iterator[Executor]:
        with local_executor(workers=2) as executor:
            yield executor
