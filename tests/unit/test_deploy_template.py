from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from tests.support.cfn import Stack
from tests.support.policies import Asked, applying, is_allowed
from wrenml.deploy.choices import Choices
from wrenml.deploy.names import bucket_names, check_stack
from wrenml.deploy.template import bundled, choices_of, parameters, render
from wrenml.errors import ConfigError

PLAIN = Choices(python="3.13", arch="x86_64")
RICH = Choices(
    python="3.12",
    arch="arm64",
    memory_mb=(1769, 3008, 10240),
    read=("s3://lake/raw/", "s3://public-data"),
    write=("s3://lake/out",),
    policies=("arn:aws:iam::123456789012:policy/extra", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
    max_concurrency=50,
    alarms="arn:aws:sns:eu-west-1:123456789012:alarms",
)
JOB = "3f5fa1"
JOBS, FAILURES = bucket_names("wrenml", "123456789012", "eu-west-1")
LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:wrenml-1769"
TLS = {
    "aws:SecureTransport": "true",
    "s3:TlsVersion": "1.3",
    "aws:PrincipalAccount": "123456789012",
    "aws:PrincipalIsAWSService": "false",
}
IN_FUNCTION = TLS | {"lambda:SourceFunctionArn": LAMBDA}
CREATES = {"s3:ObjectCreationOperation": "true"}
IF_ABSENT = {"s3:if-none-match": "*"} | CREATES


def stack_of(choices: Choices) -> Stack:
    return Stack(render(choices), **parameters(choices))


STACK = stack_of(PLAIN)


def worker_may(
    action: str, resource: str, context: Mapping[str, str] = MappingProxyType({}), stack: Stack = STACK
) -> bool:
    return is_allowed(Asked(action, resource, {**IN_FUNCTION, **context}), stack.worker(), stack.buckets())


def client_may(action: str, resource: str, **context: str) -> bool:
    return is_allowed(Asked(action, resource, TLS | context), STACK.client(), STACK.buckets())


def jobs(key: str) -> str:
    return f"arn:aws:s3:::{JOBS}/{key}"


@pytest.mark.parametrize("choices", [PLAIN, RICH], ids=["plain", "rich"])
def test_cfn_lint_finds_nothing(choices: Choices) -> None:
    found = lint(render(choices), config=ManualArgs(regions=["us-east-1", "eu-west-1"]))
    assert [f"{one.linenumber}: {one.message}" for one in found] == []


def test_the_file_as_it_stands_is_a_stack_of_one_size() -> None:
    assert Stack(Path(bundled("infra/template.yaml")).read_text()).resources == STACK.resources


def test_a_template_says_what_it_was_rendered_from() -> None:
    assert choices_of(render(RICH)) == RICH
    assert choices_of(render(PLAIN)) == PLAIN
    with pytest.raises(ConfigError, match="not rendered"):
        choices_of("Resources: {}")


def test_a_pipeline_needs_no_parameters() -> None:
    assert Stack(render(RICH)).resources == stack_of(RICH).resources


def test_a_function_for_each_size() -> None:
    stack = stack_of(RICH)
    functions = stack.of_type("AWS::Lambda::Function").values()
    assert [(one["FunctionName"], one["MemorySize"]) for one in functions] == [
        ("wrenml-1769", 1769),
        ("wrenml-3008", 3008),
        ("wrenml-10240", 10240),
    ]
    for one in functions:
        assert one["Runtime"] == "python3.12"
        assert one["Architectures"] == ["arm64"]
        assert one["ReservedConcurrentExecutions"] == "50"
        assert one["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": "/wrenml/wrenml"}
        assert "Environment" not in one
    assert len(stack.of_type("AWS::CloudWatch::Alarm")) == 6
    assert stack.resources["Worker"]["Properties"]["ManagedPolicyArns"] == list(RICH.policies)


def test_what_was_not_chosen_is_not_there() -> None:
    assert STACK.of_type("AWS::CloudWatch::Alarm") == {}
    assert STACK.of_type("AWS::IAM::Policy") == {}
    assert "ReservedConcurrentExecutions" not in STACK.resources["Function1769"]["Properties"]
    assert "ManagedPolicyArns" not in STACK.resources["Worker"]["Properties"]


def test_names_agree_with_the_code() -> None:
    buckets = STACK.of_type("AWS::S3::Bucket")
    assert (buckets["Jobs"]["BucketName"], buckets["Failures"]["BucketName"]) == (JOBS, FAILURES)
    longest = bucket_names("a" * 27, "123456789012", "ap-southeast-2")
    assert max(map(len, longest)) <= 63


@pytest.mark.parametrize("name", ["Wrenml", "a", "a" * 28, "1st", "ends-", "under_score", ""])
def test_names_that_no_bucket_can_have(name: str) -> None:
    with pytest.raises(ConfigError, match="stack"):
        check_stack(name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"memory_mb": (128,)},
        {"memory_mb": (3008, 1769)},
        {"memory_mb": (20_000,)},
        {"python": "3.10"},
        {"arch": "riscv"},
        {"read": ("https://bucket",)},
        {"read": ("s3://bucket/*",)},
        {"write": ("s3://bucket/${AWS::StackName}",)},
        {"policies": ("AdministratorAccess",)},
        {"max_concurrency": -1},
        {"alarms": "me@example.com"},
    ],
    ids=str,
)
def test_choices_that_cannot_be_meant(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong)).split("_", maxsplit=1)[0].removesuffix("ies")):
        PLAIN.changed(wrong)


