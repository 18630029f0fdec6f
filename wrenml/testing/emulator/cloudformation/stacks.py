"""Stacks: what they hold, what would change, and changing it, with events, in a thread of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any

from wrenml.testing.emulator.cloudformation.building import FAILURES, Builder, Resource, replaces, same
from wrenml.testing.emulator.cloudformation.provider import Surroundings
from wrenml.testing.emulator.cloudformation.template import Scope, Template, invalid
from wrenml.testing.emulator.refusing import RefusedError, new_id

__all__ = ["Change", "Event", "Plan", "Stack"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a stack is to be: a template, its parameters' values, and tags."""

    template: Template
    values: Mapping[str, str]
    tags: Mapping[str, str]


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

    def changes(self, plan: Plan) -> list[Change]:
        """What a plan would change.

        Raises
        ------
        RefusedError
            It cannot be evaluated.
        """
        scope, found = self._scope(plan), []
        wanted = _wanted(plan.template, scope)
        for name in wanted:
            kind, old = plan.template.resources[name]["Type"], self.resources.get(name)
            new = scope.resolve(plan.template.resources[name].get("Properties", {}))
            if old is None or old.kind != kind:
                found.append(Change("Add", name, kind))
            elif not same(old.properties, new):
                found.append(Change("Modify", name, kind, replaced=replaces(kind, old.properties, new)))
        found += [Change("Remove", name, old.kind) for name, old in self.resources.items() if name not in wanted]
        _outputs(plan.template, scope)
        return found

    def _scope(self, plan: Plan) -> Scope:
        pseudo = {
            "AWS::AccountId": self._account,
            "AWS::Partition": "aws",
            "AWS::Region": self._region,
            "AWS::StackId": self.arn,
            "AWS::StackName": self.name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        scope = Scope(plan.template, plan.values, pseudo)
        scope.made = {name: (one.made.physical, one.made.attributes) for name, one in self.resources.items()}
        return scope

    def apply(self, plan: Plan, *, roll_back: bool) -> None:
        """Begin to make what a plan says; `status` tells how it goes.

        Raises
        ------
        RefusedError
            Something is going on already.
        """
        verb = "UPDATE" if self.template else "CREATE"
        self._start(verb, lambda: self._apply(verb, plan, roll_back=roll_back))

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

    def _builder(self) -> Builder:
        around = Surroundings(self._client, self.name, self._account, self._region, self.tags)
        return Builder(self.resources, around, self._tell, self.not_emulated)

    def _apply(self, verb: str, plan: Plan, *, roll_back: bool) -> None:
        self.tags = plan.tags
        builder, scope = self._builder(), self._scope(plan)
        wanted = _wanted(plan.template, scope)
        try:
            for name in wanted:
                builder.make(name, plan.template.resources[name], scope)
            outputs = _outputs(plan.template, scope)
        except (RefusedError, *FAILURES) as error:
            _logger.info("stack %s: %s", self.name, error, exc_info=True)
            self._give_up(verb, builder, str(error), roll_back=roll_back)
            return
        self.template, self.values, self.outputs = plan.template, plan.values, outputs
        if verb == "UPDATE":
            self._tell_stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        for name in [name for name in reversed(self.resources) if name not in wanted]:
            if not builder.remove(name):
                # CloudFormation forgets what an update could not remove.
                del self.resources[name]
        self._tell_stack(f"{verb}_COMPLETE")

    def _give_up(self, verb: str, builder: Builder, reason: str, *, roll_back: bool) -> None:
        if not roll_back:
            self._tell_stack(f"{verb}_FAILED", reason)
            return
        state = "ROLLBACK" if verb == "CREATE" else "UPDATE_ROLLBACK"
        self._tell_stack(f"{state}_IN_PROGRESS", reason)
        try:
            builder.take_back("DELETE_COMPLETE" if verb == "CREATE" else "UPDATE_COMPLETE")
        except FAILURES as error:
            self._tell_stack(f"{state}_FAILED", str(error))
            return
        self._tell_stack(f"{state}_COMPLETE")

    def _remove(self) -> None:
        builder = self._builder()
        failed = [name for name in list(reversed(self.resources)) if not builder.remove(name)]
        if failed:
            self._tell_stack("DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}].")
        else:
            self._tell_stack("DELETE_COMPLETE")


def _wanted(template: Template, scope: Scope) -> list[str]:
    named = {name for name, spec in template.resources.items() if scope.holds(spec.get("Condition"))}
    return template.ordered(named)


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
