"""Puts executors together that run calls on AWS Lambda."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial

from wrenml.assembly import Remake, Reopen, observed
from wrenml.aws.deployment import Deployment, function_name, load_deployment
from wrenml.aws.session import Session as AwsSession
from wrenml.costs import Requests, prices_of
from wrenml.errors import VersionMismatchError
from wrenml.executor import Executor
from wrenml.invoke.aws.invoker import AwsInvoker
from wrenml.invoke.aws.sending import usable_concurrency
from wrenml.invoke.aws.target import SKEW, Target
from wrenml.options import Options
from wrenml.retry import backoff
from wrenml.rootkey import RootKey
from wrenml.session import Session
from wrenml.storage import S3Storage
from wrenml.storage.s3_errors import aws_errors, is_transient, translate
from wrenml.wire import PYTHON

__all__ = ["on_aws", "open_stack"]

_TRIES = 4


def on_aws(stack: str, session: AwsSession, options: Options, remake: Remake, reopen: Reopen) -> Executor:
    """Make an executor that runs calls on AWS Lambda.

    Parameters
    ----------
    stack : str
        A deployed stack.
    session : wrenml.aws.session.Session
        Of its account and region.
    options, remake, reopen
        As for `inline`.

    Raises
    ------
    ConfigError
        If there is no such stack.
    VersionMismatchError
        If it was deployed for another Python.
    """
    requests = Requests()
    deployment, storage, root = open_stack(stack, session, requests.count)
    failures = S3Storage(f"s3://{deployment.failures}", deployment.account, session=session, count=requests.count)
    target = Target(
        {size: function_name(stack, size) for size in deployment.memory_mb},
        deployment.alias,
        deployment.timeout,
        deployment.start_by,
        deployment.account,
        time=session.clock.time,
        prices=prices_of(deployment.region, deployment.arch),
    )
    client = session.client("lambda")
    workers = deployment.concurrency or usable_concurrency(client)
    invoker = AwsInvoker(target, client, storage, failures, workers)
    made = Session("aws", storage, root, invoker, workers, threaded=True, reopen=reopen)
    made.keep_blob = storage.keep
    made.patience = partial(_patience, deployment)
    made.spending.charge(deployment.place, requests)
    return observed(Executor(made, options, remake))


def open_stack(
    stack: str, session: AwsSession, count: Callable[[str, str], None] | None = None
) -> tuple[Deployment, S3Storage, RootKey]:
    """Read what a stack is; open the storage of its jobs.

    Parameters
    ----------
    stack : str
        A deployed stack.
    session : wrenml.aws.session.Session
        Of its account and region.
    count : callable, optional
        Told the operation of each request to the storage.

    Raises
    ------
    ConfigError
        If there is no such stack.
    VersionMismatchError
        If it was deployed for another Python.
    AccessDeniedError, StorageUnavailableError
        If its records cannot be read.
    """
    deployment, key = _load(session, stack)
    if deployment.python != PYTHON:
        raise VersionMismatchError(
            f"the stack {stack!r} runs Python {deployment.python}, this is {PYTHON}, and neither can read what the "
            f"other pickled. Deploy for this one (wrenml deploy --stack {stack}), or run Python {deployment.python}."
        )
    storage = S3Storage(deployment.storage_url, deployment.account, session=session, count=count)
    return deployment, storage, RootKey(key, persistent=True, why="")


def _load(session: AwsSession, stack: str) -> tuple[Deployment, bytes]:
    failures = 0
    while True:
        try:
            return load_deployment(session, stack)
        except aws_errors() as error:
            failures += 1
            if failures == _TRIES or not is_transient(error):
                what = f"the records of stack {stack!r} (/wrenml/{stack}/…)"
                raise translate(error, "ssm:GetParameters", what) from error
            time.sleep(backoff(failures, base=0.2, cap=2.0, random=random.random()))


def _patience(deployment: Deployment, options: Options) -> float:
    seconds = float(deployment.timeout)
    if options.timeout is not None:
        seconds = min(seconds, options.timeout * (options.chunksize or 1))
    return deployment.start_by + seconds + SKEW
