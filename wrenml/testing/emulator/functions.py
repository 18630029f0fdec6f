"""What the emulated Lambda knows of a function: its versions, their settings, and who answers to which name."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

__all__ = ["LATEST", "Address", "EventInvoke", "FunctionVersion", "Functions"]

LATEST = "$LATEST"
_ARCH = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")


class Address(NamedTuple):
    """A function's name, and the version or alias that is meant."""

    name: str
    qualifier: str

    @classmethod
    def parse(cls, function: str, qualifier: str | None = None) -> Address:
        """Read what the Invoke operation takes: a name, an ARN or a part of one, with or without a qualifier.

        Parameters
        ----------
        function : str
            Such as ``f``, ``f:v3``, ``123456789012:function:f`` or a whole ARN.
        qualifier : str, optional
            Wins over the one in `function`. Default: that one, or ``$LATEST``.
        """
        name, _, own = function.rpartition("function:")[2].partition(":")
        return cls(name, qualifier or own or LATEST)


@dataclass(frozen=True, slots=True)
class EventInvoke:
    """How asynchronous invocations of one version or alias go: its ``EventInvokeConfig``.

    Parameters
    ----------
    maximum_retry_attempts : int
        Further attempts after a function error, 0 to 2. Default: 2.
    maximum_event_age : float
        Seconds that an event may wait. Default: six hours.
    on_failure : str, optional
        ARN of the bucket of failure records. Default: none are kept.
    """

    maximum_retry_attempts: int = 2
    maximum_event_age: float = 21_600
    on_failure: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class FunctionVersion:
    """One version of a function, as the control plane made it; equal only to itself.

    Parameters
    ----------
    name : str
        Of the function.
    package : Path
        The folder of the unpacked package: ``/var/task``.
    version : str
        A number, or ``$LATEST`` (default).
    layers : tuple of Path
        Folders of the unpacked layers, merged under ``/opt`` in this order. Default: none.
    handler : str
        Module and function. Default: ``handler.handle``.
    memory_mb : int
        Limit of the resident memory, MB. Default: 128.
    timeout : float
        Of one invocation, seconds. Default: 3.
    environment : mapping of str to str
        The function's own variables. Default: none.
    python : str
        Which Python it runs under, such as ``3.13``. Default: this one's.
    arch : str
        ``x86_64`` or ``arm64``. Default: this machine's.
    ephemeral_mb : int
        Size of ``/tmp``, MB; kept where namespaces may be made. Default: 512.
    role : str
        ARN of the role that its environments have.
    region, account : str
        Where it is. Default: ``us-east-1``, ``123456789012``.
    log_format : str
        ``Text`` (default) or ``JSON``.
    log_group : str, optional
        Default: ``/aws/lambda/<name>``.
    isolated : bool
        Whether it sees, besides its package and layers, only what Lambda brings: the standard library, boto3 and the
        runtime's client. Otherwise it also sees whatever the emulator's own Python has installed. Default: yes.
    writable : tuple of Path
        Folders of this machine that stay reachable and writable under their own names, like a mounted file system.
        Default: none.
    state : str
        ``Active`` (default), ``Pending``, ``Inactive`` or ``Failed``.
    """

    name: str
    package: Path
    version: str = LATEST
    layers: tuple[Path, ...] = ()
    handler: str = "handler.handle"
    memory_mb: int = 128
    timeout: float = 3
    environment: Mapping[str, str] = field(default_factory=dict)
    python: str = f"{sys.version_info.major}.{sys.version_info.minor}"
    arch: str = _ARCH
    ephemeral_mb: int = 512
    role: str = "arn:aws:iam::123456789012:role/worker"
    region: str = "us-east-1"
    account: str = "123456789012"
    log_format: Literal["Text", "JSON"] = "Text"
    log_group: str | None = None
    isolated: bool = True
    writable: tuple[Path, ...] = ()
    state: Literal["Active", "Pending", "Inactive", "Failed"] = "Active"

    @property
    def arn(self) -> str:
        """The function's ARN, without a qualifier."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"


class Functions:
    """All functions: versions, aliases, reserved concurrency and event-invoke settings. Belongs to one thread."""

    def __init__(self) -> None:
        self.reserved: dict[str, int] = {}
        self._versions: dict[Address, FunctionVersion] = {}
        self._aliases: dict[Address, str] = {}
        self._events: dict[Address, EventInvoke] = {}

    def publish(self, version: FunctionVersion) -> FunctionVersion | None:
        """Add a version; return the one in whose place it is, if there was one."""
        address = Address(version.name, version.version)
        replaced = self._versions.get(address)
        self._versions[address] = version
        return replaced

    def remove(self, name: str, qualifier: str | None) -> list[FunctionVersion]:
        """Take back a version or an alias, or without a qualifier all that belongs to the function; return versions."""

        def meant(address: Address) -> bool:
            return address.name == name and qualifier in {None, address.qualifier}

        removed = [version for address, version in self._versions.items() if meant(address)]
        self._versions = {address: version for address, version in self._versions.items() if not meant(address)}
        self._aliases = {address: version for address, version in self._aliases.items() if not meant(address)}
        self._events = {address: settings for address, settings in self._events.items() if not meant(address)}
        if qualifier is None:
            self.reserved.pop(name, None)
        return removed

    def alias(self, name: str, alias: str, version: str) -> None:
        """Let an alias name a version from now on."""
        self._aliases[Address(name, alias)] = version

    def reserve(self, name: str, concurrency: int | None) -> None:
        """Set the share of a function; None is none of its own."""
        self.reserved.pop(name, None)
        if concurrency is not None:
            self.reserved[name] = concurrency

    def configure_events(self, address: Address, settings: EventInvoke | None) -> None:
        """Set how asynchronous invocations of a version or alias go; None is Lambda's defaults."""
        self._events.pop(address, None)
        if settings is not None:
            self._events[address] = settings

    def resolve(self, address: Address) -> FunctionVersion | None:
        """Return the version that is meant, or None if there is none."""
        version = self._aliases.get(address, address.qualifier)
        return self._versions.get(Address(address.name, version))

    def events(self, address: Address) -> EventInvoke:
        """Return how asynchronous invocations of a version or alias go."""
        return self._events.get(address, EventInvoke())
