"""What a deployed stack is: the record that `wrenml deploy` leaves in the account, and clients start from."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from wrenml.aws.session import Session
from wrenml.costs import Place
from wrenml.errors import ConfigError

__all__ = ["Deployment", "deployment_name", "function_name", "load_deployment", "root_key_name"]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployed version of a stack.

    Parameters
    ----------
    stack : str
        Its name.
    account, region : str
        Where it is.
    bucket : str
        Holds everything of the key table.
    failures : str
        The bucket of Lambda's failure records.
    alias : str
        The alias that names this version of all its functions for ever, such as ``v3``.
    python : str
        The functions' Python, such as ``3.13``.
    arch : str
        ``x86_64`` or ``arm64``.
    memory_mb : tuple of int
        The sizes there are, smallest first; the function of each is ``<stack>-<memory>``.
    timeout : int
        Limit of an invocation, seconds.
    start_by : int
        How long an invocation may wait for its start, seconds: Lambda's maximum age of events.
    concurrency : int, optional
        What is reserved for each function. Default: nothing.
    packages : mapping of str to str
        Versions of the distributions in the package, by their normalised names.
    code_sha256 : str
        Of the package, as Lambda says it (base64).
    built : str
        When, ISO 8601.
    """

    stack: str
    account: str
    region: str
    bucket: str
    failures: str
    alias: str
    python: str
    arch: str
    memory_mb: tuple[int, ...]
    timeout: int = 900
    start_by: int = 120
    concurrency: int | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    code_sha256: str = ""
    built: str = ""

    @property
    def storage_url(self) -> str:
        """Of the storage that jobs live in."""
        return f"s3://{self.bucket}"

    @property
    def place(self) -> Place:
        """Where calls run, as far as it decides what they cost."""
        return Place(self.region, self.arch, self.memory_mb[0], self.timeout, self.memory_mb)

    def to_json(self) -> str:
        """The record as it is stored."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Deployment:
        """Read a stored record; what a newer wrenml added is passed over.

        Raises
        ------
        ConfigError
            If it is no such record, or of a newer format.
        """
        try:
            record: dict[str, Any] = json.loads(text)
            newer = record["format"] != _FORMAT
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(error) from error
        if newer:
            raise ConfigError("the stack was deployed by a newer wrenml; upgrade this one, or deploy again")
        try:
            known = {one.name: record[one.name] for one in fields(cls) if one.name in record}
            known["memory_mb"] = tuple(known["memory_mb"])
            return cls(**known)
        except (KeyError, TypeError) as error:
            raise _damaged(error) from error


def _damaged(error: Exception) -> ConfigError:
    return ConfigError(f"the stack's record is damaged ({error!r}); run: wrenml deploy")


def function_name(stack: str, memory_mb: int) -> str:
    """Name the function of a stack that has so much memory."""
    return f"{stack}-{memory_mb}"


def deployment_name(stack: str) -> str:
    """Name the parameter that holds the stack's `Deployment`."""
    return f"/wrenml/{stack}/deployment"


def root_key_name(stack: str) -> str:
    """Name the secret parameter that holds the stack's root key, base64."""
    return f"/wrenml/{stack}/root"


def load_deployment(session: Session, stack: str) -> tuple[Deployment, bytes]:
    """Read a stack's record and its root key, in one request.

    Parameters
    ----------
    session : Session
        Of the account and region.
    stack : str
        The stack's name.

    Returns
    -------
    deployment : Deployment
        The current version.
    key : bytes
        The root key, 32 bytes.

    Raises
    ------
    ConfigError
        If there is no such stack, or its records are damaged.
    """
    names = [deployment_name(stack), root_key_name(stack)]
    answer = session.client("ssm").get_parameters(Names=names, WithDecryption=True)
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    session.clock.observe(str(headers.get("date", "")))
    found = {entry["Name"]: entry["Value"] for entry in answer["Parameters"]}
    missing = [name for name in names if name not in found]
    if missing:
        raise ConfigError(
            f"there is no stack {stack!r} in {session.region}: the parameter {missing[0]} is missing. "
            f"Run: wrenml deploy --stack {stack}"
        )
    try:
        key = b64decode(found[names[1]])
    except ValueError:
        key = b""
    if len(key) != 32:  # noqa: PLR2004 - bytes of a root key
        raise ConfigError(f"the parameter {names[1]} holds no root key of 32 bytes; run: wrenml deploy")
    return Deployment.from_json(found[names[0]]), key
