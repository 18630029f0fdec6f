"""Which operation of Lambda a request is, and on what."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from wrenml.testing.emulator.functions import Address
from wrenml.testing.emulator.web import Request

__all__ = ["LambdaTarget", "find_lambda_operation", "find_lambda_target"]

_ROUTES = [
    ("POST", r"functions/?", "CreateFunction"),
    ("GET", r"functions/?", "ListFunctions"),
    ("GET", r"functions/(?P<name>[^/]+)", "GetFunction"),
    ("DELETE", r"functions/(?P<name>[^/]+)", "DeleteFunction"),
    ("GET", r"functions/(?P<name>[^/]+)/configuration", "GetFunctionConfiguration"),
    ("PUT", r"functions/(?P<name>[^/]+)/configuration", "UpdateFunctionConfiguration"),
    ("PUT", r"functions/(?P<name>[^/]+)/code", "UpdateFunctionCode"),
    ("POST", r"functions/(?P<name>[^/]+)/invocations", "Invoke"),
    ("POST", r"functions/(?P<name>[^/]+)/versions", "PublishVersion"),
    ("GET", r"functions/(?P<name>[^/]+)/versions", "ListVersionsByFunction"),
    ("POST", r"functions/(?P<name>[^/]+)/aliases", "CreateAlias"),
    ("GET", r"functions/(?P<name>[^/]+)/aliases", "ListAliases"),
    ("GET", r"functions/(?P<name>[^/]+)/aliases/(?P<part>[^/]+)", "GetAlias"),
    ("PUT", r"functions/(?P<name>[^/]+)/aliases/(?P<part>[^/]+)", "UpdateAlias"),
    ("DELETE", r"functions/(?P<name>[^/]+)/aliases/(?P<part>[^/]+)", "DeleteAlias"),
    ("PUT", r"functions/(?P<name>[^/]+)/concurrency", "PutFunctionConcurrency"),
    ("GET", r"functions/(?P<name>[^/]+)/concurrency", "GetFunctionConcurrency"),
    ("DELETE", r"functions/(?P<name>[^/]+)/concurrency", "DeleteFunctionConcurrency"),
    ("PUT", r"functions/(?P<name>[^/]+)/event-invoke-config", "PutFunctionEventInvokeConfig"),
    ("POST", r"functions/(?P<name>[^/]+)/event-invoke-config", "UpdateFunctionEventInvokeConfig"),
    ("GET", r"functions/(?P<name>[^/]+)/event-invoke-config", "GetFunctionEventInvokeConfig"),
    ("DELETE", r"functions/(?P<name>[^/]+)/event-invoke-config", "DeleteFunctionEventInvokeConfig"),
    ("GET", r"functions/(?P<name>[^/]+)/event-invoke-config/list", "ListFunctionEventInvokeConfigs"),
    ("GET", r"functions/(?P<name>[^/]+)/policy", "GetPolicy"),
    ("GET", r"account-settings/?", "GetAccountSettings"),
    ("GET", r"tags/(?P<arn>.+)", "ListTags"),
    ("POST", r"tags/(?P<arn>.+)", "TagResource"),
    ("DELETE", r"tags/(?P<arn>.+)", "UntagResource"),
    ("POST", r"layers/(?P<layer>[^/]+)/versions", "PublishLayerVersion"),
    ("GET", r"layers/(?P<layer>[^/]+)/versions", "ListLayerVersions"),
    ("GET", r"layers/(?P<layer>[^/]+)/versions/(?P<part>\d+)", "GetLayerVersion"),
    ("DELETE", r"layers/(?P<layer>[^/]+)/versions/(?P<part>\d+)", "DeleteLayerVersion"),
]
_COMPILED = [(method, re.compile(r"/\d{4}-\d\d-\d\d/" + path), name) for method, path, name in _ROUTES]


class LambdaTarget(NamedTuple):
    """An operation, the function and qualifier it is on, and the last part of its path where it has one."""

    operation: str
    address: Address | None
    part: str


def find_lambda_target(request: Request) -> LambdaTarget:
    """Read a request of Lambda; the operation is empty where the emulator knows none."""
    path = unquote(request.path)
    for method, pattern, name in _COMPILED:
        match = pattern.fullmatch(path) if method == request.method else None
        if match:
            found = match.groupdict()
            function = found.get("name")
            address = Address.parse(function, request.query.get("Qualifier")) if function else None
            return LambdaTarget(name, address, found.get("part") or found.get("arn") or found.get("layer") or "")
    return LambdaTarget("", None, "")


def find_lambda_operation(request: Request, arn: str) -> tuple[str, str]:
    """Name the operation and the ARN of what it is on, which begins as `arn`."""
    operation, address, part = find_lambda_target(request)
    if address is None:
        return operation, part or "*"
    qualified = request.query.get("Qualifier") or ":" in unquote(request.path).rpartition("function:")[2]
    name = f"{address.name}:{address.qualifier}" if qualified else address.name
    return operation, f"{arn}:function:{name}"
