"""What the parts of a stack are called."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from wrenml import checks

__all__ = ["Buckets", "bucket_names", "check_stack"]

# A bucket's name has at most 63 characters, of which account, region and what it holds take 36.
_STACK: Final = re.compile(r"[a-z][a-z0-9-]{0,25}[a-z0-9]")


class Buckets(NamedTuple):
    """The two buckets of a stack.

    Parameters
    ----------
    jobs : str
        Holds everything of the key table.
    failures : str
        Holds Lambda's failure records.
    """

    jobs: str
    failures: str


def bucket_names(stack: str, account: str, region: str) -> Buckets:
    """Name a stack's buckets, in the namespace where only this account can make buckets."""
    return Buckets(*(f"{stack}-{kind}-{account}-{region}-an" for kind in ("jobs", "fail")))


def check_stack(stack: str) -> str:
    """Check a name that is to become part of bucket names.

    Raises
    ------
    ConfigError
        It cannot.
    """
    if not _STACK.fullmatch(stack):
        raise checks.wrong("stack", stack, "2 to 27 lower-case letters, digits and '-', a letter first, no '-' last")
    return stack
