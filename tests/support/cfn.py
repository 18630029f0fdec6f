"""A CloudFormation template as it comes out for one stack: parameters, conditions and functions put in."""

# ruff: noqa: ANN401  # templates are nested values of any type
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cfnlint.decode import decode_str

_ATTRIBUTES = {
    "AWS::S3::Bucket": "arn:aws:s3:::{BucketName}",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{region}:{account}:log-group:{LogGroupName}:*",
}
_NOTHING = object()


class Stack:
    """The resources of a template, resolved."""

    def __init__(
        self,
        template: str,
        name: str = "wrenml",
        account: str = "123456789012",
        region: str = "eu-west-1",
        **parameters: str,
    ) -> None:
        decoded, errors = decode_str(template)
        assert not errors, errors
        self._template: Mapping[str, Any] = decoded
        self._values: dict[str, Any] = {}
        for key, one in self._template["Parameters"].items():
            value = parameters.get(key, str(one["Default"]))
            is_list = one["Type"] == "CommaDelimitedList"
            self._values[key] = [part for part in value.split(",") if part] if is_list else value
        self._pseudo = {"AccountId": account, "Region": region, "StackName": name, "Partition": "aws"}
        self.resources: dict[str, dict[str, Any]] = {
            key: {"Type": one["Type"], "Properties": self._resolve(one["Properties"])}
            for key, one in self._template["Resources"].items()
            if "Condition" not in one or self._condition(one["Condition"])
        }

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties by logical name."""
        return {key: one["Properties"] for key, one in self.resources.items() if one["Type"] == kind}

    def worker(self) -> list[dict[str, Any]]:
        """The policies of the worker role."""
        inline = [one["PolicyDocument"] for one in self.resources["Worker"]["Properties"]["Policies"]]
        return inline + [one["PolicyDocument"] for one in self.of_type("AWS::IAM::Policy").values()]

    def client(self) -> list[dict[str, Any]]:
        """The policies of a client."""
        return [self.resources["Client"]["Properties"]["PolicyDocument"]]

    def buckets(self) -> list[dict[str, Any]]:
        """The policies of both buckets."""
        return [one["PolicyDocument"] for one in self.of_type("AWS::S3::BucketPolicy").values()]

    def _condition(self, name: str) -> bool:
        return bool(self._resolve(self._template["Conditions"][name]))

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [one for one in map(self._resolve, value) if one is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name.removeprefix("Fn::"), argument)
        resolved = {key: self._resolve(one) for key, one in value.items()}
        return {key: one for key, one in resolved.items() if one is not _NOTHING}

    def _call(self, name: str, argument: Any) -> Any:  # noqa: PLR0911 - one for each function
        match name:
            case "Ref":
                return self._ref(argument)
            case "GetAtt":
                return self._attribute(".".join(argument) if isinstance(argument, list) else argument)
            case "Sub":
                return re.sub(r"\$\{([^}]+)\}", lambda found: str(self._named(found[1])), argument)
            case "If":
                condition, yes, no = argument
                return self._resolve(yes if self._condition(condition) else no)
            case "Not":
                return not self._resolve(argument[0])
            case "Equals":
                return self._resolve(argument[0]) == self._resolve(argument[1])
            case "Join":
                return argument[0].join(self._resolve(argument[1]))
        raise AssertionError(f"Fn::{name} is not known here")

    def _named(self, name: str) -> Any:
        return self._attribute(name) if "." in name else self._ref(name)

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        if name.startswith("AWS::"):
            return self._pseudo[name.removeprefix("AWS::")]
        if name in self._values:
            return self._values[name]
        properties = self._template["Resources"][name]["Properties"]
        for key in ("BucketName", "LogGroupName", "FunctionName"):
            if key in properties:
                return self._resolve(properties[key])
        return f"{self._pseudo['StackName']}-{name}"

    def _attribute(self, name: str) -> str:
        resource, _, attribute = name.partition(".")
        assert attribute == "Arn", name
        own = self._template["Resources"][resource]
        names = {key: self._resolve(one) for key, one in own["Properties"].items() if isinstance(one, str | dict)}
        known = {"account": self._pseudo["AccountId"], "region": self._pseudo["Region"], "name": self._ref(resource)}
        return _ATTRIBUTES[own["Type"]].format(**known | names)
