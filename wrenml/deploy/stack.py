"""The CloudFormation stack: what would change, changing it, and its events meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from uuid import uuid4

from wrenml.aws.failures import code_of
from wrenml.deploy.waiting import Patience
from wrenml.errors import ConfigError, WrenmlError

__all__ = ["Change", "CloudStack"]

_OURS: Final = "wrenml-"
_ABSENT: Final = frozenset({"", "DELETE_COMPLETE"})
_PROPOSED: Final = "REVIEW_IN_PROGRESS"  # a new stack that a change set was made for, and nothing more
_READY: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"})
_STACK: Final = "AWS::CloudFormation::Stack"
_NEVER_MADE: Final = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})
_NO_CHANGES: Final = ("didn't contain changes", "No updates are to be performed")


class Change(NamedTuple):
    """What happens to one resource.

    Parameters
    ----------
    action : str
        ``Add``, ``Modify`` or ``Remove``.
    kind : str
        Such as ``AWS::Lambda::Function``.
    name : str
        The resource's name in the template.
    replaced : bool
        Whether it is made anew.
    """

    action: str
    kind: str
    name: str
    replaced: bool = False


class CloudStack:
    """One stack.

    Parameters
    ----------
    client : object
        Of CloudFormation.
    name : str
        The stack's name.
    patience : Patience
        How it is waited for.
    say : callable
        Is told of each event.
    """

    def __init__(self, client: Any, name: str, patience: Patience, say: Callable[[str], None]) -> None:  # noqa: ANN401
        self._client = client
        self._name = name
        self._patience = patience
        self._say = say
        self._change_set = ""
        self._seen: set[str] = set()
        self._failed: list[str] = []
        self._moved = True

    def exists(self) -> bool:
        """Whether there is a stack, once nothing is under way any more, such as an earlier deployment's change.

        What is left of a stack that never came to be is removed.

        Raises
        ------
        ConfigError
            The stack is in a state that only its owner can mend.
        """
        stack = self._describe(self._name)
        if stack is not None:
            self._tell(aloud=False)
            if stack["StackStatus"].endswith("_IN_PROGRESS") and stack["StackStatus"] != _PROPOSED:
                self._say(f"waiting for an earlier change of the stack {self._name} ({stack['StackStatus']})")
        status = self._settled()
        if status in _NEVER_MADE | {_PROPOSED}:
            self._say(f"the stack {self._name} was never finished ({status}): removing what is left of it")
            self.delete()
            return False
        if status not in _ABSENT | _READY:
            raise ConfigError(
                f"the stack {self._name} is in the state {status}, which wrenml cannot mend: open CloudFormation's "
                "console, or deploy under another name: --stack NAME."
            )
        return status in _READY

    def template(self) -> str:
        """The template that the stack was last made from."""
        return str(self._client.get_template(StackName=self._name)["TemplateBody"])

    def propose(self, template: str, parameters: Mapping[str, str], *, new: bool) -> list[Change]:
        """Say what a template would change; nothing changes yet.

        Parameters
        ----------
        template : str
            YAML.
        parameters : mapping of str to str
            Of the template.
        new : bool
            Whether there is no stack yet.

        Raises
        ------
        WrenmlError
            CloudFormation refuses the template.
        """
        self._change_set = f"{_OURS}{uuid4().hex}"
        self._client.create_change_set(
            StackName=self._name,
            ChangeSetName=self._change_set,
            ChangeSetType="CREATE" if new else "UPDATE",
            TemplateBody=template,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM"],
            Tags=[{"Key": "wrenml:stack", "Value": self._name}],
        )
        status, reason = self._patience.until(f"the change set of {self._name}", self._proposed)
        if status == "FAILED":
            self.discard()
            if any(words in reason for words in _NO_CHANGES):
                return []
            raise WrenmlError(f"CloudFormation refuses the change: {reason}")
        return list(self._changes())

    def _proposed(self) -> tuple[str, str] | None:
        answer = self._client.describe_change_set(StackName=self._name, ChangeSetName=self._change_set)
        status = answer["Status"]
        if status in {"CREATE_COMPLETE", "FAILED"}:
            return status, str(answer.get("StatusReason", ""))
        return None

    def _changes(self) -> Iterator[Change]:
        pages = self._client.get_paginator("describe_change_set").paginate(
            StackName=self._name, ChangeSetName=self._change_set
        )
        for page in pages:
            for entry in page.get("Changes", ()):
                what = entry["ResourceChange"]
                replaced = what.get("Replacement", "False") == "True"
                yield Change(what["Action"], what["ResourceType"], what["LogicalResourceId"], replaced)

    def discard(self) -> None:
        """Forget what was proposed; what an interrupted deployment proposed goes with the next change."""
        if self._change_set:
            self._client.delete_change_set(StackName=self._name, ChangeSetName=self._change_set)
            self._change_set = ""

    def apply(self) -> None:
        """Do what was proposed, and wait until it is done.

        Raises
        ------
        WrenmlError
            It failed, and CloudFormation put back what was there before.
        """
        self._begin()
        self._client.execute_change_set(StackName=self._name, ChangeSetName=self._change_set)
        status = self._settled()
        if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            first = self._failed[0] if self._failed else "its events say why"
            raise WrenmlError(
                f"the stack {self._name} could not be changed ({status}): {first}. CloudFormation put back what was "
                "there before; mend the cause and run the command again."
            )

    def delete(self, *, aloud: bool = True) -> None:
        """Remove the stack and wait until it is gone.

        Parameters
        ----------
        aloud : bool, default True
            Whether its events are told.

        Raises
        ------
        WrenmlError
            Something of it would not go.
        """
        stack = self._describe(self._name)
        if stack is None:
            return
        self._begin()
        self._client.delete_stack(StackName=self._name)
        # A stack that is gone is known by its id only.
        status = self._settled(str(stack["StackId"]), aloud=aloud)
        if status not in _ABSENT:
            first = self._failed[0] if self._failed else "its events say why"
            raise WrenmlError(
                f"the stack {self._name} could not be removed ({status}): {first}. Run the command again."
            )

    def _begin(self) -> None:
        """Get ready for a change: what is told from now on is about it."""
        self._tell(aloud=False)
        self._failed.clear()
        self._moved = False

    def _settled(self, name: str | None = None, *, aloud: bool = True) -> str:
        def look() -> str | None:
            stack = self._describe(name or self._name)
            status = "" if stack is None else str(stack["StackStatus"])
            if stack is not None:
                self._tell(name, aloud=aloud)
            if status in _ABSENT:
                return status
            # Right after a request the status may still be the one from before it.
            is_old = not self._moved
            return None if is_old or (status.endswith("_IN_PROGRESS") and status != _PROPOSED) else status

        return self._patience.until(f"the stack {self._name}", look)

    def _describe(self, name: str) -> dict[str, Any] | None:
        try:
            stacks: list[dict[str, Any]] = self._client.describe_stacks(StackName=name)["Stacks"]
        except self._client.exceptions.ClientError as error:
            if code_of(error) == "ValidationError":
                return None
            raise
        return stacks[0] if stacks else None

    def _tell(self, name: str | None = None, *, aloud: bool = True) -> None:
        """Say what has happened since the last time."""
        events = []
        for event in self._events(name or self._name):
            if event["EventId"] in self._seen:
                break
            events.append(event)
        for event in reversed(events):
            self._seen.add(event["EventId"])
            status = str(event.get("ResourceStatus", ""))
            text = f"{status} {event.get('ResourceType', '')} {event.get('LogicalResourceId', '')}"
            reason = event.get("ResourceStatusReason")
            self._moved |= event.get("ResourceType") == _STACK
            if status.endswith("_FAILED") and "cancelled" not in str(reason):
                self._failed.append(f"{event.get('LogicalResourceId')}: {reason}")
            if aloud and not status.endswith("_IN_PROGRESS"):
                self._say(f"  {text}{f' ({reason})' if reason else ''}")

    def _events(self, name: str) -> Iterator[dict[str, Any]]:
        for page in self._client.get_paginator("describe_stack_events").paginate(StackName=name):
            yield from page["StackEvents"]
