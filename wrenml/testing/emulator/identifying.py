"""From a request to what it means: its service, operation, caller and resource."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from urllib.parse import parse_qs

from wrenml.testing.emulator.callers import Callers
from wrenml.testing.emulator.lambda_names import find_lambda_operation
from wrenml.testing.emulator.recording import Call
from wrenml.testing.emulator.s3_names import find_target
from wrenml.testing.emulator.web import Request

__all__ = ["identify"]

_CREDENTIAL = re.compile(r"([^/\s]+)/\d{8}/([^/\s]+)/([^/\s]+)/aws4_request")
_RPC = re.compile(r"/service/[^/]+/operation/(\w+)")
_FORM = "application/x-www-form-urlencoded"
# What signatures call a service, where policies and clients call it otherwise.
_NAMES = {"monitoring": "cloudwatch"}


def identify(request: Request, callers: Callers, account: str) -> Call:
    """Say what a request is; what is not signed is taken for one to S3."""
    signed = request.headers.get("authorization", "") or request.query.get("X-Amz-Credential", "")
    match = _CREDENTIAL.search(signed.partition("Credential=")[2] or signed)
    access_key, region, service = match.groups() if match else ("", "us-east-1", "s3")
    call = Call(
        _NAMES.get(service, service),
        "",
        callers.of(access_key),
        request,
        region=region,
        moment=time.time(),
        received=len(request.body),
    )
    if service == "s3":
        call.operation, call.bucket, call.key = find_target(request)
        call.resource = _s3_resource(call)
    elif service == "lambda":
        call.operation, call.resource = find_lambda_operation(request, f"arn:aws:lambda:{region}:{account}")
    else:
        fields = _fields(request)
        call.operation = _operation(request, fields)
        call.resource = _resource(call, fields, account)
    return call


def _s3_resource(call: Call) -> str:
    if not call.bucket:
        return "*"
    inside = call.key and not call.operation.startswith("List")
    if call.operation == "DeleteObjects":
        return f"arn:aws:s3:::{call.bucket}/*"
    return f"arn:aws:s3:::{call.bucket}/{call.key}" if inside else f"arn:aws:s3:::{call.bucket}"


def _fields(request: Request) -> Mapping[str, str]:
    """The parameters of the query protocol, wherever they are."""
    if request.headers.get("content-type", "").startswith(_FORM):
        return {name: values[0] for name, values in parse_qs(request.body.decode(), keep_blank_values=True).items()}
    return request.query


def _operation(request: Request, fields: Mapping[str, str]) -> str:
    target = request.headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    rpc = _RPC.fullmatch(request.path)
    return rpc[1] if rpc else fields.get("Action", "")


def _resource(call: Call, fields: Mapping[str, str], account: str) -> str:
    if call.service == "ssm":
        found = re.search(rb'"(?:Names?|Path)":\s*\[?\s*"([^"]+)"', call.request.body)
        if found:
            return f"arn:aws:ssm:{call.region}:{account}:parameter/{found[1].decode().removeprefix('/')}"
    if call.service == "iam":
        for field, kind in (("RoleName", "role"), ("PolicyName", "policy"), ("UserName", "user")):
            if field in fields:
                return f"arn:aws:iam::{account}:{kind}/{fields[field]}"
        return fields.get("PolicyArn", "*")
    if call.service == "cloudformation" and "StackName" in fields:
        name = fields["StackName"]
        return name if name.startswith("arn:") else f"arn:aws:cloudformation:{call.region}:{account}:stack/{name}/*"
    return "*"
