"""Lambda's control plane: functions, versions and their code, which it publishes to the data plane.

Versions, aliases and settings are exact where wrenml relies on them: a number is never used again, a version
holds the code of its moment, asynchronous settings belong to one version or alias and are replaced as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from typing import Any

from wrenml.testing.emulator.functions import LATEST, Address
from wrenml.testing.emulator.lambda_code import CodeStore, ReadObject, with_code
from wrenml.testing.emulator.lambda_functions import (
    Configuration,
    Function,
    configure,
    invalid,
    missing,
    plane_version,
)
from wrenml.testing.emulator.lambda_layers import Layers
from wrenml.testing.emulator.lambda_names import find_lambda_target
from wrenml.testing.emulator.lambda_settings import SETTINGS
from wrenml.testing.emulator.packages import MOST_UNZIPPED, MOST_ZIPPED, Packages
from wrenml.testing.emulator.plane import DataPlane
from wrenml.testing.emulator.recording import Call
from wrenml.testing.emulator.refusing import RefusedError, json_answer
from wrenml.testing.emulator.web import Answer

__all__ = ["LambdaControl"]


class LambdaControl:
    """All functions of one account.

    Parameters
    ----------
    account : str
        Twelve digits.
    plane : DataPlane
        Where functions run.
    folder : Path
        Where packages are unpacked.
    read_object : callable
        Reads an object from its bucket and key.

    Attributes
    ----------
    changing_seconds : float
        How long a function is ``Pending`` after it was created, or its update ``InProgress``. Default: 0.05.
    """

    def __init__(self, account: str, plane: DataPlane, folder: Path, read_object: ReadObject) -> None:
        self.account = account
        self.plane = plane
        self.changing_seconds = 0.05
        self.functions: dict[str, Function] = {}
        packages = Packages(folder)
        layers = Layers(packages, read_object, account)
        self._store = CodeStore(packages, layers, read_object)
        self._lock = RLock()
        self._operations: Mapping[str, Callable[[Call, Any], Answer]] = {
            "CreateFunction": self._create,
            "ListFunctions": self._list,
            "UpdateFunctionConfiguration": self._update_configuration,
            "UpdateFunctionCode": self._update_code,
            "PublishVersion": self._publish,
            "DeleteFunction": self._delete,
            "GetAccountSettings": self._account_settings,
            "PublishLayerVersion": layers.publish,
            "GetLayerVersion": layers.get,
            "ListLayerVersions": layers.list,
            "DeleteLayerVersion": layers.delete,
        }

    def answer(self, call: Call) -> Answer:
        """Carry out any operation but Invoke.

        Raises
        ------
        RefusedError
            As Lambda would refuse it.
        """
        body = json.loads(call.request.body) if call.request.body else {}
        with self._lock:
            if call.operation in self._operations:
                return self._operations[call.operation](call, body)
            target = find_lambda_target(call.request)
            if call.operation not in SETTINGS:
                raise RefusedError(501, "NotEmulated", f"the emulated Lambda has no {call.operation or call.resource}")
            address = target.address
            if address is None:
                address = Address.parse(target.part)
            function = self.function(address.name)
            qualifier = target.part if "/aliases" in call.request.path else address.qualifier
            return SETTINGS[call.operation](self, function, qualifier, body)

    def function(self, name: str) -> Function:
        """Find a function.

        Raises
        ------
        RefusedError
            404.
        """
        found = self.functions.get(name)
        if found is None:
            raise missing(f"arn:aws:lambda:us-east-1:{self.account}:function:{name}")
        return found

    def adopt(
        self, arn: str, body: Mapping[str, Any], code: Path, *, isolated: bool = True, writable: tuple[Path, ...] = ()
    ) -> Function:
        """Make, or change, a function of a zip file or of a folder that is unpacked already; active at once."""
        with self._lock:
            package = self._store.adopt(code)
            made = with_code(configure(arn, body), package)
            function = self.functions.setdefault(made["FunctionName"], Function(made, package))
            function.latest, function.package = made, package
            function.isolated, function.writable = isolated, writable
            function.change(0)
            function.creating = False
            self._announce(function, made)
            return function

    def publish(self, function: Function) -> str:
        """Publish a version; its number."""
        with self._lock:
            return str(self._made(function, None)["Version"])

    def _announce(self, function: Function, made: Configuration) -> None:
        self.plane.publish(plane_version(function, made, self.account))

    def _create(self, call: Call, body: Mapping[str, Any]) -> Answer:
        name = body["FunctionName"].rpartition(":")[2]
        if name in self.functions:
            raise RefusedError(409, "ResourceConflictException", f"Function already exist: {name}")
        arn = f"arn:aws:lambda:{call.region}:{self.account}:function:{name}"
        package = self._store.package(body.get("Code", {}))
        function = Function(with_code(configure(arn, body), package), package, tags=dict(body.get("Tags", {})))
        self._store.add_layers(function, body)
        function.change(self.changing_seconds)
        self.functions[name] = function
        self._announce(function, function.latest)
        return json_answer(function.shown(function.latest, first=True), 201)

    def _address(self, call: Call) -> tuple[Function, str]:
        address = find_lambda_target(call.request).address
        if address is None:
            raise invalid("the request names no function")
        return self.function(address.name), address.qualifier

    def _list(self, _call: Call, _body: object) -> Answer:
        return json_answer({"Functions": [one.shown(one.latest) for one in self.functions.values()]})

    def _begin_change(self, call: Call, body: Mapping[str, Any]) -> Function:
        function, _ = self._address(call)
        function.check_ready()
        revision = body.get("RevisionId")
        if revision and revision != function.latest["RevisionId"]:
            raise RefusedError(412, "PreconditionFailedException", "The RevisionId provided does not match the latest")
        function.creating = False
        return function

    def _update_configuration(self, call: Call, body: Mapping[str, Any]) -> Answer:
        function = self._begin_change(call, body)
        function.latest = configure(function.arn, body, function.latest)
        self._store.add_layers(function, body)
        return self._changed(function)

    def _update_code(self, call: Call, body: Mapping[str, Any]) -> Answer:
        function = self._begin_change(call, body)
        package = self._store.package(body)
        if body.get("DryRun"):
            return json_answer(function.shown(function.latest))
        function.package = package
        function.latest = with_code(configure(function.arn, body, function.latest), package)
        answer = self._changed(function)
        if body.get("Publish"):
            return json_answer(function.shown(self._made(function, None)))
        return answer

    def _changed(self, function: Function) -> Answer:
        function.change(self.changing_seconds)
        self._announce(function, function.latest)
        return json_answer(function.shown(function.latest, first=True))

    def _publish(self, call: Call, body: Mapping[str, Any]) -> Answer:
        function = self._begin_change(call, body)
        expected = body.get("CodeSha256")
        if expected and expected != function.latest["CodeSha256"]:
            raise invalid(f"CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST")
        return json_answer(function.shown(self._made(function, body.get("Description"))), 201)

    def _made(self, function: Function, description: str | None) -> Configuration:
        before = len(function.versions)
        made = function.publish(description)
        if len(function.versions) > before:
            self._announce(function, made)
        return made

    def _delete(self, call: Call, _body: object) -> Answer:
        function, qualifier = self._address(call)
        name = function.latest["FunctionName"]
        if qualifier == LATEST:
            del self.functions[name]
            self.plane.remove(name)
            return Answer(204)
        users = [alias for alias, made in function.aliases.items() if made["FunctionVersion"] == qualifier]
        if users:
            raise RefusedError(
                409,
                "ResourceConflictException",
                f"Unable to delete version because the following aliases reference it: {users}",
            )
        if function.versions.pop(qualifier, None) is not None:
            function.events.pop(qualifier, None)
            self.plane.remove(name, qualifier)
        return Answer(204)

    def _account_settings(self, _call: Call, _body: object) -> Answer:
        concurrent = self.plane.settings.account_concurrency
        size = sum(function.package.zipped for function in self.functions.values())
        limit = {
            "TotalCodeSize": 80_530_636_800,
            "CodeSizeUnzipped": MOST_UNZIPPED,
            "CodeSizeZipped": MOST_ZIPPED,
            "ConcurrentExecutions": concurrent,
            "UnreservedConcurrentExecutions": concurrent - self.reserved(),
        }
        usage = {"TotalCodeSize": size, "FunctionCount": len(self.functions)}
        return json_answer({"AccountLimit": limit, "AccountUsage": usage})

    def reserved(self, besides: Function | None = None) -> int:
        """How much of the account's concurrency is reserved, not counting that of one function."""
        return sum(one.reserved or 0 for one in self.functions.values() if one is not besides)
