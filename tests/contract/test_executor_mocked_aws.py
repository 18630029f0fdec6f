"""The executor's contract over the mocked AWS, save what other processes do (they do not see it) and streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wrenml import Executor
from wrenml.testing import samples
from wrenml.testing.executor.base import PATIENCE
from wrenml.testing.executor_contract import (
    AttachContract,
    FailuresContract,
    FunctionsContract,
    InputsContract,
    IsolationContract,
    MapContract,
    OptionsContract,
    ReadingContract,
    WaitingContract,
)
from wrenml.testing.faults import KilledWorker
from wrenml.testing.mocked import MockedAWS


@pytest.mark.thorough
@pytest.mark.slow
class TestMockedAwsExecutor(
    MapContract,
    FunctionsContract,
    InputsContract,
    FailuresContract,
    ReadingContract,
    WaitingContract,
    AttachContract,
    OptionsContract,
    IsolationContract,
):
    @pytest.fixture(scope="class")
    @classmethod
    def executor(cls) -> Iterator[Executor]:
        # A cancelled call occupies its environment until its worker looks whether it is.
        with MockedAWS(environments=8) as aws, aws.executor() as executor:
            yield executor
            executor.shutdown(cancel_futures=True)

    @pytest.mark.parametrize(("chunksize", "retried"), [(1, 2), (5, 0)])
    def test_killed_worker(self, executor: Executor, tmp_path: Path, chunksize: int, retried: int) -> None:  # type: ignore[override]
        """A call by itself is invoked again; in a chunk it has its second chance where it ran."""
        fn = KilledWorker(samples.identity, str(tmp_path), only=[3, 11])
        futures = executor.map(fn, range(20), chunksize=chunksize)
        assert futures.results(timeout=PATIENCE) == list(range(20))
        assert futures.summary().retried == retried

    @pytest.mark.skip("an invocation is cancelled as a whole")
    def test_cancel_keeps_the_neighbours(self, executor: Executor, tmp_path: Path) -> None: ...

    @pytest.mark.skip("environments end some time after the executor")
    def test_finalizer(self, make: Callable[[], Executor], tmp_path: Path) -> None: ...
