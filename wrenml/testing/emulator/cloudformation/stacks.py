"""Stacks: what they hold, what would change, and changing it, with events, in a thread of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any

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
from wrenml.testing.emulator.cloudformation.template import Scope, Template, Unknown, invalid
from wrenml.testing.emulator.refusing import RefusedError, new_id

__all__ = ["KINDS", "Change", "Event", "Resource", "Stack"]

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

_RETAINED = {"Retain", "RetainExceptOnCreate"}
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource that is there."""

    kind: str
    made: Made
    properties: Properties
    retained: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource: ``Add``, ``Modify`` or ``Remove``."""

    action: str
    name: str
    kind: str
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """What has happened."""

    name: str
    kind: str
    physical: str
    status: str
    reason: str = ""
    moment: float = field(default_factory=time.time)
    number: str = field(default_factory=new_id)


@dataclass(slots=True)
class _Undo:
    """How a change is taken back."""

    name: str
    act: Callable[[], None]


class Stack:
    """One stack.

    Parameters
    ----------
    name, account, region : str
        What and where it is.
    client : callable
        Gives the boto3 client of a service.
    """

    def __init__(self, name: str, account: str, region: str, client: Callable[[str], Any]) -> None:
        self.name = name
        self.arn = f"arn:aws:cloudformation:{region}:{account}:stack/{name}/{new_id()}"
        self.status = "REVIEW_IN_PROGRESS"
        self.reason = ""
        self.template: Template | None = None
        self.values: Mapping[str, str] = {}
        self.tags: Mapping[str, str] = {}
        self.resources: dict[str, Resource] = {}
        self.outputs: list[tuple[str, str, str, str]] = []
        self.events: list[Event] = []
        self.not_emulated: set[str] = set()
        self._account, self._region = account, region
        self._client = client
        self._lock = Lock()
        self._thread: Thread | None = None

    def changes(self, template: Template, values: Mapping[str, str]) -> list[Change]:
        """What a template would change.

        Raises
        ------
        RefusedError
            It cannot be evaluated.
        """
        scope = self._scope(template, values)
        found = []
        for name in self._wanted(template, scope):
            spec = template.resources[name]
            old = self.resources.get(name)
            new = scope.resolve(spec.get("Properties", {}))
            if old is None or old.kind != spec["Type"]:
                found.append(Change("Add", name, spec["Type"]))
            elif not _same(old.properties, new):
                found.append(
                    Change("Modify", name, spec["Type"], replaced=_replaces(spec["Type"], old.properties, new))
                )
        wanted = set(self._wanted(template, scope))
        found += [Change("Remove", name, old.kind) for name, old in self.resources.items() if name not in wanted]
        for section in template.outputs.values():
            scope.resolve(section["Value"])
        return found

    def _scope(self, template: Template, values: Mapping[str, str]) -> Scope:
        pseudo = {
            "AWS::AccountId": self._account,
            "AWS::Partition": "aws",
            "AWS::Region": self._region,
            "AWS::StackId": self.arn,
            "AWS::StackName": self.name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        scope = Scope(template, values, pseudo)
        scope.made = {name: (one.made.physical, one.made.attributes) for name, one in self.resources.items()}
        return scope

    @staticmethod
    def _wanted(template: Template, scope: Scope) -> list[str]:
        named = {name for name, spec in template.resources.items() if scope.holds(spec.get("Condition"))}
        return template.ordered(named)

    def apply(self, template: Template, values: Mapping[str, str], tags: Mapping[str, str], *, roll_back: bool) -> None:
        """Begin to make what a template says; `status` tells how it goes.

        Raises
        ------
        RefusedError
            Something is going on already.
        """
        self._start("UPDATE" if self.template else "CREATE", lambda: self._apply(template, values, tags, roll_back))

    def remove(self) -> None:
        """Begin to remove everything, save what is to be retained.

        Raises
        ------
        RefusedError
            Something is going on already.
        """
        self._start("DELETE", self._remove)

    def join(self) -> None:
        """Wait until nothing goes on."""
        if self._thread is not None:
            self._thread.join()

    def _start(self, verb: str, act: Callable[[], None]) -> None:
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise invalid(f"Stack:{self.arn} is in {self.status} state and can not be updated.")
            self._tell_stack(f"{verb}_IN_PROGRESS", "User Initiated")
            self._thread = Thread(target=act, name=f"emulator-stack-{self.name}", daemon=True)
            self._thread.start()

    def _tell_stack(self, status: str, reason: str = "") -> None:
        self.reason = reason
        self.events.append(Event(self.name, "AWS::CloudFormation::Stack", self.arn, status, reason))
        self.status = status

    def _tell(self, name: str, kind: str, physical: str, status: str, reason: str = "") -> None:
        self.events.append(Event(name, kind, physical, status, reason))

    def _apply(self, template: Template, values: Mapping[str, str], tags: Mapping[str, str], roll_back: bool) -> None:  # noqa: FBT001
        verb = "UPDATE" if self.template else "CREATE"
        done: list[_Undo] = []
        scope = self._scope(template, values)
        self.tags = tags
        try:
            for name in self._wanted(template, scope):
                self._make(name, template, scope, done)
            outputs = _outputs(template, scope)
        except (BotoCoreError, ClientError, RefusedError, LookupError, TypeError, ValueError) as error:
            _logger.info("stack %s: %s", self.name, error, exc_info=True)
            self._roll_back(verb, done, str(error), roll_back)
            return
        wanted = set(self._wanted(template, scope))
        self.template, self.values, self.outputs = template, values, outputs
        if verb == "UPDATE":
            self._tell_stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        for name in [name for name in reversed(self.resources) if name not in wanted]:
            self._delete(name, self.resources.pop(name))
        self._tell_stack(f"{verb}_COMPLETE")

    def _make(self, name: str, template: Template, scope: Scope, done: list[_Undo]) -> None:
        spec = template.resources[name]
        kind_name = spec["Type"]
        new = scope.resolve(spec.get("Properties", {}))
        old = self.resources.get(name)
        if old is not None and old.kind == kind_name and _same(old.properties, new):
            return
        kind = KINDS.get(kind_name)
        verb = "CREATE" if old is None or old.kind != kind_name else "UPDATE"
        self._tell(name, kind_name, old.made.physical if old else "", f"{verb}_IN_PROGRESS")
        if kind is None:
            reason = f"the emulated CloudFormation makes no {kind_name}"
            self._tell(name, kind_name, "", f"{verb}_FAILED", reason)
            raise ValueError(f"{name}: {reason}")
        self.not_emulated |= {f"{kind_name}.{key}" for key in set(new) - kind.known}
        new = {key: value for key, value in new.items() if key in kind.known} | {}
        try:
            made = self._change(name, kind, old if verb == "UPDATE" else None, new, done)
        except (BotoCoreError, ClientError, LookupError, TypeError, ValueError) as error:
            self._tell(name, kind_name, old.made.physical if old else "", f"{verb}_FAILED", str(error))
            raise
        retained = spec.get("DeletionPolicy", "")
        properties = scope.resolve(spec.get("Properties", {}))
        self.resources[name] = Resource(kind_name, made, properties, retained)
        scope.made[name] = made.physical, made.attributes
        self._tell(name, kind_name, made.physical, f"{verb}_COMPLETE")

    def _change(self, name: str, kind: Kind, old: Resource | None, new: Properties, done: list[_Undo]) -> Made:
        around = self._around()
        if old is None or any(old.properties.get(key) != new.get(key) for key in kind.fixed):
            made = kind.create(around, name, new)
            done.append(_Undo(name, lambda: self._unmake(name, kind, made, new, old)))
            if old is not None:
                # As CloudFormation does, the old one goes only once the new one is there.
                self.resources[f"{name} (old {made.physical})"] = old
            return made
        made = kind.update(around, old.made, old.properties, new)
        done.append(_Undo(name, lambda: self._restore(name, kind, old, new)))
        return made

    def _unmake(self, name: str, kind: Kind, made: Made, new: Properties, old: Resource | None) -> None:
        kind.delete(self._around(), made, new)
        self.resources.pop(name, None)
        if old is not None:
            self.resources.pop(f"{name} (old {made.physical})", None)
            self.resources[name] = old

    def _restore(self, name: str, kind: Kind, old: Resource, new: Properties) -> None:
        known = {key: value for key, value in old.properties.items() if key in kind.known}
        kind.update(self._around(), old.made, new, known)
        self.resources[name] = old

    def _roll_back(self, verb: str, done: list[_Undo], reason: str, roll_back: bool) -> None:  # noqa: FBT001
        if not roll_back:
            self._tell_stack(f"{verb}_FAILED", reason)
            return
        state = "ROLLBACK" if verb == "CREATE" else "UPDATE_ROLLBACK"
        self._tell_stack(f"{state}_IN_PROGRESS", reason)
        try:
            for undo in reversed(done):
                undo.act()
                self._tell(undo.name, "", "", "DELETE_COMPLETE" if verb == "CREATE" else "UPDATE_COMPLETE")
        except (BotoCoreError, ClientError, LookupError, TypeError, ValueError) as error:
            self._tell_stack(f"{state}_FAILED", str(error))
            return
        self._tell_stack(f"{state}_COMPLETE")

    def _around(self) -> Surroundings:
        return Surroundings(self._client, self.name, self._account, self._region, self.tags)

    def _remove(self) -> None:
        failed = []
        for name in list(reversed(self.resources)):
            resource = self.resources[name]
            if self._delete(name, resource):
                del self.resources[name]
            else:
                failed.append(name)
        if failed:
            self._tell_stack("DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}].")
        else:
            self._tell_stack("DELETE_COMPLETE")

    def _delete(self, name: str, resource: Resource) -> bool:
        physical = resource.made.physical
        if resource.retained in _RETAINED:
            self._tell(name, resource.kind, physical, "DELETE_SKIPPED")
            return True
        self._tell(name, resource.kind, physical, "DELETE_IN_PROGRESS")
        try:
            KINDS[resource.kind].delete(self._around(), resource.made, resource.properties)
        except (BotoCoreError, ClientError) as error:
            self._tell(name, resource.kind, physical, "DELETE_FAILED", str(error))
            return False
        self._tell(name, resource.kind, physical, "DELETE_COMPLETE")
        return True


def _outputs(template: Template, scope: Scope) -> list[tuple[str, str, str, str]]:
    return [
        (
            name,
            str(scope.resolve(spec["Value"])),
            spec.get("Description", ""),
            str(scope.resolve(spec.get("Export", {}).get("Name", ""))),
        )
        for name, spec in template.outputs.items()
        if scope.holds(spec.get("Condition"))
    ]


def _same(old: object, new: object) -> bool:
    if isinstance(new, Unknown):
        return False
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_same, old, new))
    return str(old) == str(new)


def _replaces(kind: str, old: Properties, new: Properties) -> bool:
    known = KINDS.get(kind)
    return known is not None and any(not _same(old.get(key), new.get(key)) for key in known.fixed)
