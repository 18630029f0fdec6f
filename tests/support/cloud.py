"""Executors on the mocked AWS whose leases are short, so that losses are noticed while a test waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wrenml import Executor, Future
from wrenml.aws.deployment import Deployment, function_name, load_deployment
from wrenml.aws.session import Session as AwsSession
from wrenml.invoke.aws.invoker import AwsInvoker
from wrenml.invoke.aws.target import Target
from wrenml.options import MapOptions, resolve_options
from wrenml.rootkey import RootKey
from wrenml.session import Session
from wrenml.storage import S3Storage, Storage
from wrenml.testing.mocked import MockedAWS

__all__ = ["cloud_executor"]

Wrap = Callable[[S3Storage], Storage]


@contextmanager
def cloud_executor(
    aws: MockedAWS, *, start_by: float = 20.0, timeout: float = 20.0, skew: float = 20.0, wrap: Wrap | None = None,
    infra_retries: int = 3,
) -> Iterator[Executor]:  # fmt: skip
    """An executor on the mocked stack.

    Parameters
    ----------
    aws : MockedAWS
        The account.
    start_by, timeout, skew : float
        Seconds; together the lease of an invocation.
    wrap : callable, optional
        Put around the client's storage.
    infra_retries : int
        The option.
    """
    session = AwsSession(region=aws.deployment.region)
    deployment, key = load_deployment(session, aws.stack)
    inner = S3Storage(deployment.storage_url, deployment.account, session=session)
    storage = inner if wrap is None else wrap(inner)
    failures = S3Storage(f"s3://{deployment.failures}", deployment.account, session=session)
    target = _target(deployment, start_by, timeout, skew)
    invoker = AwsInvoker(target, session.client("lambda"), storage, failures, 100)
    root = RootKey(key, persistent=True, why="")
    machinery = Session("aws", storage, root, invoker, 100, threaded=True, reopen=_not_here)
    machinery.patience = lambda _: start_by + timeout + skew
    options: MapOptions = {"infra_retries": infra_retries, "progress": False}
    executor = Executor(machinery, resolve_options(dict(options)), (_no_copy, ()))
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _target(deployment: Deployment, start_by: float, timeout: float, skew: float) -> Target:
    functions = {size: function_name(deployment.stack, size) for size in deployment.memory_mb}
    return Target(functions, deployment.alias, timeout, start_by, deployment.account, skew)


def _no_copy() -> Executor:
    raise NotImplementedError


def _not_here(url: str, job: str, call: int) -> Future[object]:
    raise NotImplementedError(f"{url} {job} {call}")
