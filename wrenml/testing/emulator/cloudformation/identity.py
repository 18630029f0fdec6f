"""Roles and policies."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from wrenml.testing.emulator.cloudformation.provider import Made, Properties, Surroundings, gone, or_undo

__all__ = ["ManagedPolicy", "Policy", "Role"]

_MOST_VERSIONS = 5


class Role:
    """``AWS::IAM::Role``."""

    known = frozenset(
        {
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "Path",
            "PermissionsBoundary",
            "Policies",
            "RoleName",
            "Tags",
        }
    )
    fixed = frozenset({"RoleName", "Path"})

    def create(self, around: Surroundings, logical: str, new: Properties) -> Made:
        """Make the role, then its policies."""
        name = new.get("RoleName") or around.name(logical)
        optional = {
            key: new[key] for key in ("Description", "MaxSessionDuration", "Path", "PermissionsBoundary") if key in new
        }
        made = around.client("iam").create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps(new["AssumeRolePolicyDocument"]),
            Tags=around.tag_list(new.get("Tags")),
            **optional,
        )["Role"]
        role = Made(name, {"Arn": made["Arn"], "RoleId": made["RoleId"]})
        with or_undo(lambda: self.delete(around, role, new)):
            _set_policies(around.client("iam"), name, {}, new)
        return role

    def update(self, around: Surroundings, made: Made, old: Properties, new: Properties) -> Made:
        """Change who may take it, and its policies."""
        client = around.client("iam")
        client.update_assume_role_policy(
            RoleName=made.physical, PolicyDocument=json.dumps(new["AssumeRolePolicyDocument"])
        )
        client.update_role(RoleName=made.physical, Description=new.get("Description", ""))
        _set_policies(client, made.physical, old, new)
        return made

    def delete(self, around: Surroundings, made: Made, _old: Properties) -> None:
        """Remove its policies, then the role."""
        client = around.client("iam")
        with suppress(client.exceptions.NoSuchEntityException):
            for name in client.list_role_policies(RoleName=made.physical)["PolicyNames"]:
                client.delete_role_policy(RoleName=made.physical, PolicyName=name)
            for policy in client.list_attached_role_policies(RoleName=made.physical)["AttachedPolicies"]:
                client.detach_role_policy(RoleName=made.physical, PolicyArn=policy["PolicyArn"])
            client.delete_role(RoleName=made.physical)


def _set_policies(client: Any, role: str, old: Properties, new: Properties) -> None:  # noqa: ANN401 - boto3's
    inline = {policy["PolicyName"]: policy["PolicyDocument"] for policy in new.get("Policies", ())}
    for name, document in inline.items():
        client.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
    for policy in old.get("Policies", ()):
        if policy["PolicyName"] not in inline:
            client.delete_role_policy(RoleName=role, PolicyName=policy["PolicyName"])
    attached = new.get("ManagedPolicyArns", ())
    for arn in attached:
        client.attach_role_policy(RoleName=role, PolicyArn=arn)
    for arn in old.get("ManagedPolicyArns", ()):
        if arn not in attached:
            client.detach_role_policy(RoleName=role, PolicyArn=arn)


class ManagedPolicy:
    """``AWS::IAM::ManagedPolicy``; ``Ref`` is its ARN."""

    known = frozenset({"Description", "ManagedPolicyName", "Path", "PolicyDocument"})
    fixed = frozenset({"ManagedPolicyName", "Path", "Description"})

    def create(self, around: Surroundings, logical: str, new: Properties) -> Made:
        """Make the policy."""
        optional = {key: new[key] for key in ("Description", "Path") if key in new}
        made = around.client("iam").create_policy(
            PolicyName=new.get("ManagedPolicyName") or around.name(logical),
            PolicyDocument=json.dumps(new["PolicyDocument"]),
            **optional,
        )["Policy"]
        return Made(made["Arn"], {"PolicyArn": made["Arn"], "PolicyId": made["PolicyId"]})

    def update(self, around: Surroundings, made: Made, _old: Properties, new: Properties) -> Made:
        """Make a new version the policy; the oldest gives way."""
        client = around.client("iam")
        versions = client.list_policy_versions(PolicyArn=made.physical)["Versions"]
        spare = [version["VersionId"] for version in versions if not version["IsDefaultVersion"]]
        if len(versions) >= _MOST_VERSIONS:
            client.delete_policy_version(PolicyArn=made.physical, VersionId=spare[-1])
        client.create_policy_version(
            PolicyArn=made.physical, PolicyDocument=json.dumps(new["PolicyDocument"]), SetAsDefault=True
        )
        return made

    def delete(self, around: Surroundings, made: Made, _old: Properties) -> None:
        """Remove its versions, then the policy."""
        client = around.client("iam")
        with suppress(client.exceptions.NoSuchEntityException):
            for version in client.list_policy_versions(PolicyArn=made.physical)["Versions"]:
                if not version["IsDefaultVersion"]:
                    client.delete_policy_version(PolicyArn=made.physical, VersionId=version["VersionId"])
            client.delete_policy(PolicyArn=made.physical)


class Policy:
    """``AWS::IAM::Policy``: one inline policy of several roles."""

    known = frozenset({"PolicyDocument", "PolicyName", "Roles"})
    fixed = frozenset({"PolicyName"})

    def create(self, around: Surroundings, logical: str, new: Properties) -> Made:
        """Put it into each role."""
        return self.update(around, Made(around.name(logical), {}), {}, new)

    def update(self, around: Surroundings, made: Made, old: Properties, new: Properties) -> Made:
        """Put it into each role, and remove it from others."""
        client = around.client("iam")
        for role in new["Roles"]:
            client.put_role_policy(
                RoleName=role, PolicyName=new["PolicyName"], PolicyDocument=json.dumps(new["PolicyDocument"])
            )
        for role in set(old.get("Roles", ())) - set(new["Roles"]):
            with suppress(ClientError):
                client.delete_role_policy(RoleName=role, PolicyName=old["PolicyName"])
        return made

    def delete(self, around: Surroundings, _made: Made, old: Properties) -> None:
        """Remove it from each role."""
        for role in old["Roles"]:
            gone(around.client("iam").delete_role_policy, RoleName=role, PolicyName=old["PolicyName"])
