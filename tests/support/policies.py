"""Whether AWS would let a request pass: the identity's policies and the resource's, evaluated as IAM does.

Evaluated are Allow and Deny, Action, Resource, Principal ``*``, and the condition operators that the templates
use; anything else is an error, so that no statement counts for less than it says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from wrenml.testing.emulator.recording import Call

Document = Mapping[str, Any]
Context = Mapping[str, str]


@dataclass(frozen=True)
class Asked:
    """One request: such as ``s3:GetObject`` on an ARN, with the condition keys it carries."""

    action: str
    resource: str
    context: Context


def asked(call: Call) -> Asked:
    """A recorded request as policies see it; the endpoint's lack of TLS apart."""
    context = {
        "aws:SecureTransport": "true",
        "s3:TlsVersion": "1.3",
        "aws:PrincipalAccount": "123456789012",
        "aws:PrincipalIsAWSService": "false",
    }
    if call.caller.name == "worker":
        context["lambda:SourceFunctionArn"] = "arn:aws:lambda:us-east-1:123456789012:function:wrenml-1769"
    if call.action == "s3:PutObject":
        creates = call.operation in {"PutObject", "CompleteMultipartUpload"}
        context["s3:ObjectCreationOperation"] = str(creates).lower()
    if "if-none-match" in call.headers:
        context["s3:if-none-match"] = call.headers["if-none-match"]
    return Asked(call.action, call.resource, context)


def is_allowed(asked: Asked, identity: Iterable[Document], resource: Iterable[Document] = ()) -> bool:
    """Say whether a principal with the policies `identity` may do it, on a resource with the policies `resource`."""
    identity, resource = list(identity), list(resource)
    effects = {one["Effect"] for one in applying(asked, [*identity, *resource])}
    # Resource policies of wrenml's stacks grant nothing, and within one account either side would do.
    return "Deny" not in effects and "Allow" in effects


def applying(asked: Asked, documents: Iterable[Document]) -> list[Mapping[str, Any]]:
    """The statements that apply to a request."""
    statements = [statement for document in documents for statement in document["Statement"]]
    return [statement for statement in statements if _applies(asked, statement)]


def _applies(asked: Asked, statement: Mapping[str, Any]) -> bool:
    unknown = set(statement) - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    assert not unknown, unknown
    assert statement.get("Principal", "*") == "*", statement
    return (
        any(_like(pattern.lower(), asked.action.lower()) for pattern in _listed(statement["Action"]))
        and any(_like(pattern, asked.resource) for pattern in _listed(statement["Resource"]))
        and all(
            _holds(operator, key, _listed(values), asked.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _listed(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in text), re.DOTALL)


def _like(pattern: str, text: str) -> bool:
    return _pattern(pattern).fullmatch(text) is not None


def _arn_like(pattern: str, arn: str) -> bool:
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    return len(patterns) == len(parts) and all(_like(*pair) for pair in zip(patterns, parts, strict=True))


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, found: wanted == found,
    "StringNotEquals": lambda wanted, found: wanted != found,
    "StringLike": _like,
    "ArnLike": _arn_like,
    "Bool": lambda wanted, found: wanted.lower() == found.lower(),
    "NumericLessThan": lambda wanted, found: float(found) < float(wanted),
}
_NEGATED = {"StringNotEquals"}


def _holds(operator: str, key: str, wanted: list[str], context: Context) -> bool:
    found = {name.lower(): value for name, value in context.items()}.get(key.lower())
    if operator == "Null":
        return (found is None) is (wanted[0].lower() == "true")
    base = operator.removesuffix("IfExists")
    test = _OPERATORS[base]
    if found is None:
        # A key that is not there differs from every value; an operator that ends so passes it over.
        return base in _NEGATED or operator != base
    results = [test(one, found) for one in wanted]
    return all(results) if base in _NEGATED else any(results)
