"""Puts executors together that run calls on AWS Lambda."""

from __future__ import annotations

from wrenml.assembly import Remake, Reopen, observed
from wrenml.aws.deployment import function_name, load_deployment
from wrenml.aws.session import Session as AwsSession
from wrenml.costs import Requests
from wrenml.errors import VersionMismatchError
from wrenml.executor import Executor
from wrenml.invoke.aws.invoker import AwsInvoker, Target, usable_concurrency
from wrenml.options import Options
from wrenml.rootkey import RootKey
from wrenml.session import Session
from wrenml.storage import S3Storage
from wrenml.wire import PYTHON

__all__ = ["on_aws"]


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
    deployment, key = load_deployment(session, stack)
    if deployment.python != PYTHON:
        raise VersionMismatchError(
            f"the stack {stack!r} runs Python {deployment.python}, this is {PYTHON}, and neither can read what the "
            f"other pickled. Deploy for this one (wrenml deploy --stack {stack}), or run Python {deployment.python}."
        )
    requests = Requests()
    storage = S3Storage(deployment.storage_url, deployment.account, session=session, count=requests.count)
    failures = S3Storage(f"s3://{deployment.failures}", deployment.account, session=session, count=requests.count)
    target = Target(
        {size: function_name(stack, size) for size in deployment.memory_mb},
        deployment.alias,
        deployment.timeout,
        deployment.start_by,
        deployment.account,
    )
    client = session.client("lambda")
    workers = deployment.concurrency or usable_concurrency(client)
    invoker = AwsInvoker(target, client, storage, failures, workers)
    root = RootKey(key, persistent=True, why="")
    machinery = Session("aws", storage, root, invoker, workers, threaded=True, reopen=reopen)
    machinery.spending.charge(deployment.place, requests)
    return observed(Executor(machinery, options, remake))
