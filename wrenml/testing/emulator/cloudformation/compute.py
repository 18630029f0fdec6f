"""Functions, their versions, aliases and settings, and what watches them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from wrenml.testing.emulator.cloudformation.provider import Made, Properties, Surroundings, gone, or_undo

__all__ = ["Alarm", "Alias", "EventInvokeConfig", "Function", "LogGroup", "Topic", "Version"]

_CONFIGURED = (
    "Description",
    "Environment",
    "EphemeralStorage",
    "Handler",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "Timeout",
    "TracingConfig",
)
_NUMBERS = ("MemorySize", "Timeout")


class Function:
    """``AWS::Lambda::Function``."""

    known = frozenset(
        {*_CONFIGURED, "Architectures", "Code", "FunctionName", "PackageType", "ReservedConcurrentExecutions", "Tags"}
    )
    fixed = frozenset({"FunctionName", "PackageType"})

    def create(self, around: Surroundings, logical: str, new: Properties) -> Made:
        """Make the function, and wait until it is there."""
        name = new.get("FunctionName") or around.name(logical)
        client = around.client("lambda")
        tags = {tag["Key"]: tag["Value"] for tag in around.tag_list(new.get("Tags"))}
        arn = client.create_function(
            FunctionName=name,
            Code=_code(new["Code"]),
            Tags=tags,
            **_configuration(new),
            **({"Architectures": new["Architectures"]} if "Architectures" in new else {}),
        )["FunctionArn"]
        made = Made(name, {"Arn": arn})
        with or_undo(lambda: self.delete(around, made, new)):
            _wait(client, name)
            self._reserve(client, name, {}, new)
        return made

    def update(self, around: Surroundings, made: Made, old: Properties, new: Properties) -> Made:
        """Change the code, then the configuration, so that what is published later has both."""
        client, name = around.client("lambda"), made.physical
        if old.get("Code") != new["Code"] or old.get("Architectures") != new.get("Architectures"):
            architectures = {"Architectures": new["Architectures"]} if "Architectures" in new else {}
            client.update_function_code(FunctionName=name, **_code(new["Code"]), **architectures)
            _wait(client, name)
        if _configuration(old) != _configuration(new):
            client.update_function_configuration(FunctionName=name, **_configuration(new))
            _wait(client, name)
        self._reserve(client, name, old, new)
        return made

    @staticmethod
    def _reserve(client: Any, name: str, old: Properties, new: Properties) -> None:  # noqa: ANN401 - boto3's
        if "ReservedConcurrentExecutions" in new:
            wanted = int(new["ReservedConcurrentExecutions"])
            client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=wanted)
        elif "ReservedConcurrentExecutions" in old:
            client.delete_function_concurrency(FunctionName=name)

    def delete(self, around: Surroundings, made: Made, _old: Properties) -> None:
        """Remove the function and all that belongs to it."""
        gone(around.client("lambda").delete_function, FunctionName=made.physical)


def _configuration(said: Properties) -> dict[str, Any]:
    made = {name: said[name] for name in _CONFIGURED if name in said}
    made |= {name: int(made[name]) for name in _NUMBERS if name in made}
    if "EphemeralStorage" in made:
        made["EphemeralStorage"] = {"Size": int(made["EphemeralStorage"]["Size"])}
    if "Environment" in made:
        variables = made["Environment"].get("Variables", {})
        made["Environment"] = {"Variables": {key: str(value) for key, value in variables.items()}}
    return made


def _code(said: Mapping[str, Any]) -> dict[str, Any]:
    if "ZipFile" not in said:
        return {name: said[name] for name in ("S3Bucket", "S3Key", "S3ObjectVersion") if name in said}
    # In a template, this is the source of a module `index`.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py"), said["ZipFile"])
    return {"ZipFile": buffer.getvalue()}


def _wait(client: Any, name: str) -> None:  # noqa: ANN401 - boto3's
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 600})
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 600})


class Version:
    """``AWS::Lambda::Version``; ``Ref`` is its ARN. It stays what it was when it was made."""

    known = frozenset({"CodeSha256", "Description", "FunctionName"})
    fixed = frozenset({"CodeSha256", "Description", "FunctionName"})

    def create(self, around: Surroundings, _logical: str, new: Properties) -> Made:
        """Publish the function as it is now."""
        made = around.client("lambda").publish_version(**new)
        return Made(made["FunctionArn"], {"Version": made["Version"], "FunctionArn": made["FunctionArn"]})

    def update(self, _around: Surroundings, made: Made, _old: Properties, _new: Properties) -> Made:
        """Nothing of it can change."""
        return made

    def delete(self, around: Surroundings, made: Made, old: Properties) -> None:
        """Remove the version."""
        qualifier = made.attributes["Version"]
        gone(around.client("lambda").delete_function, FunctionName=old["FunctionName"], Qualifier=qualifier)


class Alias:
    """``AWS::Lambda::Alias``; ``Ref`` is its ARN."""

    known = frozenset({"Description", "FunctionName", "FunctionVersion", "Name"})
    fixed = frozenset({"FunctionName", "Name"})

    def create(self, around: Surroundings, _logical: str, new: Properties) -> Made:
        """Make the alias."""
        arn = around.client("lambda").create_alias(**new)["AliasArn"]
        return Made(arn, {"AliasArn": arn})

    def update(self, around: Surroundings, made: Made, _old: Properties, new: Properties) -> Made:
        """Let it name another version."""
        around.client("lambda").update_alias(**new)
        return made

    def delete(self, around: Surroundings, _made: Made, old: Properties) -> None:
        """Remove the alias."""
        gone(around.client("lambda").delete_alias, FunctionName=old["FunctionName"], Name=old["Name"])


class EventInvokeConfig:
    """``AWS::Lambda::EventInvokeConfig``."""

    known = frozenset(
        {"DestinationConfig", "FunctionName", "MaximumEventAgeInSeconds", "MaximumRetryAttempts", "Qualifier"}
    )
    fixed = frozenset({"FunctionName", "Qualifier"})

    def create(self, around: Surroundings, logical: str, new: Properties) -> Made:
        """Put the settings."""
        return self.update(around, Made(around.name(logical), {}), {}, new)

    def update(self, around: Surroundings, made: Made, _old: Properties, new: Properties) -> Made:
        """Put the settings."""
        numbers = {name: int(new[name]) for name in ("MaximumEventAgeInSeconds", "MaximumRetryAttempts") if name in new}
        around.client("lambda").put_function_event_invoke_config(**{**new, **numbers})
        return made

    def delete(self, around: Surroundings, _made: Made, old: Properties) -> None:
        """Remove the settings."""
        where = {"FunctionName": old["FunctionName"], "Qualifier": old["Qualifier"]}
        gone(around.client("lambda").delete_function_event_invoke_config, **where)


class LogGroup:
    """``AWS::Logs::LogGroup``."""

    known = frozenset({"LogGroupName", "RetentionInDays", "Tags"})
    fixed = frozenset({"LogGroupName"})

    def create(self, around: Surroundings, logical: str, new: Properties) -> Made:
        """Make the group."""
        name = new.get("LogGroupName") or around.name(logical)
        tags = {tag["Key"]: tag["Value"] for tag in around.tag_list(new.get("Tags"))}
        around.client("logs").create_log_group(logGroupName=name, **({"tags": tags} if tags else {}))
        arn = f"arn:aws:logs:{around.region}:{around.account}:log-group:{name}:*"
        made = Made(name, {"Arn": arn})
        with or_undo(lambda: self.delete(around, made, new)):
            return self.update(around, made, {}, new)

    def update(self, around: Surroundings, made: Made, _old: Properties, new: Properties) -> Made:
        """Say how long lines are kept."""
        client = around.client("logs")
        if "RetentionInDays" in new:
            days = int(new["RetentionInDays"])
            client.put_retention_policy(logGroupName=made.physical, retentionInDays=days)
        else:
            client.delete_retention_policy(logGroupName=made.physical)
        return made

    def delete(self, around: Surroundings, made: Made, _old: Properties) -> None:
        """Remove the group and its lines."""
        client = around.client("logs")
        try:
            client.delete_log_group(logGroupName=made.physical)
        except client.exceptions.ResourceNotFoundException:
            return


class Alarm:
    """``AWS::CloudWatch::Alarm``."""

    known = frozenset(
        {
            "ActionsEnabled",
            "AlarmActions",
            "AlarmDescription",
            "AlarmName",
            "ComparisonOperator",
            "Dimensions",
            "EvaluationPeriods",
            "MetricName",
            "Namespace",
            "Period",
            "Statistic",
            "Threshold",
            "TreatMissingData",
        }
    )
    fixed = frozenset({"AlarmName"})

    def create(self, around: Surroundings, logical: str, new: Properties) -> Made:
        """Make the alarm."""
        name = new.get("AlarmName") or around.name(logical)
        arn = f"arn:aws:cloudwatch:{around.region}:{around.account}:alarm:{name}"
        return self.update(around, Made(name, {"Arn": arn}), {}, new)

    def update(self, around: Surroundings, made: Made, _old: Properties, new: Properties) -> Made:
        """Put the alarm."""
        numbers = {name: int(new[name]) for name in ("EvaluationPeriods", "Period") if name in new}
        numbers |= {name: float(new[name]) for name in ("Threshold",) if name in new}  # type: ignore[misc]
        around.client("cloudwatch").put_metric_alarm(**{**new, **numbers, "AlarmName": made.physical})
        return made

    def delete(self, around: Surroundings, made: Made, _old: Properties) -> None:
        """Remove the alarm."""
        around.client("cloudwatch").delete_alarms(AlarmNames=[made.physical])


class Topic:
    """``AWS::SNS::Topic``; ``Ref`` is its ARN."""

    known = frozenset({"TopicName"})
    fixed = frozenset({"TopicName"})

    def create(self, around: Surroundings, logical: str, new: Properties) -> Made:
        """Make the topic."""
        name = new.get("TopicName") or around.name(logical)
        arn = around.client("sns").create_topic(Name=name)["TopicArn"]
        return Made(arn, {"TopicArn": arn, "TopicName": name})

    def update(self, _around: Surroundings, made: Made, _old: Properties, _new: Properties) -> Made:
        """Nothing of it changes."""
        return made

    def delete(self, around: Surroundings, made: Made, _old: Properties) -> None:
        """Remove the topic."""
        gone(around.client("sns").delete_topic, TopicArn=made.physical)
