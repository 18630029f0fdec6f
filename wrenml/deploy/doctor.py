"""Examines a deployed stack as its client sees it: who asks, what is there, whether it is what was deployed.

Only what the client's policy allows is asked for, so what is refused here is what a map would be refused.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from importlib import metadata
from typing import Any

from wrenml.aws.deployment import Deployment, deployment_name, function_name, load_deployment
from wrenml.aws.session import Session
from wrenml.deploy.health import Finding, asked, bad, fine, odd
from wrenml.storage import S3Storage
from wrenml.storage.s3 import Patience
from wrenml.wire import PYTHON

__all__ = ["examine_stack"]

_SKEW_ALLOWED = 60.0  # seconds, of leases
_SKEW_NOTED = 5.0
_FEW = 100  # environments
_NAMED = 8  # packages


def examine_stack(session: Session, stack: str) -> Iterator[Finding]:
    """Look at a stack and at what a map needs of it.

    Parameters
    ----------
    session : Session
        The client's.
    stack : str
        Its name.

    Yields
    ------
    Finding
        Of one check after another; those that need what is missing are left out.
    """
    if not session.region:
        yield bad("region", "no AWS region is known", "set AWS_REGION, or region in wrenml's settings, or --region")
        return
    identity: dict[str, Any] = {}
    yield from asked("credentials", "sts:GetCallerIdentity", "sts", partial(_identity, session, identity))
    if not identity:
        return
    yield fine("region", session.region)
    yield _clock(identity)
    found: list[Deployment] = []
    name = deployment_name(stack)
    yield from asked("stack", "ssm:GetParameters", f"parameter {name}", partial(_record, session, stack, found))
    if not found:
        return
    deployment = found[0]
    if deployment.account != identity["Account"]:
        text = f"the stack belongs to account {deployment.account}, the credentials to {identity['Account']}"
        yield bad("account", text, "sign in to that account, or name a profile: --profile")
    yield from _python(deployment)
    yield from _packages(deployment)
    yield from _buckets(session, deployment)
    yield from _functions(session, deployment)
    yield from asked("quota", "lambda:GetAccountSettings", "the account", partial(_quota, session, deployment))


def _identity(session: Session, identity: dict[str, Any]) -> Iterator[Finding]:
    client = session.client("sts")
    began = time.time()
    identity |= client.get_caller_identity()
    identity["at"] = (began + time.time()) / 2
    yield fine("credentials", str(identity["Arn"]))


def _clock(identity: Mapping[str, Any]) -> Finding:
    said = identity.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    if not said:
        return odd("clock", "AWS's answer does not say what time it is", "compare this machine's clock yourself")
    # The header has whole seconds.
    skew = identity["at"] - parsedate_to_datetime(said).timestamp() - 0.5
    text = f"this machine's clock is {abs(skew):.0f} s {'fast' if skew > 0 else 'slow'}"
    remedy = "set the clock: timedatectl set-ntp true, or your system's settings"
    if abs(skew) > _SKEW_ALLOWED:
        return bad("clock", f"{text}; results may come too late to count, and AWS refuses requests from 5 min", remedy)
    if abs(skew) > _SKEW_NOTED:
        return odd("clock", text, remedy)
    return fine("clock", "as AWS's")


def _record(session: Session, stack: str, found: list[Deployment]) -> Iterator[Finding]:
    deployment, _ = load_deployment(session, stack)
    found.append(deployment)
    sizes = ", ".join(map(str, deployment.memory_mb))
    built = f", built {deployment.built}" if deployment.built else ""
    yield fine("stack", f"{stack}, version {deployment.alias}: {sizes} MB, {deployment.arch}{built}")
    yield fine("root key", "readable")


def _python(deployment: Deployment) -> Iterator[Finding]:
    if deployment.python == PYTHON:
        yield fine("python", f"{PYTHON} here and there")
    else:
        text = f"the stack runs {deployment.python}, this is {PYTHON}: neither can read what the other pickled"
        yield bad("python", text, f"use Python {deployment.python}, or deploy for this one: wrenml deploy")


def _packages(deployment: Deployment) -> Iterator[Finding]:
    if not deployment.packages:
        yield odd("packages", "the stack does not say which versions it holds", "deploy again: wrenml deploy")
        return
    different = []
    for name, there in sorted(deployment.packages.items()):
        here = _version(name)
        if here != there:
            different.append(f"{name} {there} there, {here or 'not installed'} here")
    if not different:
        yield fine("packages", f"{len(deployment.packages)}, the same versions here and there")
        return
    more = f" and {len(different) - _NAMED} more" if len(different) > _NAMED else ""
    text = f"{'; '.join(different[:_NAMED])}{more}. What one version pickled another may not read"
    yield odd("packages", text, "deploy this environment: wrenml deploy; or install those versions here")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


# ---- storage ----


def _buckets(session: Session, deployment: Deployment) -> Iterator[Finding]:
    patience = Patience(attempts=3)
    storage = S3Storage(deployment.storage_url, deployment.account, session=session, patience=patience)
    yield from asked("bucket", "s3:PutObject", storage.url, partial(_canary, storage))
    failures = S3Storage(f"s3://{deployment.failures}", deployment.account, session=session, patience=patience)
    yield from asked("failures", "s3:ListBucket", failures.url, partial(_listed, failures))


def _canary(storage: S3Storage) -> Iterator[Finding]:
    key = f"canary/{time.time_ns():x}"
    began = time.monotonic()
    storage.put(key, b"canary")
    try:
        read = bytes(storage.get(key))
        listed = key in storage.list("canary/")
    finally:
        storage.delete([key])
    took = time.monotonic() - began
    if read != b"canary" or not listed:
        text = f"{storage.url} does not give back what was written"
        yield bad(
            "bucket", text, "nothing should stand between this machine and S3: check proxies and AWS_ENDPOINT_URL"
        )
    else:
        yield fine("bucket", f"{storage.url}: written, listed, read and removed in {1000 * took:.0f} ms")


def _listed(failures: S3Storage) -> Iterator[Finding]:
    next(iter(failures.list("aws/lambda/async/")), None)
    yield fine("failures", f"{failures.url} can be listed")


# ---- functions ----


def _functions(session: Session, deployment: Deployment) -> Iterator[Finding]:
    client = session.client("lambda")
    for size in deployment.memory_mb:
        name = function_name(deployment.stack, size)
        what = f"function {name}:{deployment.alias}"
        where = {"FunctionName": name, "Qualifier": deployment.alias}
        for action, look in (
            ("lambda:GetFunctionConfiguration", _configuration),
            ("lambda:GetFunctionEventInvokeConfig", _events),
            ("lambda:InvokeFunction", _permission),
        ):
            yield from asked(name, action, what, partial(look, client, where, deployment))


def _configuration(client: Any, where: Mapping[str, str], deployment: Deployment) -> Iterator[Finding]:  # noqa: ANN401 - boto3 makes its client classes at run time
    name = where["FunctionName"]
    found = client.get_function_configuration(**where)
    state = found.get("State", "Active")
    if state != "Active":
        text = f"its state is {state}: {found.get('StateReason', 'it is being made or woken')}"
        yield odd(name, text, "wait a minute; then look again: wrenml doctor")
    expected = {
        "Runtime": f"python{deployment.python}",
        "Architectures": [deployment.arch],
        "Timeout": deployment.timeout,
        "MemorySize": int(name.rpartition("-")[2]),
        "CodeSha256": deployment.code_sha256 or found.get("CodeSha256"),
    }
    differs = {key: value for key, value in expected.items() if found.get(key) != value}
    changed = [f"{key} is {found.get(key)}, deployed was {value}" for key, value in differs.items()]
    if changed:
        yield bad(name, f"not what was deployed: {'; '.join(changed)}", "deploy again: wrenml deploy")
    elif state == "Active":
        yield fine(name, f"version {found.get('Version')}, active, as deployed")


def _events(client: Any, where: Mapping[str, str], deployment: Deployment) -> Iterator[Finding]:  # noqa: ANN401 - see _configuration
    name = where["FunctionName"]
    found = client.get_function_event_invoke_config(**where)
    destination = found.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "nowhere")
    wrong = []
    if found.get("MaximumRetryAttempts") != 0:
        wrong.append(f"Lambda runs failed events again ({found.get('MaximumRetryAttempts')} times): work is done twice")
    if found.get("MaximumEventAgeInSeconds") != deployment.start_by:
        age = found.get("MaximumEventAgeInSeconds")
        wrong.append(f"events may wait for {age} s, the stack's record says {deployment.start_by}")
    if destination.rpartition(":")[2] != deployment.failures:
        wrong.append(f"failure records go to {destination}: what died is noticed late")
    if wrong:
        yield odd(name, "; ".join(wrong), "deploy again: wrenml deploy")
    else:
        yield fine(name, f"events wait {deployment.start_by} s at most, run once, failures are recorded")


def _permission(client: Any, where: Mapping[str, str], _: Deployment) -> Iterator[Finding]:  # noqa: ANN401 - see _configuration
    client.invoke(**where, InvocationType="DryRun", Payload=b"{}")
    yield fine(where["FunctionName"], "may be invoked")


def _quota(session: Session, deployment: Deployment) -> Iterator[Finding]:
    limits = session.client("lambda").get_account_settings()["AccountLimit"]
    free = int(limits.get("UnreservedConcurrentExecutions", limits["ConcurrentExecutions"]))
    usable = free if deployment.concurrency is None else deployment.concurrency
    text = f"{usable:,} calls at a time (of the account's {int(limits['ConcurrentExecutions']):,})"
    if deployment.concurrency == 0:
        yield bad("quota", f"{text}: nothing runs", "let calls run again: wrenml deploy --max-concurrency none")
    elif usable < _FEW and deployment.concurrency is None:
        remedy = "ask for more: AWS console, Service Quotas, Lambda, Concurrent executions"
        yield odd("quota", f"{text}: maps are no faster than that", remedy)
    else:
        yield fine("quota", text)
