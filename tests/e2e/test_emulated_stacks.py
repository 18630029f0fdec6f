from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulated import Client, aws, client, emulator, refused
from wrenml.aws.deployment import load_deployment
from wrenml.aws.session import Session
from wrenml.testing.emulator import Emulator
from wrenml.testing.emulator.faults import Refuse

__all__ = ["aws", "emulator"]  # fixtures

Eventually = Callable[..., None]
_names = count()

BUCKET = """
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub ${AWS::StackName}-data
      PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: true}
      LifecycleConfiguration:
        Rules: [{Id: old, Status: Enabled, Prefix: jobs/, ExpirationInDays: 14}]
  BucketPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Deny, Principal: "*", Action: "s3:*", Resource: !GetAtt Bucket.Arn}]
"""
ROLE = """
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
      ManagedPolicyArns: [!Ref Reading]
  Reading:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: "*"}]}
"""
FUNCTION = (
    ROLE
    + """
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: PYTHON
      Handler: index.handle
      Role: !GetAtt Role.Arn
      EphemeralStorage: {Size: 1024}
      Architectures: [x86_64]
      LoggingConfig: {LogFormat: JSON, LogGroup: !Ref Log}
      Code: {ZipFile: "def handle(event, context): return ANSWER"}
  VersionANSWER:
    Type: AWS::Lambda::Version
    Properties: {FunctionName: !Ref Function}
  Alias:
    Type: AWS::Lambda::Alias
    Properties: {FunctionName: !Ref Function, FunctionVersion: !GetAtt VersionANSWER.Version, Name: live}
  Events:
    Type: AWS::Lambda::EventInvokeConfig
    Properties: {FunctionName: !Ref Function, Qualifier: live, MaximumRetryAttempts: 0}
    DependsOn: Alias
  Log:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: 14}
"""
).replace("PYTHON", f"python{sys.version_info.major}.{sys.version_info.minor}")


class Deployed:
    """A stack, changed by change sets as people do."""

    def __init__(self, aws: Emulator, eventually: Eventually) -> None:
        self.name = f"stack-{next(_names)}"
        self.client: Client = client(aws, "cloudformation")
        self._eventually = eventually

    def propose(self, resources: str, head: str = "", **parameters: str) -> dict[str, Any]:
        self.client.create_change_set(
            StackName=self.name,
            ChangeSetName="changes",
            ChangeSetType="UPDATE" if self.exists() else "CREATE",
            TemplateBody=f"{head}\nResources:{resources}",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        found: dict[str, Any] = self.client.describe_change_set(StackName=self.name, ChangeSetName="changes")
        return found

    def apply(self, resources: str, head: str = "", **parameters: str) -> str:
        self.propose(resources, head, **parameters)
        self.client.execute_change_set(StackName=self.name, ChangeSetName="changes")
        return self.settled()

    def settled(self, name: str = "") -> str:
        self._eventually(lambda: not self.describe(name)["StackStatus"].endswith("_IN_PROGRESS"))
        return str(self.describe(name)["StackStatus"])

    def describe(self, name: str = "") -> dict[str, Any]:
        found: dict[str, Any] = self.client.describe_stacks(StackName=name or self.name)["Stacks"][0]
        return found

    def exists(self) -> bool:
        return any(one["StackName"] == self.name for one in self.client.describe_stacks()["Stacks"])

    def outputs(self) -> dict[str, str]:
        return {one["OutputKey"]: one["OutputValue"] for one in self.describe()["Outputs"]}

    def resource(self, logical: str) -> str:
        found = self.client.describe_stack_resources(StackName=self.name)["StackResources"]
        return str(next(one["PhysicalResourceId"] for one in found if one["LogicalResourceId"] == logical))

    def events(self) -> list[tuple[str, str]]:
        found = self.client.describe_stack_events(StackName=self.name)["StackEvents"]
        return [(one["LogicalResourceId"], one["ResourceStatus"]) for one in reversed(found)]


@pytest.fixture
def stack(aws: Emulator, eventually: Eventually) -> Deployed:
    return Deployed(aws, eventually)


def test_a_bucket_has_all_that_its_template_says(stack: Deployed, aws: Emulator) -> None:
    assert stack.apply(BUCKET) == "CREATE_COMPLETE"
    s3, name = client(aws, "s3"), f"{stack.name}-data"
    assert s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] is True
    [rule] = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert (rule["ID"], rule["Filter"], rule["Expiration"]) == ("old", {"Prefix": "jobs/"}, {"Days": 14})
    [statement] = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"]
    assert statement["Resource"] == f"arn:aws:s3:::{name}"


