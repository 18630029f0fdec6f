"""The executor's contract over the emulated AWS: what other processes do, and streams; the rest is the mocked AWS's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wrenml import Executor, aws_executor
from wrenml.testing.emulator import Emulator
from wrenml.testing.executor_contract import ClientsContract, StreamsContract


@pytest.mark.thorough
@pytest.mark.slow
class TestEmulatedAwsExecutor(ClientsContract, StreamsContract):
    @pytest.fixture(scope="class")
    @classmethod
    def executor(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
        with Emulator() as aws, pytest.MonkeyPatch.context() as patch:
            for name, value in aws.environment.items():
                patch.setenv(name, value)
            aws.install(isolated=False, writable=(tmp_path_factory.getbasetemp(),))
            with aws_executor(progress=False) as executor:
                yield executor
                executor.shutdown(cancel_futures=True)

    @pytest.mark.parametrize("killed", [False])
    def test_attach_to_another_client(self, executor: Executor, tmp_path: Path, killed: bool) -> None:  # noqa: FBT001
        """A killed client's calls are lost when their lease is over: that takes a quarter of an hour."""
        super().test_attach_to_another_client(executor, tmp_path, killed)

    @pytest.mark.skip("each call is an invocation: it would take this machine a minute")
    def test_many(self, executor: Executor) -> None: ...
