"""What Lambda's functions are and how they are set: aliases, concurrency, asynchronous invocations, tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from wrenml.testing.emulator.lambda_functions import Function, event_invoke, invalid
from wrenml.testing.emulator.plane import DataPlane
from wrenml.testing.emulator.refusing import RefusedError, json_answer, new_id
from wrenml.testing.emulator.web import Answer

__all__ = ["SETTINGS", "Account"]

Body = Mapping[str, Any]
_KEPT_UNRESERVED = 100
_RETRIES = range(3)
_AGES = range(60, 21_601)


class Account(Protocol):
    """What all functions share."""

    plane: DataPlane

    def reserved(self, besides: Function | None = None) -> int:
        """How much concurrency is reserved."""


def _get_function(_account: Account, function: Function, qualifier: str, _body: Body) -> Answer:
    answer: dict[str, Any] = {
        "Configuration": function.shown(function.find(qualifier)),
        "Code": {"RepositoryType": "S3", "Location": function.package.folder.as_uri()},
        "Tags": function.tags,
    }
    if function.reserved is not None:
        answer["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
    return json_answer(answer)


def _get_configuration(_account: Account, function: Function, qualifier: str, _body: Body) -> Answer:
    return json_answer(function.shown(function.find(qualifier)))


def _list_versions(_account: Account, function: Function, _qualifier: str, _body: Body) -> Answer:
    return json_answer({"Versions": [function.shown(one) for one in (function.latest, *function.versions.values())]})


def _create_alias(account: Account, function: Function, _alias: str, body: Body) -> Answer:
    name = body["Name"]
    if name in function.aliases:
        raise RefusedError(409, "ResourceConflictException", f"Alias already exists: {function.arn}:{name}")
    return _set_alias(account, function, name, body, status=201)


def _update_alias(account: Account, function: Function, alias: str, body: Body) -> Answer:
    return _set_alias(account, function, alias, {**_alias(function, alias), **body})


def _set_alias(account: Account, function: Function, name: str, body: Body, status: int = 200) -> Answer:
    version = body["FunctionVersion"]
    function.find(version)
    made = {
        "AliasArn": f"{function.arn}:{name}",
        "Name": name,
        "FunctionVersion": version,
        "Description": body.get("Description", ""),
        "RevisionId": new_id(),
    }
    function.aliases[name] = made
    account.plane.alias(function.latest["FunctionName"], name, version)
    return json_answer(made, status)


def _alias(function: Function, alias: str) -> dict[str, Any]:
    found = function.aliases.get(alias)
    if found is None:
        raise RefusedError(404, "ResourceNotFoundException", f"Cannot find alias arn: {function.arn}:{alias}")
    return found


def _get_alias(_account: Account, function: Function, alias: str, _body: Body) -> Answer:
    return json_answer(_alias(function, alias))


def _list_aliases(_account: Account, function: Function, _qualifier: str, _body: Body) -> Answer:
    return json_answer({"Aliases": list(function.aliases.values())})


def _delete_alias(account: Account, function: Function, alias: str, _body: Body) -> Answer:
    if function.aliases.pop(alias, None) is not None:
        function.events.pop(alias, None)
        account.plane.remove(function.latest["FunctionName"], alias)
    return Answer(204)


def _put_concurrency(account: Account, function: Function, _qualifier: str, body: Body) -> Answer:
    wanted = body["ReservedConcurrentExecutions"]
    if account.plane.settings.account_concurrency - account.reserved(function) - wanted < _KEPT_UNRESERVED:
        raise invalid(
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{_KEPT_UNRESERVED}]."
        )
    function.reserved = wanted
    account.plane.reserve(function.latest["FunctionName"], wanted)
    return json_answer({"ReservedConcurrentExecutions": wanted})


def _get_concurrency(_account: Account, function: Function, _qualifier: str, _body: Body) -> Answer:
    return json_answer({} if function.reserved is None else {"ReservedConcurrentExecutions": function.reserved})


def _delete_concurrency(account: Account, function: Function, _qualifier: str, _body: Body) -> Answer:
    function.reserved = None
    account.plane.reserve(function.latest["FunctionName"], None)
    return Answer(204)


def _update_events(account: Account, function: Function, qualifier: str, body: Body) -> Answer:
    return _put_events(account, function, qualifier, {**_events(function, qualifier), **body})


def _put_events(account: Account, function: Function, qualifier: str, body: Body) -> Answer:
    function.find(qualifier)
    if body.get("MaximumRetryAttempts", 2) not in _RETRIES:
        raise invalid("MaximumRetryAttempts must be between 0 and 2")
    if body.get("MaximumEventAgeInSeconds", 60) not in _AGES:
        raise invalid("MaximumEventAgeInSeconds must be between 60 and 21600")
    names = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
    made = {"FunctionArn": f"{function.arn}:{qualifier}", **{name: body[name] for name in names if name in body}}
    function.events[qualifier] = made
    account.plane.configure_events(function.latest["FunctionName"], qualifier, event_invoke(made))
    return json_answer(made)


def _events(function: Function, qualifier: str) -> dict[str, Any]:
    found = function.events.get(qualifier)
    if found is None:
        raise RefusedError(
            404,
            "ResourceNotFoundException",
            f"The function {function.arn}:{qualifier} doesn't have an EventInvokeConfig",
        )
    return found


def _get_events(_account: Account, function: Function, qualifier: str, _body: Body) -> Answer:
    return json_answer(_events(function, qualifier))


def _list_events(_account: Account, function: Function, _qualifier: str, _body: Body) -> Answer:
    return json_answer({"FunctionEventInvokeConfigs": list(function.events.values())})


def _delete_events(account: Account, function: Function, qualifier: str, _body: Body) -> Answer:
    _events(function, qualifier)
    del function.events[qualifier]
    account.plane.configure_events(function.latest["FunctionName"], qualifier, None)
    return Answer(204)


def _get_policy(_account: Account, function: Function, _qualifier: str, _body: Body) -> Answer:
    raise RefusedError(404, "ResourceNotFoundException", f"The resource you requested does not exist: {function.arn}")


def _list_tags(_account: Account, function: Function, _qualifier: str, _body: Body) -> Answer:
    return json_answer({"Tags": function.tags})


def _tag(_account: Account, function: Function, _qualifier: str, body: Body) -> Answer:
    function.tags.update(body["Tags"])
    return Answer(204)


SETTINGS: Mapping[str, Callable[[Account, Function, str, Body], Answer]] = {
    "GetFunction": _get_function,
    "GetFunctionConfiguration": _get_configuration,
    "ListVersionsByFunction": _list_versions,
    "CreateAlias": _create_alias,
    "UpdateAlias": _update_alias,
    "GetAlias": _get_alias,
    "ListAliases": _list_aliases,
    "DeleteAlias": _delete_alias,
    "PutFunctionConcurrency": _put_concurrency,
    "GetFunctionConcurrency": _get_concurrency,
    "DeleteFunctionConcurrency": _delete_concurrency,
    "PutFunctionEventInvokeConfig": _put_events,
    "UpdateFunctionEventInvokeConfig": _update_events,
    "GetFunctionEventInvokeConfig": _get_events,
    "ListFunctionEventInvokeConfigs": _list_events,
    "DeleteFunctionEventInvokeConfig": _delete_events,
    "GetPolicy": _get_policy,
    "ListTags": _list_tags,
    "TagResource": _tag,
}
"""What each operation does with an account, a function, the alias or qualifier, and the request's body."""