def test_a_function_has_all_that_its_template_says(stack: Deployed, aws: Emulator) -> None:
    assert stack.apply(FUNCTION.replace("ANSWER", "1")) == "CREATE_COMPLETE"
    functions, name = client(aws, "lambda"), stack.resource("Function")
    found = functions.get_function_configuration(FunctionName=name, Qualifier="live")
    assert found["EphemeralStorage"] == {"Size": 1024}
    assert found["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": stack.resource("Log")}
    assert found["Role"].endswith(stack.resource("Role"))
    where = {"FunctionName": name, "Qualifier": "live"}
    assert functions.get_function_event_invoke_config(**where)["MaximumRetryAttempts"] == 0
    attached = client(aws, "iam").list_attached_role_policies(RoleName=stack.resource("Role"))["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [stack.resource("Reading")]
    [group] = client(aws, "logs").describe_log_groups(logGroupNamePrefix=stack.resource("Log"))["logGroups"]
    assert group["retentionInDays"] == 14


def test_a_version_is_published_from_the_new_code(stack: Deployed, aws: Emulator) -> None:
    assert stack.apply(FUNCTION.replace("ANSWER", "1")) == "CREATE_COMPLETE"
    assert stack.apply(FUNCTION.replace("ANSWER", "2")) == "UPDATE_COMPLETE"
    answer = client(aws, "lambda").invoke(FunctionName=stack.resource("Function"), Qualifier="live")
    assert json.load(answer["Payload"]) == 2


def test_a_change_set_says_what_would_change_and_changes_nothing(stack: Deployed, aws: Emulator) -> None:
    assert stack.apply(BUCKET) == "CREATE_COMPLETE"
    proposed = stack.propose(
        BUCKET.replace("ExpirationInDays: 14", "ExpirationInDays: 7").replace("BucketPolicy:", "Policy:")
    )
    found = {
        (one["ResourceChange"]["Action"], one["ResourceChange"]["LogicalResourceId"]) for one in proposed["Changes"]
    }
    assert found == {("Modify", "Bucket"), ("Add", "Policy"), ("Remove", "BucketPolicy")}
    [rule] = client(aws, "s3").get_bucket_lifecycle_configuration(Bucket=f"{stack.name}-data")["Rules"]
    assert rule["Expiration"] == {"Days": 14}


def test_nothing_to_change(stack: Deployed) -> None:
    stack.apply(BUCKET)
    proposed = stack.propose(BUCKET)
    assert proposed["Status"] == "FAILED"
    assert "didn't contain changes" in proposed["StatusReason"]


def test_what_is_taken_out_is_removed(stack: Deployed, aws: Emulator) -> None:
    stack.apply(BUCKET + ROLE)
    role = stack.resource("Role")
    assert stack.apply(BUCKET) == "UPDATE_COMPLETE"
    assert refused(client(aws, "iam").get_role, RoleName=role)[0] == 404


def test_another_name_is_another_bucket(stack: Deployed, aws: Emulator) -> None:
    stack.apply(BUCKET)
    other = BUCKET.replace("-data", "-other")
    [change] = [
        one["ResourceChange"]
        for one in stack.propose(other)["Changes"]
        if one["ResourceChange"]["ResourceType"].endswith("Bucket")
    ]
    assert change["Replacement"] == "True"
    stack.client.execute_change_set(StackName=stack.name, ChangeSetName="changes")
    assert stack.settled() == "UPDATE_COMPLETE"
    names = {bucket["Name"] for bucket in client(aws, "s3").list_buckets()["Buckets"]}
    assert {f"{stack.name}-data", f"{stack.name}-other"} & names == {f"{stack.name}-other"}


def test_roles_may_have_policies_of_awss_own(stack: Deployed, aws: Emulator) -> None:
    own = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    assert stack.apply(ROLE.replace("[!Ref Reading]", f"[{own}]")) == "CREATE_COMPLETE"
    attached = client(aws, "iam").list_attached_role_policies(RoleName=stack.resource("Role"))["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [own]


class TestFailures:
    def test_what_was_made_is_removed_again(self, stack: Deployed, aws: Emulator) -> None:
        aws.faults.add(Refuse(400, "MalformedPolicy"), "PutBucketPolicy")
        assert stack.apply(BUCKET) == "ROLLBACK_COMPLETE"
        assert ("BucketPolicy", "CREATE_FAILED") in stack.events()
        assert f"{stack.name}-data" not in {one["Name"] for one in client(aws, "s3").list_buckets()["Buckets"]}

    def test_what_was_half_made_is_removed_again(self, stack: Deployed, aws: Emulator) -> None:
        aws.faults.add(Refuse(400, "InvalidRequest"), "PutBucketLifecycleConfiguration")
        assert stack.apply(BUCKET) == "ROLLBACK_COMPLETE"
        assert f"{stack.name}-data" not in {one["Name"] for one in client(aws, "s3").list_buckets()["Buckets"]}

    def test_a_function_that_cannot_have_its_share_is_removed_again(self, stack: Deployed, aws: Emulator) -> None:
        functions, before = client(aws, "lambda"), len(aws.control.functions)
        share = "Size: 1024}\n      ReservedConcurrentExecutions: 901"
        greedy = FUNCTION.replace("ANSWER", "1").replace("Size: 1024}", share)
        assert stack.apply(greedy) == "ROLLBACK_COMPLETE"
        assert ("Function", "CREATE_FAILED") in stack.events()
        assert len(functions.list_functions()["Functions"]) == before

    def test_an_update_goes_back_to_what_was(self, stack: Deployed, aws: Emulator) -> None:
        stack.apply(BUCKET)
        aws.faults.add(Refuse(400, "MalformedPolicy"), "PutBucketPolicy", times=1)
        changed = BUCKET.replace("ExpirationInDays: 14", "ExpirationInDays: 7").replace("Effect: Deny", "Effect: Allow")
        assert stack.apply(changed) == "UPDATE_ROLLBACK_COMPLETE"
        [rule] = client(aws, "s3").get_bucket_lifecycle_configuration(Bucket=f"{stack.name}-data")["Rules"]
        assert rule["Expiration"] == {"Days": 14}

    def test_a_name_that_is_taken(self, stack: Deployed, aws: Emulator) -> None:
        client(aws, "s3").create_bucket(Bucket=f"{stack.name}-data")
        assert stack.apply(BUCKET) == "ROLLBACK_COMPLETE"
        assert f"{stack.name}-data" in {one["Name"] for one in client(aws, "s3").list_buckets()["Buckets"]}

    def test_what_is_not_emulated_says_so(self, stack: Deployed) -> None:
        assert stack.apply("\n  Queue: {Type: AWS::SQS::Queue}") == "ROLLBACK_COMPLETE"
        found = stack.client.describe_stack_events(StackName=stack.name)["StackEvents"]
        reasons = [one["ResourceStatusReason"] for one in found if one["ResourceStatus"] == "CREATE_FAILED"]
        assert reasons == ["the emulated CloudFormation makes no AWS::SQS::Queue"]


class TestRemoval:
    def test_everything_goes(self, stack: Deployed, aws: Emulator) -> None:
        stack.apply(BUCKET + FUNCTION.replace("ANSWER", "1"))
        function, arn = stack.resource("Function"), stack.describe()["StackId"]
        stack.client.delete_stack(StackName=stack.name)
        assert stack.settled(arn) == "DELETE_COMPLETE"
        assert refused(stack.client.describe_stacks, StackName=stack.name) == (400, "ValidationError")
        assert refused(client(aws, "lambda").get_function, FunctionName=function)[0] == 404
        assert f"{stack.name}-data" not in {one["Name"] for one in client(aws, "s3").list_buckets()["Buckets"]}

    def test_a_bucket_with_objects_stays(self, stack: Deployed, aws: Emulator) -> None:
        stack.apply(BUCKET)
        aws.s3.bucket(f"{stack.name}-data").put("a", b"")
        stack.client.delete_stack(StackName=stack.name)
        assert stack.settled(stack.describe()["StackId"]) == "DELETE_FAILED"
        aws.s3.bucket(f"{stack.name}-data").delete("a")
        arn = stack.describe()["StackId"]
        stack.client.delete_stack(StackName=stack.name)
        assert stack.settled(arn) == "DELETE_COMPLETE"

    def test_what_is_to_be_retained_stays(self, stack: Deployed, aws: Emulator) -> None:
        stack.apply(BUCKET.replace("Type: AWS::S3::Bucket\n", "Type: AWS::S3::Bucket\n    DeletionPolicy: Retain\n"))
        arn = stack.describe()["StackId"]
        stack.client.delete_stack(StackName=stack.name)
        assert stack.settled(arn) == "DELETE_COMPLETE"
        assert f"{stack.name}-data" in {one["Name"] for one in client(aws, "s3").list_buckets()["Buckets"]}


class TestTemplates:
    HEAD = """
Parameters:
  Days: {Type: Number, Default: 3}
  Names: {Type: CommaDelimitedList, Default: "a,b"}
  Kind: {Type: String, AllowedValues: [small, large], Default: small}
Conditions:
  IsLarge: !Equals [!Ref Kind, large]
Outputs:
  Days: {Value: !Ref Days}
  Joined: {Value: !Join ["-", [!Select [1, !Ref Names], !Ref AWS::Region]]}
  Chosen: {Value: !If [IsLarge, !Sub "${Log.Arn}", small]}
"""
    LOG = """
  Log:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: !If [IsLarge, !Ref Days, !Ref AWS::NoValue]}
"""

    def test_functions_parameters_and_conditions(self, stack: Deployed, aws: Emulator) -> None:
        stack.apply(self.LOG, self.HEAD)
        assert stack.outputs() == {"Days": "3", "Joined": "b-us-east-1", "Chosen": "small"}
        stack.apply(self.LOG, self.HEAD, Kind="large", Days="7")
        group = stack.resource("Log")
        assert stack.outputs()["Chosen"] == f"arn:aws:logs:us-east-1:{aws.account}:log-group:{group}:*"
        [found] = client(aws, "logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        assert found["retentionInDays"] == 7

    @pytest.mark.parametrize(
        ("resources", "parameters"),
        [
            ("\n  A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref Nothing}}", {}),
            ("\n  A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref A}}", {}),
            ("\n  A: [", {}),
            (LOG, {"Kind": "medium"}),
            (LOG, {"Other": "1"}),
        ],
    )
    def test_what_cannot_be_meant(self, stack: Deployed, resources: str, parameters: dict[str, str]) -> None:
        with pytest.raises(stack.client.exceptions.ClientError, match="ValidationError"):
            stack.propose(resources, self.HEAD, **parameters)

    def test_roles_need_a_capability(self, stack: Deployed) -> None:
        said = {"StackName": stack.name, "ChangeSetName": "a", "ChangeSetType": "CREATE"}
        found = refused(stack.client.create_change_set, TemplateBody=f"Resources:{ROLE}", **said)
        assert found == (400, "InsufficientCapabilitiesException")

    def test_properties_that_nothing_heeds_are_named(self, stack: Deployed, aws: Emulator) -> None:
        stack.apply("\n  Log: {Type: AWS::Logs::LogGroup, Properties: {KmsKeyId: abc}}")
        assert "AWS::Logs::LogGroup.KmsKeyId" in aws.stacks.not_emulated


def test_a_stack_that_is_there_at_once(aws: Emulator) -> None:
    deployment = aws.install(name="ready", memory_mb=(512, 256))
    found, key = load_deployment(Session(), "ready")
    assert (found, len(key), found.memory_mb) == (deployment, 32, (256, 512))
    functions = client(aws, "lambda")
    where = {"FunctionName": "ready-256", "Qualifier": deployment.alias}
    assert functions.get_function_configuration(**where)["MemorySize"] == 256
    assert functions.get_function_event_invoke_config(**where)["MaximumRetryAttempts"] == 0
    again = aws.install(name="ready", memory_mb=(512, 256), environment={"A": "B"})
    assert (deployment.alias, again.alias) == ("v1", "v2")


def test_a_stack_in_another_region() -> None:
    with Emulator(region="eu-west-1") as there, pytest.MonkeyPatch.context() as patch:
        for name, value in there.environment.items():
            patch.setenv(name, value)
        deployment = there.install()
        assert deployment.region == "eu-west-1"
        assert deployment.bucket.endswith("-eu-west-1-an")
        assert load_deployment(Session(), "wrenml")[0] == deployment


def test_nothing_is_left_of_one(tmp_path: Path) -> None:
    program = """
import boto3, socket, threading
from wrenml.testing.emulator import Emulator

with Emulator() as aws:
    alias = aws.install().alias
    functions = boto3.client("lambda", endpoint_url=aws.url, region_name="us-east-1")
    print(functions.invoke(FunctionName="wrenml-1769", Qualifier=alias)["StatusCode"])
print([thread.name for thread in threading.enumerate()])
try:
    socket.create_connection(("127.0.0.1", aws.port))
except ConnectionRefusedError:
    print("closed")
"""
    variables = {**os.environ, "TMPDIR": str(tmp_path), "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["200", "['MainThread']", "closed"]
    assert list(tmp_path.iterdir()) == []