class TestBuckets:
    @pytest.mark.parametrize("name", ["Jobs", "Failures"])
    def test_they_are_private(self, name: str) -> None:
        bucket = STACK.of_type("AWS::S3::Bucket")[name]
        assert bucket["BucketNamespace"] == "account-regional"
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}

    def test_what_expires_when(self) -> None:
        rules = {}
        for bucket in STACK.of_type("AWS::S3::Bucket").values():
            for rule in bucket["LifecycleConfiguration"]["Rules"]:
                rules[rule.get("Prefix")] = rule.get("ExpirationInDays")
        expected = {"blobs/": 14, "jobs/": 14, "cache/": 90, "canary/": 1, "aws/lambda/async/": 14}
        assert {prefix: days for prefix, days in rules.items() if prefix} == expected

    @pytest.mark.parametrize(
        "changed",
        [
            {"aws:SecureTransport": "false"},
            {"s3:TlsVersion": "1.1"},
            {"aws:PrincipalAccount": "999999999999"},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("bucket", [JOBS, FAILURES])
    def test_who_is_refused_whatever_they_are_granted(self, bucket: str, changed: dict[str, str]) -> None:
        everything = [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]
        asked = Asked("s3:GetObject", f"arn:aws:s3:::{bucket}/key", TLS)
        assert is_allowed(asked, everything, STACK.buckets())
        assert not is_allowed(Asked(asked.action, asked.resource, TLS | changed), everything, STACK.buckets())

    def test_nobody_overwrites_an_outcome(self) -> None:
        everything = [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]
        outcome = jobs(f"jobs/{JOB}/out/0000000001")
        for context, expected in [(CREATES, False), (IF_ABSENT, True), ({"s3:ObjectCreationOperation": "false"}, True)]:
            asked = Asked("s3:PutObject", outcome, TLS | context)
            assert is_allowed(asked, everything, STACK.buckets()) is expected, context


class TestWorker:
    @pytest.mark.parametrize(
        "key",
        [
            "blobs/ab12",
            f"jobs/{JOB}/args/0000000000",
            f"jobs/{JOB}/state",
            f"jobs/{JOB}/out/0000000001",
            "data/set/0.npy",
        ],
    )
    def test_reads(self, key: str) -> None:
        assert worker_may("s3:GetObject", jobs(key))

    @pytest.mark.parametrize("key", [f"jobs/{JOB}/manifest", f"jobs/{JOB}/lease/1", "cache/a/b", "code/a.zip", "x"])
    def test_does_not_read(self, key: str) -> None:
        assert not worker_may("s3:GetObject", jobs(key))

    def test_writes_outcomes_if_absent_only(self) -> None:
        outcome = jobs(f"jobs/{JOB}/out/0000000001")
        assert worker_may("s3:PutObject", outcome, IF_ABSENT)
        assert not worker_may("s3:PutObject", outcome, CREATES)
        assert worker_may("s3:PutObject", jobs("data/set/0.npy"), CREATES)

    @pytest.mark.parametrize(
        "key", ["blobs/ab12", f"jobs/{JOB}/args/0", f"jobs/{JOB}/state", "cache/a/b", "code/a.zip"]
    )
    def test_does_not_write(self, key: str) -> None:
        assert not worker_may("s3:PutObject", jobs(key), IF_ABSENT)

    @pytest.mark.parametrize(
        ("action", "resource"),
        [
            ("s3:DeleteObject", jobs(f"jobs/{JOB}/out/0000000001")),
            ("s3:DeleteObject", jobs("data/set/0.npy")),
            ("s3:ListBucket", f"arn:aws:s3:::{JOBS}"),
            ("s3:GetObject", f"arn:aws:s3:::{FAILURES}/aws/lambda/async/wrenml-1769/2026/01/01/a"),
            ("lambda:InvokeFunction", f"{LAMBDA}:v1"),
            ("ssm:GetParameter", "arn:aws:ssm:eu-west-1:123456789012:parameter/wrenml/wrenml/root"),
            ("logs:CreateLogGroup", "arn:aws:logs:eu-west-1:123456789012:log-group:other:*"),
        ],
    )
    def test_does_not(self, action: str, resource: str) -> None:
        assert not worker_may(action, resource)

    def test_leaked_credentials_are_of_no_use(self) -> None:
        asked = Asked("s3:GetObject", jobs("blobs/ab12"), TLS)
        assert not is_allowed(asked, STACK.worker(), STACK.buckets())

    def test_lambda_delivers_failure_records_as_the_worker(self) -> None:
        context = TLS | CREATES | {"s3:ResourceAccount": "123456789012"}
        record = f"arn:aws:s3:::{FAILURES}/aws/lambda/async/wrenml-1769/2026/01/01/a"
        for action, resource in [("s3:PutObject", record), ("s3:ListBucket", f"arn:aws:s3:::{FAILURES}")]:
            assert is_allowed(Asked(action, resource, context), STACK.worker(), STACK.buckets())

    def test_grants_reach_as_far_as_they_say(self) -> None:
        stack = stack_of(RICH)
        assert worker_may("s3:GetObject", "arn:aws:s3:::lake/raw/a/b", stack=stack)
        assert worker_may("s3:GetObject", "arn:aws:s3:::public-data/a", stack=stack)
        assert worker_may("s3:ListBucket", "arn:aws:s3:::lake", {"s3:prefix": "raw/a"}, stack)
        assert worker_may("s3:PutObject", "arn:aws:s3:::lake/out/a", stack=stack)
        assert not worker_may("s3:GetObject", "arn:aws:s3:::lake/rawer", stack=stack)
        assert not worker_may("s3:GetObject", "arn:aws:s3:::lake/out/a", stack=stack)
        assert not worker_may("s3:ListBucket", "arn:aws:s3:::lake", {"s3:prefix": "secret/"}, stack)
        assert not worker_may("s3:PutObject", "arn:aws:s3:::lake/raw/a", stack=stack)
        assert not worker_may("s3:PutObject", "arn:aws:s3:::public-data/a", stack=stack)


class TestClient:
    @pytest.mark.parametrize(
        ("action", "resource"),
        [
            ("lambda:InvokeFunction", f"{LAMBDA}:v12"),
            ("lambda:GetFunctionConfiguration", f"{LAMBDA}:v12"),
            ("lambda:GetFunctionEventInvokeConfig", f"{LAMBDA}:v12"),
            ("lambda:GetAccountSettings", "*"),
            ("s3:ListBucket", f"arn:aws:s3:::{JOBS}"),
            ("s3:ListBucket", f"arn:aws:s3:::{FAILURES}"),
            ("s3:GetObject", f"arn:aws:s3:::{FAILURES}/aws/lambda/async/wrenml-1769/2026/01/01/a"),
            ("s3:DeleteObject", jobs(f"jobs/{JOB}/out/0000000001")),
            ("s3:PutObject", jobs("blobs/ab12")),
            ("s3:PutObject", jobs("canary/1")),
            ("ssm:GetParameters", "arn:aws:ssm:eu-west-1:123456789012:parameter/wrenml/wrenml/root"),
            ("ssm:GetParameters", "arn:aws:ssm:eu-west-1:123456789012:parameter/wrenml/wrenml/deployment"),
        ],
    )
    def test_may(self, action: str, resource: str) -> None:
        assert client_may(action, resource, **CREATES)

    @pytest.mark.parametrize(
        ("action", "resource"),
        [
            ("lambda:InvokeFunction", LAMBDA),
            ("lambda:InvokeFunction", f"{LAMBDA}:$LATEST"),
            ("lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:123456789012:function:other:v1"),
            ("lambda:UpdateFunctionCode", LAMBDA),
            ("lambda:PublishVersion", LAMBDA),
            ("iam:PassRole", "arn:aws:iam::123456789012:role/wrenml-Worker"),
            ("s3:PutObject", jobs("code/a.zip")),
            ("s3:PutObject", f"arn:aws:s3:::{FAILURES}/aws/lambda/async/a"),
            ("s3:DeleteObject", f"arn:aws:s3:::{FAILURES}/aws/lambda/async/a"),
            ("ssm:PutParameter", "arn:aws:ssm:eu-west-1:123456789012:parameter/wrenml/wrenml/root"),
            ("ssm:GetParameters", "arn:aws:ssm:eu-west-1:123456789012:parameter/wrenml/other/root"),
        ],
    )
    def test_may_not(self, action: str, resource: str) -> None:
        assert not client_may(action, resource, **CREATES)


def test_no_statement_allows_every_action_or_everything() -> None:
    broad = {"lambda:GetAccountSettings"}  # belongs to no resource
    for choices in (PLAIN, RICH):
        stack = stack_of(choices)
        for document in [*stack.worker(), *stack.client()]:
            for statement in document["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                assert not any("*" in action for action in actions)
                assert statement["Resource"] != "*" or set(actions) == broad


class TestEvaluator:
    def test_denying_wins(self) -> None:
        document = {
            "Statement": [
                {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
                {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::a/*"},
            ]
        }
        assert is_allowed(Asked("s3:GetObject", "arn:aws:s3:::a/b", {}), [document])
        assert not is_allowed(Asked("s3:DeleteObject", "arn:aws:s3:::a/b", {}), [document])
        assert not is_allowed(Asked("lambda:InvokeFunction", "arn:aws:s3:::a/b", {}), [document])

    @pytest.mark.parametrize(
        ("condition", "context", "applies"),
        [
            ({"StringEquals": {"k": ["a", "b"]}}, {"k": "b"}, True),
            ({"StringEquals": {"k": "a"}}, {}, False),
            ({"StringNotEquals": {"k": "a"}}, {}, True),
            ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "b"}, False),
            ({"BoolIfExists": {"k": "false"}}, {}, True),
            ({"Bool": {"k": "false"}}, {}, False),
            ({"Null": {"k": "true"}}, {}, True),
            ({"Null": {"k": "false"}}, {"K": "x"}, True),
            ({"NumericLessThan": {"k": "1.2"}}, {"k": "1.1"}, True),
            ({"ArnLike": {"k": "arn:aws:lambda:*:1:function:a-*"}}, {"k": "arn:aws:lambda:x:1:function:a-1:v1"}, True),
            ({"ArnLike": {"k": "arn:aws:lambda:*:function:a"}}, {"k": "arn:aws:lambda:x:1:function:a"}, False),
        ],
        ids=str,
    )
    def test_conditions(self, condition: dict[str, object], context: dict[str, str], *, applies: bool) -> None:
        statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
        assert bool(applying(Asked("s3:GetObject", "a", context), [{"Statement": [statement]}])) is applies

    def test_what_it_does_not_know_is_an_error(self) -> None:
        for more in ({"NotAction": "s3:*"}, {"Condition": {"DateLessThan": {"k": "1"}}}):
            statement = {"Effect": "Allow", "Action": "*", "Resource": "*", **more}
            with pytest.raises((AssertionError, KeyError)):
                applying(Asked("s3:GetObject", "a", {"k": "1"}), [{"Statement": [statement]}])
