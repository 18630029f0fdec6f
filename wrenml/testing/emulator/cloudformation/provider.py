"""What makes, changes and removes resources, and what all kinds of them share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import ClientError

__all__ = ["Kind", "Made", "Properties", "Surroundings", "gone", "or_undo"]

Properties = Mapping[str, Any]
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Made:
    """A resource that is there: what ``Ref`` and ``Fn::GetAtt`` give."""

    physical: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where resources are made.

    Parameters
    ----------
    client : callable
        Gives the boto3 client of a service.
    stack, account, region : str
        Names.
    tags : mapping of str to str
        Of the stack, which its resources have, too.
    """

    client: Callable[[str], Any]
    stack: str
    account: str
    region: str
    tags: Mapping[str, str]

    def name(self, logical: str) -> str:
        """Make up a name for a resource that has none."""
        suffix = os.urandom(6).hex()
        return f"{self.stack}-{logical}"[: _LONGEST_NAME - 13] + f"-{suffix}"

    def tag_list(self, own: object = None) -> list[dict[str, str]]:
        """The stack's tags and those of a resource, as most services take them."""
        mine = {tag["Key"]: tag["Value"] for tag in own} if isinstance(own, list) else {}
        return [{"Key": key, "Value": value} for key, value in {**self.tags, **mine}.items()]


class Kind(Protocol):
    """One type of resource."""

    known: frozenset[str]
    """Properties that are heeded."""
    fixed: frozenset[str]
    """Properties of which another value makes another resource."""

    def create(self, around: Surroundings, logical: str, new: Properties) -> Made:
        """Make it."""

    def update(self, around: Surroundings, made: Made, old: Properties, new: Properties) -> Made:
        """Change it."""

    def delete(self, around: Surroundings, made: Made, old: Properties) -> None:
        """Remove it; what is gone already is no error."""


def gone(act: Callable[..., object], **request: object) -> None:
    """Remove something, unless it is gone already."""
    try:
        act(**request)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:  # noqa: PLR2004 - HTTP
            raise


@contextmanager
def or_undo(undo: Callable[[], object]) -> Iterator[None]:
    """Undo what was begun if the rest of it fails."""
    try:
        yield
    except BaseException:
        undo()
        raise
