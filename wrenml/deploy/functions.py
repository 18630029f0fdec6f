"""The functions' code, and the versions that clients pin.

::

    code ──▶ $LATEST ──publish──▶ version 7 ◀── alias v3 ── retries none, waits start_by, failures to their bucket

An alias names one version of each function and never moves, so a job runs on the code it began with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple

from wrenml.aws.deployment import function_name
from wrenml.aws.failures import code_of
from wrenml.deploy.waiting import Patience
from wrenml.errors import WrenmlError

__all__ = ["Code", "Functions"]

_ALIAS: Final = re.compile(r"v([1-9][0-9]*)")
_MISSING: Final = "ResourceNotFoundException"
_KEPT: Final = timedelta(days=30)  # outcomes expire after 14, and a client may have begun the day it was superseded


class Code(NamedTuple):
    """What the functions are to run.

    Parameters
    ----------
    bucket, key : str
        Where it is.
    sha256 : str
        Base64, as Lambda says it.
    arch : str
        What it was built for.
    """

    bucket: str
    key: str
    sha256: str
    arch: str


class Functions:
    """The functions of a stack.

    Parameters
    ----------
    client : object
        Of Lambda.
    stack : str
        The stack's name.
    sizes : sequence of int
        Memory, MB.
    patience : Patience
        How they are waited for.
    say : callable
        Is told what is done.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - boto3 makes its client classes at run time
        stack: str,
        sizes: Sequence[int],
        patience: Patience,
        say: Callable[[str], None],
    ) -> None:
        self._client = client
        self._names = [function_name(stack, size) for size in sizes]
        self._patience = patience
        self._say = say

    def update(self, code: Code) -> None:
        """Give every function its code, where it has another."""
        for name in self._names:
            current = self._ready(name)
            if current["CodeSha256"] == code.sha256 and current.get("Architectures", [code.arch]) == [code.arch]:
                continue
            self._say(f"{name}: new code")
            self._client.update_function_code(
                FunctionName=name, S3Bucket=code.bucket, S3Key=code.key, Architectures=[code.arch]
            )
            found = self._ready(name)["CodeSha256"]
            if found != code.sha256:
                raise WrenmlError(f"{name} has other code than it was given ({found}): run the command again.")

    def publish(self, code: Code, start_by: int, failures: str) -> str:
        """Publish a version of each function under one alias.

        Where nothing has changed, or an earlier run was interrupted, that is the alias there is.

        Parameters
        ----------
        code : Code
            What the versions must hold.
        start_by : int
            Seconds that a request may wait for its start.
        failures : str
            The bucket of failure records.

        Returns
        -------
        str
            The alias.
        """
        versions = {name: self._publish(name, code) for name in self._names}
        aliases = {name: dict(self._aliases(name)) for name in self._names}
        alias = f"v{_number(versions, aliases)}"
        for name, version in versions.items():
            if alias not in aliases[name]:
                self._say(f"{name}: version {version} is {alias}")
                now = datetime.now(UTC).isoformat(timespec="seconds")
                self._client.create_alias(FunctionName=name, Name=alias, FunctionVersion=version, Description=now)
            self._client.put_function_event_invoke_config(
                FunctionName=name,
                Qualifier=alias,
                MaximumRetryAttempts=0,  # retrying is the client's
                MaximumEventAgeInSeconds=start_by,
                DestinationConfig={
                    "OnFailure": {"Destination": f"arn:{_partition(self._ready(name))}:s3:::{failures}"}
                },
            )
        return alias

    def prune(self, current: str) -> None:
        """Remove the aliases, and their versions, that no job can need any more.

        Parameters
        ----------
        current : str
            The alias in use.
        """
        before = datetime.now(UTC) - _KEPT
        for name in self._names:
            known = sorted(self._aliases(name), key=lambda entry: int(entry[0][1:]))
            superseded = [
                alias
                for (alias, _), (later, _) in pairwise(known)
                if alias != current and self._made(name, later) < before
            ]
            kept = {version for alias, version in known if alias not in superseded}
            for alias, version in known:
                if alias in superseded:
                    self._say(f"{name}: {alias} has not been current for 30 days: removed")
                    self._client.delete_alias(FunctionName=name, Name=alias)
                    if version not in kept:
                        self._client.delete_function(FunctionName=name, Qualifier=version)

    def _made(self, name: str, alias: str) -> datetime:
        text = self._client.get_alias(FunctionName=name, Name=alias).get("Description", "")
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return datetime.now(UTC)

    def _publish(self, name: str, code: Code) -> str:
        version = str(self._client.publish_version(FunctionName=name, CodeSha256=code.sha256)["Version"])
        self._ready(name, version)
        return version

    def _aliases(self, name: str) -> Iterator[tuple[str, str]]:
        """Each alias that is ours, and its version."""
        for page in self._client.get_paginator("list_aliases").paginate(FunctionName=name):
            for entry in page["Aliases"]:
                if _ALIAS.fullmatch(entry["Name"]):
                    yield entry["Name"], str(entry["FunctionVersion"])

    def _ready(self, name: str, version: str | None = None) -> dict[str, Any]:
        """The function's configuration, once it can be used or changed."""
        qualifier = {"Qualifier": version} if version else {}

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self._client.get_function_configuration(FunctionName=name, **qualifier)
            if found.get("State", "Active") == "Pending" or found.get("LastUpdateStatus") == "InProgress":
                return None
            return found

        try:
            found = self._patience.until(f"the function {name}", look)
        except self._client.exceptions.ClientError as error:
            if code_of(error) != _MISSING:
                raise
            raise WrenmlError(
                f"the stack is there, but its function {name} is not: somebody deleted it. Run: wrenml destroy, "
                "and wrenml deploy."
            ) from error
        if found.get("State") == "Failed" or found.get("LastUpdateStatus") == "Failed":
            reason = found.get("LastUpdateStatusReason") or found.get("StateReason")
            raise WrenmlError(f"Lambda could not take the code of {name}: {reason}")
        return found


def _number(versions: dict[str, str], aliases: dict[str, dict[str, str]]) -> int:
    """The alias for these versions: the last one, if no function has it for another version, else the next."""
    last = max((int(alias[1:]) for known in aliases.values() for alias in known), default=0)
    fits = all(aliases[name].get(f"v{last}", version) == version for name, version in versions.items())
    return last if last and fits else last + 1


def _partition(configuration: dict[str, Any]) -> str:
    return str(configuration["FunctionArn"]).split(":")[1]
