"""Making, changing and removing the resources of one stack, each change with how it is taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from wrenml.testing.emulator.cloudformation.compute import (
    Alarm,
    Alias,
    EventInvokeConfig,
    Function,
    LogGroup,
    Topic,
    Version,
)
from wrenml.testing.emulator.cloudformation.identity import ManagedPolicy, Policy, Role
from wrenml.testing.emulator.cloudformation.provider import Kind, Made, Properties, Surroundings
from wrenml.testing.emulator.cloudformation.storage import Bucket, BucketPolicy
from wrenml.testing.emulator.cloudformation.template import Scope, Unknown

__all__ = ["FAILURES", "KINDS", "Builder", "Resource", "Tell", "replaces", "same"]

KINDS: Mapping[str, Kind] = {
    "AWS::CloudWatch::Alarm": Alarm(),
    "AWS::IAM::ManagedPolicy": ManagedPolicy(),
    "AWS::IAM::Policy": Policy(),
    "AWS::IAM::Role": Role(),
    "AWS::Lambda::Alias": Alias(),
    "AWS::Lambda::EventInvokeConfig": EventInvokeConfig(),
    "AWS::Lambda::Function": Function(),
    "AWS::Lambda::Version": Version(),
    "AWS::Logs::LogGroup": LogGroup(),
    "AWS::S3::Bucket": Bucket(),
    "AWS::S3::BucketPolicy": BucketPolicy(),
    "AWS::SNS::Topic": Topic(),
}
"""What can be made."""

FAILURES = (BotoCoreError, ClientError, LookupError, TypeError, ValueError)
"""What making a resource may raise: a refusal, or properties that it cannot mean."""

_RETAINED = {"Retain", "RetainExceptOnCreate"}


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource that is there.

    Parameters
    ----------
    kind : str
        Such as ``AWS::S3::Bucket``.
    made : Made
        Its names.
    properties : mapping
        As the template said them, evaluated.
    retained : str
        Its ``DeletionPolicy``.
    """

    kind: str
    made: Made
    properties: Properties
    retained: str = ""


class Tell(Protocol):
    """Takes what happens to a resource."""

    def __call__(self, name: str, kind: str, physical: str, status: str, reason: str = "", /) -> None:
        """Take one event."""


@dataclass(slots=True)
class Builder:
    """One run over the resources of a stack.

    Parameters
    ----------
    resources : dict
        What is there, by its name in the template; changed as things are made.
    around : Surroundings
        Where they are made.
    tell : Tell
        Takes events.
    not_emulated : set of str
        Takes the properties that nothing heeds.
    """

    resources: dict[str, Resource]
    around: Surroundings
    tell: Tell
    not_emulated: set[str]
    _undo: list[tuple[str, Callable[[], None]]] = field(default_factory=list)

    def make(self, name: str, spec: Mapping[str, Any], scope: Scope) -> None:
        """Make or change a resource as a template says; nothing happens if it is so already.

        Raises
        ------
        FAILURES
            As it was refused.
        """
        kind, wanted = spec["Type"], scope.resolve(spec.get("Properties", {}))
        old = self.resources.get(name)
        if old is not None and old.kind != kind:
            old = None
        if old is not None and same(old.properties, wanted):
            return
        verb, physical = ("UPDATE", old.made.physical) if old else ("CREATE", "")
        self.tell(name, kind, physical, f"{verb}_IN_PROGRESS")
        try:
            made = self._change(name, kind, old, wanted)
        except FAILURES as error:
            self.tell(name, kind, physical, f"{verb}_FAILED", str(error))
            raise
        self.resources[name] = Resource(kind, made, wanted, spec.get("DeletionPolicy", ""))
        scope.made[name] = made.physical, made.attributes
        self.tell(name, kind, made.physical, f"{verb}_COMPLETE")

    def _change(self, name: str, kind_name: str, old: Resource | None, wanted: Properties) -> Made:
        kind = KINDS.get(kind_name)
        if kind is None:
            raise ValueError(f"the emulated CloudFormation makes no {kind_name}")
        self.not_emulated |= {f"{kind_name}.{key}" for key in set(wanted) - kind.known}
        new, before = _known(kind, wanted), _known(kind, old.properties if old else {})
        if old is None or replaces(kind_name, before, new):
            made = kind.create(self.around, name, new)
            aside = f"{name} (old)"
            if old is not None:
                # As CloudFormation does, the old one goes only once all the new ones are there.
                self.resources[aside] = old
            self._undo.append((name, lambda: self._unmake(name, kind, made, new)))
            return made
        made = kind.update(self.around, old.made, before, new)
        self._undo.append((name, lambda: self._restore(name, kind, old, new)))
        return made

    def _unmake(self, name: str, kind: Kind, made: Made, new: Properties) -> None:
        kind.delete(self.around, made, new)
        del self.resources[name]
        old = self.resources.pop(f"{name} (old)", None)
        if old is not None:
            self.resources[name] = old

    def _restore(self, name: str, kind: Kind, old: Resource, new: Properties) -> None:
        kind.update(self.around, old.made, new, _known(kind, old.properties))
        self.resources[name] = old

    def take_back(self, status: str) -> None:
        """Take back all changes, the last first.

        Raises
        ------
        FAILURES
            As it was refused.
        """
        for name, act in reversed(self._undo):
            act()
            self.tell(name, "", "", status)

    def remove(self, name: str) -> bool:
        """Remove a resource, or leave it alone if it is to be retained; whether that went well."""
        resource = self.resources[name]
        physical = resource.made.physical
        if resource.retained in _RETAINED:
            self.tell(name, resource.kind, physical, "DELETE_SKIPPED")
        else:
            self.tell(name, resource.kind, physical, "DELETE_IN_PROGRESS")
            try:
                KINDS[resource.kind].delete(self.around, resource.made, resource.properties)
            except FAILURES as error:
                self.tell(name, resource.kind, physical, "DELETE_FAILED", str(error))
                return False
            self.tell(name, resource.kind, physical, "DELETE_COMPLETE")
        del self.resources[name]
        return True


def _known(kind: Kind, properties: Properties) -> Properties:
    return {key: value for key, value in properties.items() if key in kind.known}


def same(old: object, new: object) -> bool:
    """Whether two values mean the same; what is not known yet may be anything."""
    if isinstance(new, Unknown):
        return False
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(same(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(same, old, new))
    return str(old) == str(new)


def replaces(kind: str, old: Properties, new: Properties) -> bool:
    """Whether a resource has to be made anew to have other properties."""
    known = KINDS.get(kind)
    return known is not None and any(not same(old.get(key), new.get(key)) for key in known.fixed)
