"""What an examination finds: one line for each check, and what to do about it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wrenml.aws.failures import aws_errors, code_of, is_passing, status_of
from wrenml.deploy.account import STALE
from wrenml.errors import WrenmlError

__all__ = ["Finding", "Verdict", "asked", "bad", "fine", "odd"]

_FORBIDDEN = 403


class Verdict(enum.StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Parameters
    ----------
    check : str
        What was looked at.
    verdict : Verdict
        How it is.
    text : str
        What was seen, and what that means.
    remedy : str
        What to do or type; empty where nothing needs to be done.
    """

    check: str
    verdict: Verdict
    text: str
    remedy: str = ""


def fine(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, Verdict.OK, text)


def odd(check: str, text: str, remedy: str) -> Finding:
    """It works, but not as it should."""
    return Finding(check, Verdict.WARNING, text, remedy)


def bad(check: str, text: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(check, Verdict.FAILED, text, remedy)


def asked(check: str, action: str, resource: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a look finds; a refusal is a finding too.

    Parameters
    ----------
    check : str
        What is looked at.
    action : str
        The permission that it takes.
    resource : str
        Of what.
    look : callable
        May raise whatever AWS's clients raise.
    """
    try:
        yield from look()
    except WrenmlError as error:
        text, _, remedy = str(error).partition(". ")
        yield bad(check, text, remedy)
    except aws_errors() as error:
        yield _refusal(check, action, resource, error)


def _refusal(check: str, action: str, resource: str, error: Exception) -> Finding:
    code = code_of(error)
    if code in STALE:
        return bad(
            check, f"AWS does not accept the credentials ({code})", "sign in again: aws sso login, aws configure"
        )
    if is_passing(error):
        return bad(check, f"{action} got no answer: {error}", "check the network, proxy settings and AWS_CA_BUNDLE")
    if "AccessDenied" in code or status_of(error) == _FORBIDDEN:
        return bad(
            check,
            f"{action} on {resource} was refused ({code})",
            f"allow {action} to this identity: the stack's client policy does; or sign in as another",
        )
    if code.startswith("ResourceNotFound"):
        return bad(check, f"there is no {resource}", "deploy again: wrenml deploy")
    if "Credential" in type(error).__name__:
        return bad(
            check, f"there are no AWS credentials: {error}", "sign in: aws configure, aws sso login; or --profile"
        )
    return bad(check, f"{action} on {resource} failed: {error}", "see the message")
