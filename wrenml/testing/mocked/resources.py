"""What `wrenml deploy` leaves in an account, made directly: buckets, a role, functions, parameters."""

from __future__ import annotations

import io
import json
import os
import platform
import zipfile
from base64 import b64encode
from typing import Any

from wrenml.aws.deployment import Deployment, deployment_name, function_name, root_key_name
from wrenml.aws.session import Session

__all__ = ["create_stack", "describe_stack"]

_ACCOUNT = "123456789012"  # moto's
_LEAST_AGE = 60  # seconds that Lambda takes as an event's greatest age; tests may have less patience
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def describe_stack(stack: str, region: str, memory_mb: tuple[int, ...], timeout: int, start_by: int) -> Deployment:
    """Describe the stack that there is going to be, its buckets named as nobody else's."""
    suffix = f"{os.urandom(4).hex()}-{_ACCOUNT}-{region}-an"
    return Deployment(
        stack=stack,
        account=_ACCOUNT,
        region=region,
        bucket=f"{stack.lower()}-{suffix}",
        failures=f"{stack.lower()}-failures-{suffix}",
        alias="v1",
        python=".".join(platform.python_version_tuple()[:2]),
        arch="arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64",
        memory_mb=tuple(sorted(memory_mb)),
        timeout=timeout,
        start_by=start_by,
    )


def create_stack(session: Session, deployment: Deployment) -> None:
    """Make a stack's resources, its record last.

    Parameters
    ----------
    session : Session
        Of the account.
    deployment : Deployment
        What the resources are to be.
    """
    s3 = session.client("s3")
    where = {"LocationConstraint": deployment.region}
    for bucket in (deployment.bucket, deployment.failures):
        s3.create_bucket(
            Bucket=bucket, **({} if deployment.region == "us-east-1" else {"CreateBucketConfiguration": where})
        )
    _create_functions(session, deployment)
    ssm = session.client("ssm")
    root = b64encode(os.urandom(32)).decode()
    ssm.put_parameter(Name=root_key_name(deployment.stack), Value=root, Type="SecureString", Overwrite=True)
    record = deployment.to_json()
    ssm.put_parameter(Name=deployment_name(deployment.stack), Value=record, Type="String", Overwrite=True)


def _create_functions(session: Session, deployment: Deployment) -> None:
    role = f"{deployment.bucket[:50]}-worker"
    arn = session.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(_TRUST))["Role"]["Arn"]
    client: Any = session.client("lambda")
    for size in deployment.memory_mb:
        name = function_name(deployment.stack, size)
        client.create_function(
            FunctionName=name,
            Runtime=f"python{deployment.python}",
            Role=arn,
            Handler="handler.handle",
            Code={"ZipFile": _package()},
            MemorySize=size,
            Timeout=deployment.timeout,
            Architectures=[deployment.arch],
            Publish=True,
        )
        client.create_alias(FunctionName=name, Name=deployment.alias, FunctionVersion="1")
        client.put_function_event_invoke_config(
            FunctionName=name,
            Qualifier=deployment.alias,
            MaximumRetryAttempts=0,
            MaximumEventAgeInSeconds=max(_LEAST_AGE, deployment.start_by),
            DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{deployment.failures}"}},
        )


def _package() -> bytes:
    """A package that nobody unpacks: calls run with this interpreter's own packages."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as package:
        package.writestr("handler.py", "from wrenml.worker.remote import Remote\n")
    return data.getvalue()
