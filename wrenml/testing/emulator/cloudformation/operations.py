"""CloudFormation's API: change sets, stacks, their events and templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import RLock
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from wrenml.testing.emulator.cloudformation.rendering import changes_xml, events_xml, resources_xml, stack_xml
from wrenml.testing.emulator.cloudformation.stacks import Change, Plan, Stack
from wrenml.testing.emulator.cloudformation.template import Template, invalid
from wrenml.testing.emulator.recording import Call
from wrenml.testing.emulator.refusing import RefusedError, new_id, xml_answer
from wrenml.testing.emulator.web import Answer

__all__ = ["ChangeSet", "CloudFormation"]

Fields = Mapping[str, str]
_NAMED = ("RoleName", "ManagedPolicyName", "UserName", "GroupName")


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What is proposed."""

    name: str
    arn: str
    plan: Plan
    changes: list[Change]
    reason: str = ""


class CloudFormation:
    """All stacks.

    Parameters
    ----------
    account : str
        Twelve digits.
    client : callable
        Gives the boto3 client of a service, in a region.
    """

    def __init__(self, account: str, client: Callable[[str, str], Any]) -> None:
        self._account = account
        self._client = client
        self._lock = RLock()
        self._stacks: dict[str, Stack] = {}
        self._gone: dict[str, Stack] = {}
        self._sets: dict[tuple[str, str], ChangeSet] = {}
        self._operations: Mapping[str, Callable[[Fields, str], str]] = {
            "CreateChangeSet": self._create_change_set,
            "DescribeChangeSet": self._describe_change_set,
            "ExecuteChangeSet": self._execute_change_set,
            "DeleteChangeSet": self._delete_change_set,
            "DescribeStacks": self._describe_stacks,
            "DescribeStackEvents": self._describe_events,
            "DescribeStackResources": self._describe_resources,
            "ListStackResources": self._list_resources,
            "GetTemplate": self._get_template,
            "ValidateTemplate": self._validate,
            "DeleteStack": self._delete_stack,
        }

    def answer(self, call: Call) -> Answer:
        """Carry out an operation.

        Raises
        ------
        RefusedError
            As CloudFormation would refuse it.
        """
        operation = self._operations.get(call.operation)
        if operation is None:
            raise RefusedError(501, "NotEmulated", f"the emulated CloudFormation has no {call.operation}")
        parsed = parse_qs(call.request.body.decode(), keep_blank_values=True)
        fields = {name: values[0] for name, values in parsed.items()}
        with self._lock:
            result = operation(fields, call.region)
        name = call.operation
        return xml_answer(
            f'<{name}Response xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">'
            f"<{name}Result>{result}</{name}Result>"
            f"<ResponseMetadata><RequestId>{new_id()}</RequestId></ResponseMetadata></{name}Response>"
        )

    @property
    def not_emulated(self) -> set[str]:
        """Properties that templates set and that nothing here heeds, such as ``AWS::S3::Bucket.CorsConfiguration``."""
        return {name for stack in (*self._stacks.values(), *self._gone.values()) for name in stack.not_emulated}

    def close(self) -> None:
        """Wait until nothing goes on."""
        for stack in list(self._stacks.values()):
            stack.join()

    def _find(self, name: str) -> Stack:
        stack = self._stacks.get(name)
        if stack is not None and stack.status == "DELETE_COMPLETE":
            # From now on it is known by its ARN alone.
            self._gone[stack.arn] = self._stacks.pop(name)
            stack = None
        if stack is None:
            known = {one.arn: one for one in self._stacks.values()} | self._gone
            stack = known.get(name)
        if stack is None:
            raise invalid(f"Stack with id {name} does not exist")
        return stack

    def _set_of(self, fields: Fields) -> tuple[Stack, ChangeSet]:
        named = fields["ChangeSetName"]
        found = [
            (stack, one)
            for (stack, name), one in self._sets.items()
            if named == one.arn or (name == named and fields.get("StackName") in {stack, self._find(stack).arn})
        ]
        if not found:
            if "StackName" in fields:
                self._find(fields["StackName"])
            raise RefusedError(404, "ChangeSetNotFound", f"ChangeSet [{named}] does not exist")
        return self._find(found[0][0]), found[0][1]

    def _create_change_set(self, fields: Fields, region: str) -> str:
        name, kind = fields["StackName"], fields.get("ChangeSetType", "UPDATE")
        template = Template(fields.get("TemplateBody", ""))
        _check_capabilities(template, set(_members(fields, "Capabilities.member.{}")))
        stack = self._for_change_set(name, kind, region)
        given = {
            key: fields.get(f"Parameters.member.{number}.ParameterValue", stack.values.get(key, ""))
            for number, key in enumerate(_members(fields, "Parameters.member.{}.ParameterKey"), 1)
        }
        values = template.values(given)
        tags = dict(zip(_members(fields, "Tags.member.{}.Key"), _members(fields, "Tags.member.{}.Value"), strict=True))
        plan = Plan(template, values, tags)
        changes = stack.changes(plan)
        reason = "" if changes or tags != stack.tags else _NO_CHANGES
        arn = f"arn:aws:cloudformation:{region}:{self._account}:changeSet/{fields['ChangeSetName']}/{new_id()}"
        made = ChangeSet(fields["ChangeSetName"], arn, plan, changes, reason)
        if (name, made.name) in self._sets:
            raise RefusedError(400, "AlreadyExistsException", f"ChangeSet {made.name} already exists")
        self._stacks[name] = stack
        self._sets[name, made.name] = made
        return f"<Id>{arn}</Id><StackId>{stack.arn}</StackId>"

    def _for_change_set(self, name: str, kind: str, region: str) -> Stack:
        try:
            stack = self._find(name)
        except RefusedError:
            if kind != "CREATE":
                raise invalid(f"Stack [{name}] does not exist") from None
            return Stack(name, self._account, region, lambda service: self._client(service, region))
        if kind == "CREATE" and stack.status != "REVIEW_IN_PROGRESS":
            raise invalid(f"Stack [{name}] already exists and cannot be created again with the changeSet")
        if kind != "CREATE" and not stack.status.endswith("_COMPLETE"):
            raise invalid(f"Stack:{stack.arn} is in {stack.status} state and can not be updated.")
        if stack.status == "ROLLBACK_COMPLETE":
            raise invalid(f"Stack:{stack.arn} is in ROLLBACK_COMPLETE state and can not be updated.")
        return stack

    def _describe_change_set(self, fields: Fields, _region: str) -> str:
        stack, found = self._set_of(fields)
        return (
            f"<ChangeSetName>{found.name}</ChangeSetName><ChangeSetId>{found.arn}</ChangeSetId>"
            f"<StackId>{stack.arn}</StackId><StackName>{stack.name}</StackName>"
            f"{changes_xml(found.changes, found.reason)}"
        )

    def _execute_change_set(self, fields: Fields, _region: str) -> str:
        stack, found = self._set_of(fields)
        if found.reason:
            raise RefusedError(
                400, "InvalidChangeSetStatus", f"ChangeSet [{found.arn}] cannot be executed in its current status"
            )
        stack.apply(found.plan, roll_back=fields.get("DisableRollback") != "true")
        for key in [key for key in self._sets if key[0] == stack.name]:
            del self._sets[key]
        return ""

    def _delete_change_set(self, fields: Fields, _region: str) -> str:
        if "StackName" in fields:
            self._find(fields["StackName"])
        try:
            stack, found = self._set_of(fields)
        except RefusedError as error:
            if error.code != "ChangeSetNotFound":
                raise
            return ""  # as CloudFormation answers for a stack that is there
        del self._sets[stack.name, found.name]
        return ""

    def _describe_stacks(self, fields: Fields, _region: str) -> str:
        if "StackName" in fields:
            stacks = [self._find(fields["StackName"])]
        else:
            stacks = [stack for stack in self._stacks.values() if stack.status != "DELETE_COMPLETE"]
        return f"<Stacks>{''.join(map(stack_xml, stacks))}</Stacks>"

    def _describe_events(self, fields: Fields, _region: str) -> str:
        return f"<StackEvents>{events_xml(self._find(fields['StackName']))}</StackEvents>"

    def _describe_resources(self, fields: Fields, _region: str) -> str:
        return f"<StackResources>{resources_xml(self._find(fields['StackName']))}</StackResources>"

    def _list_resources(self, fields: Fields, _region: str) -> str:
        found = resources_xml(self._find(fields["StackName"]))
        return f"<StackResourceSummaries>{found}</StackResourceSummaries>"

    def _get_template(self, fields: Fields, _region: str) -> str:
        stack = self._find(fields["StackName"])
        if stack.template is None:
            raise invalid(f"Stack with id {stack.name} does not exist")
        return f"<TemplateBody>{escape(stack.template.text)}</TemplateBody>"

    def _validate(self, fields: Fields, _region: str) -> str:
        template = Template(fields.get("TemplateBody", ""))
        found = "".join(f"<member><ParameterKey>{name}</ParameterKey></member>" for name in template.parameters)
        return f"<Parameters>{found}</Parameters>"

    def _delete_stack(self, fields: Fields, _region: str) -> str:
        try:
            stack = self._find(fields["StackName"])
        except RefusedError:
            return ""  # what is not there is deleted
        if stack.status != "DELETE_COMPLETE":
            stack.remove()
        for key in [key for key in self._sets if key[0] == stack.name]:
            del self._sets[key]
        return ""


_NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


def _members(fields: Fields, pattern: str) -> list[str]:
    found: list[str] = []
    while (name := pattern.format(len(found) + 1)) in fields:
        found.append(fields[name])
    return found


def _check_capabilities(template: Template, given: set[str]) -> None:
    identities = [spec for spec in template.resources.values() if spec["Type"].startswith("AWS::IAM::")]
    named = any(name in spec.get("Properties", {}) for spec in identities for name in _NAMED)
    needed = "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"
    if identities and not given & {needed, "CAPABILITY_NAMED_IAM"}:
        raise RefusedError(400, "InsufficientCapabilitiesException", f"Requires capabilities : [{needed}]")
