"""Templates: read from YAML or JSON, their functions evaluated, their resources in order of dependence."""

# ruff: noqa: ANN401  # templates are nested values of any type
from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

import yaml

from wrenml.testing.emulator.refusing import RefusedError

__all__ = ["NOTHING", "Scope", "Template", "Unknown", "invalid"]

NOTHING = object()
"""What ``AWS::NoValue`` is."""

_FILLED = re.compile(r"\$\{([^!}][^}]*)\}")
_PLAIN_TAGS = {"Ref", "Condition"}


class Unknown(str):
    """Stands for what is known only once a resource is made."""

    __slots__ = ()


def invalid(message: str) -> RefusedError:
    """What CloudFormation says of a request that it cannot mean."""
    return RefusedError(400, "ValidationError", message)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Knows the short form of functions, such as ``!Sub``."""


def _construct(loader: Any, tag: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if tag == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {tag if tag in _PLAIN_TAGS else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _construct)
# A date is text in a template.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Template:
    """One template.

    Parameters
    ----------
    text : str
        YAML or JSON.

    Raises
    ------
    RefusedError
        It is neither, or not a template.
    """

    def __init__(self, text: str) -> None:
        try:
            body = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
        except yaml.YAMLError as error:
            raise invalid(f"Template format error: {error}") from error
        if not isinstance(body, dict) or not body.get("Resources"):
            raise invalid("Template format error: At least one Resources member must be defined.")
        self.text = text
        self.parameters: Mapping[str, Any] = body.get("Parameters", {})
        self.conditions: Mapping[str, Any] = body.get("Conditions", {})
        self.mappings: Mapping[str, Any] = body.get("Mappings", {})
        self.resources: Mapping[str, Any] = body["Resources"]
        self.outputs: Mapping[str, Any] = body.get("Outputs", {})

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """The parameters' values.

        Raises
        ------
        RefusedError
            One is missing, not known, or not allowed.
        """
        unknown = sorted(set(given) - set(self.parameters))
        if unknown:
            raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
        values = {}
        for name, spec in self.parameters.items():
            if name not in given and "Default" not in spec:
                raise invalid(f"Parameters: [{name}] must have values")
            value = str(given.get(name, spec.get("Default")))
            allowed = [str(one) for one in spec.get("AllowedValues", [value])]
            if value not in allowed or not re.fullmatch(spec.get("AllowedPattern", "(?s:.*)"), value):
                raise invalid(f"Parameter '{name}' must be one of the values or the pattern that the template allows")
            values[name] = value
        return values

    def ordered(self, names: set[str]) -> list[str]:
        """These resources, each after those that it needs.

        Raises
        ------
        RefusedError
            They need each other, or something that is not there.
        """
        graph = {}
        for name in names:
            needed = set(_mentioned(self.resources[name], set(self.resources)))
            depends = self.resources[name].get("DependsOn", [])
            needed |= {depends} if isinstance(depends, str) else set(depends)
            graph[name] = needed & names
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            raise invalid(f"Circular dependency between resources: {error.args[1]}") from error


def _mentioned(value: Any, names: set[str]) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _mentioned(one, names)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key == "Ref":
                yield from {one} & names
            elif key == "Fn::GetAtt":
                yield from {_attribute_of(one)[0]} & names
            else:
                if key == "Fn::Sub":
                    text = one if isinstance(one, str) else one[0]
                    yield from {name.partition(".")[0] for name in _FILLED.findall(text)} & names
                yield from _mentioned(one, names)


def _attribute_of(value: Any) -> tuple[str, str]:
    name, _, attribute = (".".join(value) if isinstance(value, list) else str(value)).partition(".")
    return name, attribute


class Scope:
    """What the functions of a template see.

    Parameters
    ----------
    template : Template
        Whose functions they are.
    values : mapping of str to str
        Of its parameters.
    pseudo : mapping of str to str
        Such as ``AWS::Region``.
    """

    def __init__(self, template: Template, values: Mapping[str, str], pseudo: Mapping[str, str]) -> None:
        self._template = template
        self._values = values
        self._pseudo = pseudo
        self.made: dict[str, tuple[str, Mapping[str, str]]] = {}

    def holds(self, condition: str | None) -> bool:
        """Whether a condition of the template is true; no condition is."""
        return condition is None or bool(self.resolve(self._template.conditions[condition]))

    def resolve(self, value: Any) -> Any:
        """Evaluate every function in a value."""
        if isinstance(value, list):
            return [one for one in map(self.resolve, value) if one is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name in {"Ref", "Condition"} and isinstance(argument, str):
                return self._ref(argument) if name == "Ref" else self.holds(argument)
            if name.startswith("Fn::"):
                return self._call(name.removeprefix("Fn::"), argument)
        resolved = {key: self.resolve(one) for key, one in value.items()}
        return {key: one for key, one in resolved.items() if one is not NOTHING}

    def _call(self, name: str, argument: Any) -> Any:
        if name == "If":
            condition, yes, no = argument
            return self.resolve(yes if self.holds(condition) else no)
        if name == "GetAtt":
            return self._attribute(*_attribute_of(argument))
        if name == "Sub":
            return self._fill(argument)
        function = _FUNCTIONS.get(name)
        if function is None:
            raise invalid(f"Template error: the emulated CloudFormation has no function Fn::{name}")
        return function(self.resolve(argument))

    def _fill(self, argument: Any) -> str:
        text, own = argument if isinstance(argument, list) else (argument, {})

        def named(found: re.Match[str]) -> str:
            name = found[1]
            if name in own:
                return str(self.resolve(own[name]))
            return str(self._attribute(*name.split(".", 1)) if "." in name else self._ref(name))

        return _FILLED.sub(named, text).replace("${!", "${")

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NOTHING
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._values:
            value = self._values[name]
            kind = self._template.parameters[name]["Type"]
            lists = kind == "CommaDelimitedList" or kind.startswith("List<")
            return [one.strip() for one in value.split(",") if one.strip()] if lists else value
        if name in self.made:
            return self.made[name][0]
        if name not in self._template.resources:
            raise invalid(f"Template format error: Unresolved resource dependencies [{name}]")
        return Unknown(f"({name})")

    def _attribute(self, name: str, attribute: str) -> str:
        if name not in self._template.resources:
            raise invalid(f"Template error: instance of Fn::GetAtt references undefined resource {name}")
        if name not in self.made:
            return Unknown(f"({name}.{attribute})")
        found = self.made[name][1]
        if attribute not in found:
            raise invalid(f"Template error: the emulated {name} has no attribute {attribute}")
        return found[attribute]


_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "And": all,
    "Equals": lambda two: str(two[0]) == str(two[1]),
    "Join": lambda two: two[0].join(map(str, two[1])),
    "Not": lambda one: not one[0],
    "Or": any,
    "Select": lambda two: two[1][int(two[0])],
    "Split": lambda two: two[1].split(two[0]),
}
