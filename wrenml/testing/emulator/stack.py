"""A stack that is there at once, without `wrenml deploy`: what tests of the rest start from."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from wrenml.aws.deployment import Deployment, deployment_name, function_name, root_key_name
from wrenml.errors import ConfigError
from wrenml.testing.emulator.lambda_control import LambdaControl
from wrenml.testing.emulator.lambda_functions import Function, event_invoke

__all__ = ["Stack", "default_package", "install"]

_NEEDED = ("wrenml", "cloudpickle")
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What an installed stack is made of.

    Parameters
    ----------
    name : str, default "wrenml"
        The stack's.
    memory_mb : tuple of int, default (1769,)
        One function for each.
    package : Path, optional
        A zip file, or a folder that is its content. Default: the handler, and links to the wrenml and
        cloudpickle of this Python.
    modules : tuple of str
        What the default package holds beside; pure Python only.
    isolated : bool, default True
        Whether functions see only their package; otherwise all that this Python has installed, too.
    timeout : int, default 900
        Of an invocation, seconds.
    start_by : float, default 120
        Seconds that an event may wait.
    concurrency : int, optional
        Reserved for each function. Default: nothing.
    environment : mapping of str to str
        Variables of the functions. Default: none.
    writable : tuple of Path
        Folders of this machine that functions may write to. Default: none.
    """

    name: str = "wrenml"
    memory_mb: tuple[int, ...] = (1769,)
    package: Path | None = None
    modules: tuple[str, ...] = ()
    isolated: bool = True
    timeout: int = 900
    start_by: float = 120
    concurrency: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    writable: tuple[Path, ...] = ()


def install(stack: Stack, control: LambdaControl, ask: Callable[..., object], folder: Path, region: str) -> Deployment:
    """Put a stack there.

    Parameters
    ----------
    stack : Stack
        What it is made of.
    control : LambdaControl
        Where its functions go.
    ask : callable
        Carries out an operation: of a service, by its name, with a body or a path.
    folder : Path
        Where the default package is made.
    region : str
        Where the stack is.

    Returns
    -------
    Deployment
        As its parameter holds it.
    """
    buckets = [f"{stack.name}-{kind}-{control.account}-{region}-an" for kind in ("jobs", "fail")]
    for bucket in buckets:
        ask("s3", "CreateBucket", path=f"/{bucket}")
    package = stack.package or default_package(folder / f"package-{os.urandom(4).hex()}", stack.modules)
    failures = f"arn:aws:s3:::{buckets[1]}"
    functions = [_function(stack, size, control, package, failures, region) for size in stack.memory_mb]
    deployment = _describe(stack, functions[0], buckets)
    # A key that is there stays, as for `wrenml deploy`: what jobs left can still be read.
    try:
        _put(ask, root_key_name(stack.name), b64encode(os.urandom(32)).decode(), "SecureString", overwrite=False)
    except RuntimeError as error:
        if "ParameterAlreadyExists" not in str(error):
            raise
    _put(ask, deployment_name(stack.name), deployment.to_json(), "String")
    return deployment


def _describe(stack: Stack, function: Function, buckets: Sequence[str]) -> Deployment:
    region, account = function.arn.split(":")[3:5]
    return Deployment(
        stack=stack.name,
        account=account,
        region=region,
        bucket=buckets[0],
        failures=buckets[1],
        alias=f"v{function.next_version - 1}",
        python=_PYTHON,
        arch=function.latest["Architectures"][0],
        memory_mb=tuple(sorted(stack.memory_mb)),
        timeout=stack.timeout,
        start_by=int(stack.start_by),
        concurrency=stack.concurrency,
        packages=_versions((*_NEEDED, *stack.modules) if stack.isolated else None),
        code_sha256=function.latest["CodeSha256"],
        built=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _put(ask: Callable[..., object], name: str, value: str, kind: str, *, overwrite: bool = True) -> None:
    body: dict[str, Any] = {"Name": name, "Value": value, "Type": kind, "Overwrite": overwrite}
    ask("ssm", "AmazonSSM.PutParameter", json.dumps(body))


def _function(
    stack: Stack, memory_mb: int, control: LambdaControl, package: Path, failures: str, region: str
) -> Function:
    name = function_name(stack.name, memory_mb)
    body = {
        "Runtime": f"python{_PYTHON}",
        "Handler": "handler.handle",
        "Role": f"arn:aws:iam::{control.account}:role/{stack.name}-worker",
        "MemorySize": memory_mb,
        "Timeout": stack.timeout,
        "Environment": {"Variables": dict(stack.environment)},
        "Architectures": ["arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"],
    }
    arn = f"arn:aws:lambda:{region}:{control.account}:function:{name}"
    function = control.adopt(arn, body, package, isolated=stack.isolated, writable=stack.writable)
    version = control.publish(function)
    alias = f"v{version}"
    function.aliases[alias] = {"AliasArn": f"{arn}:{alias}", "Name": alias, "FunctionVersion": version}
    control.plane.alias(name, alias, version)
    events = {
        "FunctionArn": f"{arn}:{alias}",
        "MaximumRetryAttempts": 0,
        "MaximumEventAgeInSeconds": stack.start_by,
        "DestinationConfig": {"OnFailure": {"Destination": failures}},
    }
    function.events[alias] = events
    control.plane.configure_events(name, alias, event_invoke(events))
    if stack.concurrency is not None:
        function.reserved = stack.concurrency
        control.plane.reserve(name, stack.concurrency)
    return function


def _versions(modules: Iterable[str] | None) -> dict[str, str]:
    """Versions of the distributions that modules come from; of all that are installed for None."""
    if modules is None:
        return {one.name.lower().replace("_", "-"): one.version for one in metadata.distributions()}
    homes = metadata.packages_distributions()
    names = {name for module in modules for name in homes.get(module, ())}
    return {name.lower().replace("_", "-"): metadata.version(name) for name in sorted(names)}


def default_package(folder: Path, modules: Iterable[str] = ()) -> Path:
    """Make a package of links to what this Python has installed, so that there is nothing to build or copy.

    Parameters
    ----------
    folder : Path
        Is made.
    modules : iterable of str
        What calls import beside wrenml.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ConfigError
        If a module is not there.
    """
    folder.mkdir(parents=True)
    shutil.copy(_handler(), folder / "handler.py")
    for name in (*_NEEDED, *modules):
        place = _place(name)
        (folder / place.name).symlink_to(place)
    return folder


def _place(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ConfigError(f"there is no module {name!r} to put into the package; install it in {sys.prefix}")
    path = Path(spec.origin)
    return path.parent if path.name == "__init__.py" else path


def _handler() -> Path:
    package = _place("wrenml")
    bundled = package / "_bundled" / "handler" / "handler.py"
    return bundled if bundled.exists() else package.parent / "handler" / "handler.py"
