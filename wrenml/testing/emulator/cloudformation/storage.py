"""Buckets and their policies."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from wrenml.testing.emulator.cloudformation.provider import Made, Properties, Surroundings, gone, or_undo

__all__ = ["Bucket", "BucketPolicy"]


class Bucket:
    """``AWS::S3::Bucket``."""

    known = frozenset(
        {
            "BucketEncryption",
            "BucketName",
            "BucketNamespace",
            "LifecycleConfiguration",
            "OwnershipControls",
            "PublicAccessBlockConfiguration",
            "Tags",
            "VersioningConfiguration",
        }
    )
    fixed = frozenset({"BucketName", "BucketNamespace"})

    def create(self, around: Surroundings, logical: str, new: Properties) -> Made:
        """Make the bucket, then its settings."""
        name = new.get("BucketName") or around.name(logical).lower()
        own = f"-{around.account}-{around.region}-an"
        if new.get("BucketNamespace") == "account-regional" and not name.endswith(own):
            raise ValueError(f"a name in the account-regional namespace ends with {own}")
        client = around.client("s3")
        # S3 itself answers as if it had made a bucket that its owner has already; CloudFormation does not.
        if name in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
            raise ValueError(f"{name} already exists")
        place = {} if around.region == "us-east-1" else {"LocationConstraint": around.region}
        client.create_bucket(Bucket=name, **({"CreateBucketConfiguration": place} if place else {}))
        attributes = {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{around.region}.amazonaws.com",
        }
        made = Made(name, attributes)
        with or_undo(lambda: self.delete(around, made, new)):
            return self.update(around, made, {}, new)

    def update(self, around: Surroundings, made: Made, old: Properties, new: Properties) -> Made:
        """Put the settings, and take back those that are no longer said."""
        client = around.client("s3")
        for setting, (put, delete, argument, convert) in _SETTINGS.items():
            if setting in new:
                getattr(client, put)(Bucket=made.physical, **{argument: convert(new[setting])})
            elif setting in old and delete:
                getattr(client, delete)(Bucket=made.physical)
        tags = around.tag_list(new.get("Tags"))
        if tags:
            client.put_bucket_tagging(Bucket=made.physical, Tagging={"TagSet": tags})
        return made

    def delete(self, around: Surroundings, made: Made, _old: Properties) -> None:
        """Remove the bucket, which has to be empty."""
        gone(around.client("s3").delete_bucket, Bucket=made.physical)


class BucketPolicy:
    """``AWS::S3::BucketPolicy``."""

    known = frozenset({"Bucket", "PolicyDocument"})
    fixed = frozenset({"Bucket"})

    def create(self, around: Surroundings, _logical: str, new: Properties) -> Made:
        """Put the policy."""
        return self.update(around, Made(new["Bucket"], {}), {}, new)

    def update(self, around: Surroundings, made: Made, _old: Properties, new: Properties) -> Made:
        """Put the policy."""
        around.client("s3").put_bucket_policy(Bucket=made.physical, Policy=json.dumps(new["PolicyDocument"]))
        return made

    def delete(self, around: Surroundings, made: Made, _old: Properties) -> None:
        """Remove the policy."""
        gone(around.client("s3").delete_bucket_policy, Bucket=made.physical)


def _encryption(said: Mapping[str, Any]) -> dict[str, Any]:
    rules = []
    for rule in said["ServerSideEncryptionConfiguration"]:
        default = dict(rule["ServerSideEncryptionByDefault"])
        made = {"ApplyServerSideEncryptionByDefault": default}
        rules.append(made | ({"BucketKeyEnabled": rule["BucketKeyEnabled"]} if "BucketKeyEnabled" in rule else {}))
    return {"Rules": rules}


def _lifecycle(said: Mapping[str, Any]) -> dict[str, Any]:
    rules = []
    for rule in said["Rules"]:
        made: dict[str, Any] = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
        if "Id" in rule:
            made["ID"] = rule["Id"]
        if "ExpirationInDays" in rule:
            made["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
        if "AbortIncompleteMultipartUpload" in rule:
            days = int(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])
            made["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
        rules.append(made)
    return {"Rules": rules}


def _ownership(said: Mapping[str, Any]) -> dict[str, Any]:
    return {"Rules": [{"ObjectOwnership": rule["ObjectOwnership"]} for rule in said["Rules"]]}


_SETTINGS: Mapping[str, tuple[str, str, str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "BucketEncryption": (
        "put_bucket_encryption",
        "delete_bucket_encryption",
        "ServerSideEncryptionConfiguration",
        _encryption,
    ),
    "LifecycleConfiguration": (
        "put_bucket_lifecycle_configuration",
        "delete_bucket_lifecycle",
        "LifecycleConfiguration",
        _lifecycle,
    ),
    "OwnershipControls": (
        "put_bucket_ownership_controls",
        "delete_bucket_ownership_controls",
        "OwnershipControls",
        _ownership,
    ),
    "PublicAccessBlockConfiguration": (
        "put_public_access_block",
        "delete_public_access_block",
        "PublicAccessBlockConfiguration",
        dict,
    ),
    "VersioningConfiguration": ("put_bucket_versioning", "", "VersioningConfiguration", dict),
}
