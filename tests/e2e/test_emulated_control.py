from __future__ import annotations

import io
import json
import sys
import zipfile
from itertools import count
from typing import Any

import pytest

from tests.support.emulated import Client, aws, client, emulator, refused
from wrenml.testing.emulator import Emulator

__all__ = ["aws", "emulator"]  # fixtures

ROLE = "arn:aws:iam::123456789012:role/worker"
_names = count()


@pytest.fixture(scope="module")
def functions(emulator: Emulator) -> Client:
    return client(emulator, "lambda")


def package(answer: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("main.py", f"def handle(event, context): return [{answer!r}, context.function_version]\n")
    return buffer.getvalue()


def wait(functions: Client, name: str) -> None:
    for state in ("function_active_v2", "function_updated_v2"):
        functions.get_waiter(state).wait(FunctionName=name, WaiterConfig={"Delay": 0.02})


@pytest.fixture
def name(functions: Client) -> str:
    """A function that answers "one" and its version."""
    name = f"function-{next(_names)}"
    create(functions, name)
    wait(functions, name)
    return name


def create(functions: Client, name: str, **changes: object) -> dict[str, Any]:
    settings = {
        "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "Role": ROLE,
        "Handler": "main.handle",
        "Code": {"ZipFile": package("one")},
        "MemorySize": 256,
    }
    made: dict[str, Any] = functions.create_function(FunctionName=name, **settings | changes)
    return made


def change_code(functions: Client, name: str, answer: str, **more: object) -> dict[str, Any]:
    made: dict[str, Any] = functions.update_function_code(FunctionName=name, ZipFile=package(answer), **more)
    wait(functions, name)
    return made


class TestFunctions:
    """docs.aws.amazon.com/lambda/latest/dg/functions-states.html."""

    def test_one_is_pending_before_it_is_active(self, functions: Client, aws: Emulator) -> None:
        name = f"function-{next(_names)}"
        before, aws.control.changing_seconds = aws.control.changing_seconds, 1.0
        assert create(functions, name)["State"] == "Pending"
        assert refused(functions.update_function_configuration, FunctionName=name, Timeout=5) == (
            409,
            "ResourceConflictException",
        )
        aws.control.changing_seconds = before
        wait(functions, name)
        found = functions.get_function_configuration(FunctionName=name)
        assert (found["State"], found["LastUpdateStatus"]) == ("Active", "Successful")

    def test_a_name_is_taken_once(self, functions: Client, name: str) -> None:
        with pytest.raises(functions.exceptions.ResourceConflictException):
            create(functions, name)

    def test_what_is_not_there(self, functions: Client, name: str) -> None:
        for wrong in ({"FunctionName": "nobody"}, {"FunctionName": name, "Qualifier": "7"}):
            missing = (404, "ResourceNotFoundException")
            assert refused(functions.get_function_configuration, **wrong) == missing
            assert refused(functions.invoke, **wrong) == missing

    @pytest.mark.parametrize(
        "wrong",
        [
            {"MemorySize": 64},
            {"Timeout": 901},
            {"Environment": {"Variables": {"A": "x" * 4096}}},
            {"Code": {"ZipFile": b"no zip"}},
            {"Code": {"S3Bucket": "nowhere", "S3Key": "a"}},
        ],
    )
    def test_what_lambda_does_not_take(self, functions: Client, wrong: dict[str, Any]) -> None:
        with pytest.raises(functions.exceptions.InvalidParameterValueException):
            create(functions, "wrong", **wrong)

    def test_code_from_a_bucket_runs(self, functions: Client, aws: Emulator) -> None:
        name = f"function-{next(_names)}"
        aws.s3.create("code").put("a.zip", package("stored"))
        create(functions, name, Code={"S3Bucket": "code", "S3Key": "a.zip"})
        wait(functions, name)
        answer = functions.invoke(FunctionName=name)
        assert json.load(answer["Payload"]) == ["stored", "$LATEST"]

    def test_tags_and_layers(self, functions: Client, name: str) -> None:
        layer = functions.publish_layer_version(LayerName="layer", Content={"ZipFile": package("layer")})
        functions.update_function_configuration(FunctionName=name, Layers=[layer["LayerVersionArn"]])
        wait(functions, name)
        functions.tag_resource(
            Resource=functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"], Tags={"a": "b"}
        )
        found = functions.get_function(FunctionName=name)
        assert found["Tags"] == {"a": "b"}
        assert [one["Arn"] for one in found["Configuration"]["Layers"]] == [layer["LayerVersionArn"]]

    def test_account_settings(self, functions: Client, aws: Emulator) -> None:
        limit = functions.get_account_settings()["AccountLimit"]
        assert limit["ConcurrentExecutions"] == aws.functions.settings.account_concurrency
        assert limit["CodeSizeUnzipped"] == 262_144_000


class TestVersions:
    """docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html."""

    def test_one_keeps_the_code_of_its_moment(self, functions: Client, name: str) -> None:
        first = functions.publish_version(FunctionName=name)["Version"]
        change_code(functions, name, "two")
        second = functions.publish_version(FunctionName=name)["Version"]
        answers = [
            json.load(functions.invoke(FunctionName=name, Qualifier=version)["Payload"]) for version in (first, second)
        ]
        assert answers == [["one", "1"], ["two", "2"]]

    def test_nothing_new_is_no_new_version(self, functions: Client, name: str) -> None:
        versions = {functions.publish_version(FunctionName=name)["Version"] for _ in range(2)}
        assert versions == {"1"}

    def test_a_number_is_never_used_again(self, functions: Client, name: str) -> None:
        functions.publish_version(FunctionName=name)
        functions.delete_function(FunctionName=name, Qualifier="1")
        change_code(functions, name, "two")
        assert functions.publish_version(FunctionName=name)["Version"] == "2"

    def test_the_expected_code(self, functions: Client, name: str) -> None:
        with pytest.raises(functions.exceptions.InvalidParameterValueException):
            functions.publish_version(FunctionName=name, CodeSha256="other")

    def test_the_expected_revision(self, functions: Client, name: str) -> None:
        with pytest.raises(functions.exceptions.PreconditionFailedException):
            functions.update_function_code(FunctionName=name, ZipFile=package("two"), RevisionId="other")

    def test_one_with_an_alias_stays(self, functions: Client, name: str) -> None:
        functions.publish_version(FunctionName=name)
        functions.create_alias(FunctionName=name, Name="v1", FunctionVersion="1")
        with pytest.raises(functions.exceptions.ResourceConflictException):
            functions.delete_function(FunctionName=name, Qualifier="1")
        functions.delete_alias(FunctionName=name, Name="v1")
        functions.delete_function(FunctionName=name, Qualifier="1")


class TestAliases:
    """docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html."""

    def test_one_names_a_version(self, functions: Client, name: str) -> None:
        functions.publish_version(FunctionName=name)
        functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        change_code(functions, name, "two")
        functions.publish_version(FunctionName=name)
        assert json.load(functions.invoke(FunctionName=name, Qualifier="live")["Payload"])[1] == "1"
        functions.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
        assert functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "2"
        assert json.load(functions.invoke(FunctionName=f"{name}:live")["Payload"])[1] == "2"
        found = functions.get_function_configuration(FunctionName=name, Qualifier="live")
        assert (found["Version"], found["FunctionArn"].rpartition(":")[2]) == ("2", "live")

    def test_it_needs_a_version_and_a_free_name(self, functions: Client, name: str) -> None:
        with pytest.raises(functions.exceptions.ResourceNotFoundException):
            functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        functions.publish_version(FunctionName=name)
        functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        with pytest.raises(functions.exceptions.ResourceConflictException):
            functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")


class TestSettings:
    """docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html and configuration-concurrency.html."""

    def test_event_settings_belong_to_one_alias_and_are_replaced(self, functions: Client, name: str) -> None:
        functions.publish_version(FunctionName=name)
        functions.create_alias(FunctionName=name, Name="v1", FunctionVersion="1")
        where = {"FunctionName": name, "Qualifier": "v1"}
        functions.put_function_event_invoke_config(**where, MaximumRetryAttempts=0, MaximumEventAgeInSeconds=120)
        functions.put_function_event_invoke_config(**where, MaximumRetryAttempts=1)
        found = functions.get_function_event_invoke_config(**where)
        assert found["MaximumRetryAttempts"] == 1
        assert "MaximumEventAgeInSeconds" not in found
        functions.update_function_event_invoke_config(**where, MaximumEventAgeInSeconds=60)
        assert functions.get_function_event_invoke_config(**where)["MaximumRetryAttempts"] == 1
        with pytest.raises(functions.exceptions.ResourceNotFoundException):
            functions.get_function_event_invoke_config(FunctionName=name)

    def test_values_are_checked(self, functions: Client, name: str) -> None:
        for wrong in ({"MaximumRetryAttempts": 3}, {"MaximumEventAgeInSeconds": 59}):
            status, _ = refused(functions.put_function_event_invoke_config, FunctionName=name, **wrong)
            assert status == 400

    def test_reserved_concurrency_leaves_a_hundred(self, functions: Client, name: str) -> None:
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=900)
        assert functions.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 100
        with pytest.raises(functions.exceptions.InvalidParameterValueException):
            functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=901)
        functions.delete_function_concurrency(FunctionName=name)
        assert "ReservedConcurrentExecutions" not in functions.get_function_concurrency(FunctionName=name)

    def test_none_left_means_429(self, functions: Client, name: str) -> None:
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        with pytest.raises(functions.exceptions.TooManyRequestsException) as caught:
            functions.invoke(FunctionName=name)
        assert caught.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"

    def test_a_dry_run_runs_nothing(self, functions: Client, name: str) -> None:
        assert functions.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204
