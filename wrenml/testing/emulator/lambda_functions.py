"""What Lambda's control plane keeps of a function, in the words of its API."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wrenml.testing.emulator.functions import LATEST, EventInvoke, FunctionVersion
from wrenml.testing.emulator.packages import Package
from wrenml.testing.emulator.refusing import RefusedError, new_id

__all__ = ["Configuration", "Function", "configure", "event_invoke", "invalid", "missing", "plane_version"]

Configuration = dict[str, Any]
"""``FunctionConfiguration`` of the API."""

_DEFAULTS: Configuration = {
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "PackageType": "Zip",
    "Architectures": ["x86_64"],
    "EphemeralStorage": {"Size": 512},
    "TracingConfig": {"Mode": "PassThrough"},
    "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
}
_TAKEN = (
    "Description",
    "Timeout",
    "MemorySize",
    "Handler",
    "Role",
    "Runtime",
    "EphemeralStorage",
    "TracingConfig",
)
_RANGES = {"Timeout": (1, 900), "MemorySize": (128, 10_240)}
_MOST_VARIABLES = 4096
# What differs between versions whose code and settings are the same.
_OWN = {"FunctionArn", "Version", "LastModified", "RevisionId"}


@dataclass(slots=True)
class Function:
    """One function.

    Parameters
    ----------
    latest : Configuration
        Of ``$LATEST``.
    package : Package
        Of ``$LATEST``.
    layers : tuple of Path
        Unpacked, of ``$LATEST``.
    versions : dict of str to Configuration
        The published ones.
    aliases, events : dict of str to dict
        As the API shows them, by alias, and by version or alias.
    tags : dict of str to str
        Its tags.
    reserved : int, optional
        Concurrency.
    next_version : int
        The number that is published next.
    ready : float
        When the change that goes on is done, monotonic seconds.
    creating : bool
        Whether that change is its creation.
    isolated : bool
        Whether it sees only its package.
    writable : tuple of Path
        Folders of this machine that it may write to.
    """

    latest: Configuration
    package: Package
    layers: tuple[Path, ...] = ()
    versions: dict[str, Configuration] = field(default_factory=dict)
    aliases: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    reserved: int | None = None
    next_version: int = 1
    ready: float = 0.0
    creating: bool = True
    isolated: bool = True
    writable: tuple[Path, ...] = ()

    @property
    def arn(self) -> str:
        """Its ARN, without a qualifier."""
        return str(self.latest["FunctionArn"])

    def change(self, seconds: float) -> None:
        """Note that it is being changed, for so many seconds."""
        self.latest["LastModified"] = _now()
        self.latest["RevisionId"] = new_id()
        self.ready = time.monotonic() + seconds

    def check_ready(self) -> None:
        """Refuse another change while one goes on.

        Raises
        ------
        RefusedError
            409.
        """
        if time.monotonic() < self.ready:
            raise RefusedError(
                409,
                "ResourceConflictException",
                f"The operation cannot be performed at this time. An update is in progress for resource: {self.arn}",
            )

    def publish(self, description: str | None) -> Configuration:
        """Publish ``$LATEST``, or find the last version if it is the same."""
        last = self.versions.get(str(self.next_version - 1))
        if last is not None and _same(last, self.latest):
            return last
        number = str(self.next_version)
        # A number is never used again, even if its version is deleted.
        self.next_version += 1
        made = {**self.latest, "Version": number, "FunctionArn": f"{self.arn}:{number}", "RevisionId": new_id()}
        if description is not None:
            made["Description"] = description
        self.versions[number] = made
        return made

    def find(self, qualifier: str) -> Configuration:
        """The configuration of a version or alias.

        Raises
        ------
        RefusedError
            404.
        """
        if qualifier == LATEST:
            return self.latest
        alias = self.aliases.get(qualifier)
        found = self.versions.get(alias["FunctionVersion"] if alias else qualifier)
        if found is None:
            raise missing(f"{self.arn}:{qualifier}")
        return found if alias is None else {**found, "FunctionArn": f"{self.arn}:{qualifier}"}

    def shown(self, configuration: Configuration, *, first: bool = False) -> Configuration:
        """A configuration and its state at this moment; `first` is the answer to what made it."""
        state: Configuration = {"State": "Active", "LastUpdateStatus": "Successful"}
        if first or time.monotonic() < self.ready:
            state["LastUpdateStatus"] = "InProgress"
            if self.creating:
                reason = {"StateReason": "The function is being created.", "StateReasonCode": "Creating"}
                state |= {"State": "Pending", **reason}
        return {**configuration, **state}


def configure(arn: str, body: Mapping[str, Any], before: Configuration | None = None) -> Configuration:
    """Make or change a configuration as a request says.

    Raises
    ------
    RefusedError
        400 if a value is none that Lambda takes.
    """
    made = dict(before or {**_DEFAULTS, "FunctionArn": arn, "FunctionName": arn.rpartition(":")[2], "Version": LATEST})
    for name in _TAKEN:
        if name in body:
            made[name] = body[name]
    for name, (least, most) in _RANGES.items():
        if not least <= made[name] <= most:
            raise invalid(f"Value {made[name]} at '{name}' must be between {least} and {most}")
    if "Environment" in body:
        variables = body["Environment"].get("Variables", {})
        if sum(len(key) + len(value) for key, value in variables.items()) > _MOST_VARIABLES:
            raise invalid("Lambda was unable to configure your environment variables: over 4KB")
        made["Environment"] = {"Variables": variables}
    if body.get("Architectures"):
        made["Architectures"] = body["Architectures"]
    log = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{made['FunctionName']}"}
    made["LoggingConfig"] = {**log, **made.get("LoggingConfig", {}), **body.get("LoggingConfig", {})}
    for name in ("Handler", "Role", "Runtime"):
        if not made.get(name):
            raise invalid(f"Value null at '{name}' failed to satisfy constraint: Member must not be null")
    return made


def plane_version(function: Function, made: Configuration, account: str) -> FunctionVersion:
    """A version, as the data plane takes it."""
    return FunctionVersion(
        name=made["FunctionName"],
        package=function.package.folder,
        version=made["Version"],
        layers=function.layers,
        handler=made["Handler"],
        memory_mb=made["MemorySize"],
        timeout=made["Timeout"],
        environment=made.get("Environment", {}).get("Variables", {}),
        python=made["Runtime"].removeprefix("python"),
        arch=made["Architectures"][0],
        ephemeral_mb=made["EphemeralStorage"]["Size"],
        role=made["Role"],
        region=function.arn.split(":")[3],
        account=account,
        log_format=made["LoggingConfig"]["LogFormat"],
        log_group=made["LoggingConfig"]["LogGroup"],
        isolated=function.isolated,
        writable=function.writable,
    )


def event_invoke(settings: Mapping[str, Any]) -> EventInvoke:
    """Settings of asynchronous invocations, as the data plane takes them."""
    return EventInvoke(
        settings.get("MaximumRetryAttempts", 2),
        settings.get("MaximumEventAgeInSeconds", 21_600),
        settings.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"),
    )


def invalid(message: str) -> RefusedError:
    """What Lambda says of a parameter that it does not take."""
    return RefusedError(400, "InvalidParameterValueException", message)


def missing(arn: str) -> RefusedError:
    """What Lambda says of a function, version or alias that is not there."""
    return RefusedError(404, "ResourceNotFoundException", f"Function not found: {arn}")


def _same(one: Configuration, other: Configuration) -> bool:
    return all(one.get(name) == other.get(name) for name in (one.keys() | other.keys()) - _OWN)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
