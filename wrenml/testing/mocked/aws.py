"""An AWS account inside this process: moto's, with functions that really run the worker."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from types import TracebackType
from typing import Self, Unpack

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws

from wrenml.aws.deployment import Deployment
from wrenml.aws.session import Session
from wrenml.cpus import usable_cpus
from wrenml.executor import Executor
from wrenml.executors import aws_executor
from wrenml.options import MapOptions
from wrenml.session import live_sessions
from wrenml.storage import S3Storage, Storage
from wrenml.testing.mocked.environments import Environments
from wrenml.testing.mocked.functions import Failure, MockedLambda
from wrenml.testing.mocked.resources import create_stack, describe_stack
from wrenml.testing.mocked.tap import LAMBDA, Tap, acting_as, make_answer
from wrenml.testing.mocked.variables import aws_variables, changed_variables

__all__ = ["MockedAWS"]

_MOMENT = 0.01  # seconds between looks whether executors have ended
_PATIENCE = 30.0  # seconds
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_LIMITS = {"TotalCodeSize": 80_530_636_800, "CodeSizeUnzipped": 262_144_000, "CodeSizeZipped": 52_428_800}


class MockedAWS:
    """A mocked account with one deployed stack, from ``with`` to its end.

    Meanwhile every AWS client of this process that is made after the beginning speaks to moto, the environment names
    `wrenml`'s backend and stack, and an ``Invoke`` of one of the stack's functions runs the worker in a thread, and
    calls in its child process, as on Lambda. At the end executors of the stack are shut down, their calls cancelled,
    and no thread, process or file is left. There can be one at a time.

    Parameters
    ----------
    stack : str, default "wrenml"
        Its name.
    memory_mb : tuple of int, default (1769,)
        The sizes that functions are deployed in.
    environments : int, optional
        How many execution environments there are at most. Default: one for each usable core.
    timeout : int, default 900
        Limit of an invocation, seconds.
    start_by : int, default 21600
        How long an event may wait for an environment, seconds; it has failed when it waits longer.
    concurrency : int, default 1000
        What the account says that it may run at a time; more than there are environments waits for one.
    region : str, default "us-east-1"
        The region.
    """

    def __init__(
        self,
        *,
        stack: str = "wrenml",
        memory_mb: tuple[int, ...] = (1769,),
        environments: int | None = None,
        timeout: int = 900,
        start_by: int = 21_600,
        concurrency: int = 1000,
        region: str = "us-east-1",
    ) -> None:
        self.deployment: Deployment = describe_stack(stack, region, memory_mb, timeout, start_by)
        self._count = environments or usable_cpus()
        self._concurrency = concurrency
        self._stack = ExitStack()
        self._storages: dict[tuple[str, str], Storage] = {}

    def __enter__(self) -> Self:
        with self._stack as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="wrenml-aws-", ignore_cleanup_errors=True))
            self._environments = Environments(self._count, folder, self._open)
            self._lambda = MockedLambda(self.deployment, self._environments, self._record)
            answers = {"lambda.Invoke": self._lambda.invoke, "lambda.GetAccountSettings": self._settings}
            self._tap = Tap(answers, self._environments.check_open)
            self._tap.open()
            stack.callback(self._tap.close)
            stack.enter_context(mock_aws(config={"core": {"mock_credentials": False}}))
            stack.enter_context(changed_variables(self._variables(folder), without=("AWS_",)))
            stack.callback(self._environments.close)
            self._session = Session(region=self.deployment.region)
            with acting_as(LAMBDA):
                create_stack(self._session, self.deployment)
            stack.callback(self._shut_down)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything; what still runs is abandoned."""
        self._stack.close()

    def _variables(self, folder: str) -> dict[str, str]:
        ours = {
            "WRENML_BACKEND": "aws",
            "WRENML_STACK": self.deployment.stack,
            "WRENML_REGION": self.deployment.region,
            "WRENML_PROFILE": "default",  # the only one there is
            "WRENML_TRANSPORT": "boto3",  # the other one opens connections, which moto does not see
        }
        return aws_variables(folder, self.deployment.region) | ours

    def executor(self, **options: Unpack[MapOptions]) -> Executor:
        """A new executor on the stack; `wrenml.default_executor` is another.

        Parameters
        ----------
        **options
            Defaults of every map; see `wrenml.Options`.
        """
        return aws_executor(self.deployment.stack, region=self.deployment.region, **options)

    @property
    def stack(self) -> str:
        """Its name."""
        return self.deployment.stack

    @property
    def bucket(self) -> str:
        """The bucket that jobs live in."""
        return self.deployment.bucket

    @property
    def failures(self) -> str:
        """The bucket of failure records."""
        return self.deployment.failures

    # What is counted

    @property
    def requests(self) -> Counter[str]:
        """How often each operation was asked for, such as ``s3.PutObject``, by this process and by workers."""
        return self._tap.counts()

    def requests_of(self, caller: str) -> Counter[str]:
        """How often each operation was asked for by ``"client"``, ``"worker"`` or ``"lambda"`` itself."""
        return self._tap.counts(caller)

    def reset_requests(self) -> None:
        """Count requests from zero again."""
        self._tap.reset()

    @property
    def cold_starts(self) -> int:
        """How many environments have started."""
        return self._environments.cold_starts

    # What goes wrong on demand

    def throttle(self, count: int = 1, *, retry_after: float = 1.0) -> None:
        """Answer the next `count` invocations with 429, and `retry_after` seconds to wait."""
        self._lambda.throttle(count, retry_after)

    def fail_next(self, count: int = 1, *, by: Failure = "crash") -> None:
        """Let the environments of the next `count` events end before they run anything; a failure record says so.

        Parameters
        ----------
        count : int, default 1
            Of how many.
        by : {"crash", "timeout", "memory"}
            What Lambda says they ended by.
        """
        self._lambda.plan(by, count)

    def drop_next(self, count: int = 1) -> None:
        """Take the next `count` events and lose them."""
        self._lambda.plan("drop", count)

    def duplicate_next(self, count: int = 1) -> None:
        """Run the next `count` events twice."""
        self._lambda.plan("duplicate", count)

    # Behind the scenes

    def _open(self, url: str, owner: str) -> Storage:
        # Clients may be shared by threads, and take 0.1 s to make.
        return self._storages.setdefault((url, owner), S3Storage(url, owner or None, session=self._session))

    def _record(self, key: str, record: bytes) -> None:
        with acting_as(LAMBDA):
            self._session.client("s3").put_object(Bucket=self.failures, Key=key, Body=record)

    def _settings(self, request: AWSPreparedRequest) -> AWSResponse:
        most = {"ConcurrentExecutions": self._concurrency, "UnreservedConcurrentExecutions": self._concurrency}
        answer = {"AccountLimit": _LIMITS | most, "AccountUsage": {"FunctionCount": len(self.deployment.memory_mb)}}
        return make_answer(request.url, 200, json.dumps(answer).encode())

    def _shut_down(self) -> None:
        ours = [one for one in live_sessions() if one.storage.url.startswith(self.deployment.storage_url)]
        for session in ours:
            session.close(cancel=True)
            session.monitor.close()  # of one that waits for its calls already
        end = time.monotonic() + _PATIENCE
        # What they still send is to find this account, not whichever the environment names afterwards.
        while not set(ours).isdisjoint(live_sessions()) and time.monotonic() < end:
            time.sleep(_MOMENT)
