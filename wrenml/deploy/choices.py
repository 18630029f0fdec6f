"""What one may choose about a stack, checked."""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from wrenml import checks
from wrenml.deploy.runtimes import ARCHITECTURES, RUNTIMES
from wrenml.errors import ConfigError

__all__ = ["Choices", "local_choices"]

_LEAST_MB: Final = 512
_MOST_MB: Final = 10_240
_MOST_SIZES: Final = 10
_BUCKET_URL: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([^\s*?$]*))?")
_POLICY: Final = re.compile(r"arn:aws[\w-]*:iam::(?:\d{12}|aws):policy/[\w+=,.@/-]+")
_TOPIC: Final = re.compile(r"arn:aws[\w-]*:sns:[a-z0-9-]+:\d{12}:[\w.-]+")


@dataclass(frozen=True, slots=True)
class Choices:
    """What a stack is rendered from.

    Parameters
    ----------
    python : str
        The functions' Python, such as ``3.13``.
    arch : str
        ``x86_64`` or ``arm64``.
    memory_mb : tuple of int
        A function for each size, 512 to 10,240 MB.
    read, write : tuple of str
        ``s3://bucket[/prefix]`` that calls may read, or write.
    policies : tuple of str
        ARNs of managed policies that calls have too.
    max_concurrency : int, optional
        Environments reserved for each function, which is also the most it uses. Default: none reserved.
    alarms : str
        ARN of an SNS topic that is told of dropped requests. Default: no alarms.

    Raises
    ------
    ConfigError
        A value cannot be meant.
    """

    python: str
    arch: str
    memory_mb: tuple[int, ...] = (1769,)
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    max_concurrency: int | None = None
    alarms: str = ""

    def __post_init__(self) -> None:
        if self.python not in RUNTIMES:
            raise checks.wrong("python", self.python, f"one that Lambda runs: {', '.join(RUNTIMES)}")
        if self.arch not in ARCHITECTURES:
            raise checks.wrong("arch", self.arch, " or ".join(ARCHITECTURES))
        sizes = checks.memory("memory", self.memory_mb)
        if not _LEAST_MB <= sizes[0] <= sizes[-1] <= _MOST_MB or len(sizes) > _MOST_SIZES:
            allowed = f"{_LEAST_MB} to {_MOST_MB:,} MB, in rising order, {_MOST_SIZES} sizes at most"
            raise checks.wrong("memory", self.memory_mb, allowed)
        for name in ("read", "write"):
            _check_all(name, getattr(self, name), _BUCKET_URL, "s3://bucket or s3://bucket/prefix")
        _check_all("policy", self.policies, _POLICY, "the ARN of a managed policy, arn:aws:iam::…:policy/…")
        _check_all("alarms", [self.alarms] if self.alarms else [], _TOPIC, "the ARN of an SNS topic")
        if self.max_concurrency is not None and self.max_concurrency < 0:
            raise checks.wrong("max-concurrency", self.max_concurrency, "0 or more, or none")

    def changed(self, given: Mapping[str, object]) -> Choices:
        """These choices with some made anew.

        Parameters
        ----------
        given : mapping of str to object
            New values by field.

        Raises
        ------
        ConfigError
            A value cannot be meant.
        """
        return replace(self, **given)  # type: ignore[arg-type]

    def to_json(self) -> str:
        """The choices in one line."""
        # CloudFormation takes no nulls.
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Choices:
        """Read what `to_json` wrote; what a newer wrenml added is passed over.

        Raises
        ------
        ConfigError
            It is something else.
        """
        try:
            record: dict[str, Any] = json.loads(text)
            known = {one.name: record[one.name] for one in fields(cls) if one.name in record}
            known = {name: tuple(value) if isinstance(value, list) else value for name, value in known.items()}
            return cls(**known)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"the stack was not rendered by this wrenml ({error}); name another: --stack") from error


def _check_all(name: str, values: object, pattern: re.Pattern[str], allowed: str) -> None:
    for value in values if isinstance(values, list | tuple) else ():
        if not pattern.fullmatch(value):
            raise checks.wrong(name, value, allowed)


def local_choices() -> Choices:
    """What matches this process: its Python and its machine.

    Raises
    ------
    ConfigError
        Lambda has no such Python.
    """
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    if python not in RUNTIMES:
        raise ConfigError(
            f"Lambda has no Python {python}, and calls must run on the Python that made them: use one of "
            f"{', '.join(RUNTIMES)} here."
        )
    return Choices(python=python, arch="arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64")
