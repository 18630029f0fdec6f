"""What every executor must do, as tests to inherit.

A backend's test module holds one class::

    class TestMyExecutor(ExecutorContract):
        @pytest.fixture(scope="class")
        @classmethod
        def executor(cls):
            with my_executor(workers=2) as executor:
                yield executor

Where calls run in the client's own process it sets ``isolated = False``, and the tests that kill workers, limit or
cancel running calls, read their output or start another process are skipped. The parts can be inherited one by one.
"""

from __future__ import annotations

from wrenml.testing.executor.base import ExecutorSuite
from wrenml.testing.executor.clients import ClientsContract
from wrenml.testing.executor.futures import AttachContract, WaitingContract
from wrenml.testing.executor.inputs import FunctionsContract, InputsContract, MapContract
from wrenml.testing.executor.isolation import IsolationContract
from wrenml.testing.executor.options import OptionsContract
from wrenml.testing.executor.outcomes import FailuresContract, ReadingContract
from wrenml.testing.executor.streams import StreamsContract

__all__ = [
    "AttachContract",
    "ClientsContract",
    "ExecutorContract",
    "ExecutorSuite",
    "FailuresContract",
    "FunctionsContract",
    "InputsContract",
    "IsolationContract",
    "MapContract",
    "OptionsContract",
    "ReadingContract",
    "StreamsContract",
    "WaitingContract",
]


class ExecutorContract(
    MapContract,
    FunctionsContract,
    InputsContract,
    FailuresContract,
    ReadingContract,
    WaitingContract,
    AttachContract,
    StreamsContract,
    OptionsContract,
    IsolationContract,
    ClientsContract,
):
    """All that `Executor` promises whatever the backend. A subclass defines `executor`."""
