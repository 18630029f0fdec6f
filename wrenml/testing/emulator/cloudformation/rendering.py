"""Stacks, their events and changes as CloudFormation's XML."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from wrenml.testing.emulator.cloudformation.stacks import Change, Stack
from wrenml.testing.emulator.s3_listing import iso

__all__ = ["changes_xml", "events_xml", "resources_xml", "stack_xml"]


def changes_xml(changes: Sequence[Change], reason: str) -> str:
    """What would change; a `reason` says why it cannot."""
    shown = "".join(
        "<member><Type>Resource</Type><ResourceChange>"
        f"<Action>{change.action}</Action><LogicalResourceId>{change.name}</LogicalResourceId>"
        f"<ResourceType>{change.kind}</ResourceType>{_replacement(change)}"
        "</ResourceChange></member>"
        for change in changes
    )
    status, available = ("FAILED", "UNAVAILABLE") if reason else ("CREATE_COMPLETE", "AVAILABLE")
    told = f"<StatusReason>{escape(reason)}</StatusReason>" if reason else ""
    return f"<Status>{status}</Status><ExecutionStatus>{available}</ExecutionStatus>{told}<Changes>{shown}</Changes>"


def events_xml(stack: Stack) -> str:
    """What has happened, the newest first."""
    return "".join(
        f"<member><StackId>{stack.arn}</StackId><StackName>{stack.name}</StackName>"
        f"<EventId>{event.number}</EventId><LogicalResourceId>{event.name}</LogicalResourceId>"
        f"<PhysicalResourceId>{escape(event.physical)}</PhysicalResourceId>"
        f"<ResourceType>{event.kind}</ResourceType><Timestamp>{iso(event.moment)}</Timestamp>"
        f"<ResourceStatus>{event.status}</ResourceStatus>"
        + (f"<ResourceStatusReason>{escape(event.reason)}</ResourceStatusReason>" if event.reason else "")
        + "</member>"
        for event in reversed(list(stack.events))
    )


def _replacement(change: Change) -> str:
    if change.action != "Modify":
        return ""
    return f"<Replacement>{change.replaced}</Replacement>"


def stack_xml(stack: Stack) -> str:
    """A stack, as ``DescribeStacks`` shows it."""
    parameters = _pairs("Parameters", "ParameterKey", "ParameterValue", stack.values.items())
    tags = _pairs("Tags", "Key", "Value", stack.tags.items())
    outputs = "".join(
        f"<member><OutputKey>{name}</OutputKey><OutputValue>{escape(value)}</OutputValue>"
        f"<Description>{escape(text)}</Description>"
        + (f"<ExportName>{escape(export)}</ExportName>" if export else "")
        + "</member>"
        for name, value, text, export in stack.outputs
    )
    created = stack.events[0].moment if stack.events else time.time()
    reason = f"<StackStatusReason>{escape(stack.reason)}</StackStatusReason>" if stack.reason else ""
    return (
        f"<member><StackId>{stack.arn}</StackId><StackName>{stack.name}</StackName>"
        f"<CreationTime>{iso(created)}</CreationTime><StackStatus>{stack.status}</StackStatus>{reason}"
        f"{parameters}{tags}<Outputs>{outputs}</Outputs></member>"
    )


def _pairs(tag: str, key: str, value: str, pairs: Iterable[tuple[str, str]]) -> str:
    found = "".join(
        f"<member><{key}>{escape(one)}</{key}><{value}>{escape(other)}</{value}></member>" for one, other in pairs
    )
    return f"<{tag}>{found}</{tag}>"


def resources_xml(stack: Stack) -> str:
    """What a stack holds."""
    return "".join(
        f"<member><LogicalResourceId>{name}</LogicalResourceId>"
        f"<PhysicalResourceId>{escape(resource.made.physical)}</PhysicalResourceId>"
        f"<ResourceType>{resource.kind}</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus>"
        f"<Timestamp>{iso(time.time())}</Timestamp>"
        f"<LastUpdatedTimestamp>{iso(time.time())}</LastUpdatedTimestamp></member>"
        for name, resource in stack.resources.items()
    )
