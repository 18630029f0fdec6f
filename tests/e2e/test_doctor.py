from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import formatdate
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from wrenml.aws.deployment import deployment_name
from wrenml.aws.failures import RefusedError, UnreachableError
from wrenml.aws.session import Session
from wrenml.cli import main
from wrenml.deploy.doctor import examine_stack
from wrenml.deploy.health import Finding, Verdict
from wrenml.testing.mocked import MockedAWS

ASKED = "sts", "get_caller_identity"
VERSIONS = {name: metadata.version(name) for name in ("cloudpickle", "numpy")}


@pytest.fixture(scope="module")
def aws() -> Iterator[MockedAWS]:
    with MockedAWS(start_by=120) as aws:
        yield aws


@pytest.fixture
def record(aws: MockedAWS) -> Iterator[Callable[..., None]]:
    """Makes the stack's record say something else."""

    def write(**changes: object) -> None:
        changed: Any = {"packages": VERSIONS, **changes}
        put(replace(aws.deployment, **changed).to_json())

    def put(text: str) -> None:
        name = deployment_name(aws.stack)
        plain().client("ssm").put_parameter(Name=name, Value=text, Type="String", Overwrite=True)

    write()
    yield write
    put(aws.deployment.to_json())


@cache
def plain() -> Session:
    """One for all tests: clients take long to make."""
    return Session(region="us-east-1")


def examine(session: Session | None = None) -> dict[Verdict, list[Finding]]:
    findings = list(examine_stack(session or plain(), "wrenml"))
    return {verdict: [one for one in findings if one.verdict == verdict] for verdict in Verdict}


class Doctored(Session):
    """A session some of whose answers are made up."""

    def __init__(self, service: str, operation: str, answer: dict[str, Any] | Exception) -> None:
        super().__init__(region="us-east-1")
        self.made_up = service, operation, answer

    def client(self, service: str) -> Any:  # noqa: ANN401  # boto3 makes its client classes at run time
        wanted, operation, answer = self.made_up
        inner = plain().client(service)
        if service != wanted:
            return inner

        class Client:
            def __getattr__(self, name: str) -> object:
                return respond if name == operation else getattr(inner, name)

        def respond(**_: object) -> dict[str, Any]:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return Client()


def refused(code: str, status: int = 403) -> RefusedError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}}
    return RefusedError("Op", {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": metadata})


def identity(arn: str = "arn:aws:sts::123456789012:user/moto", *, seconds: float = 0) -> dict[str, Any]:
    date = formatdate(seconds, usegmt=True)
    return {"Arn": arn, "Account": arn.split(":")[4], "ResponseMetadata": {"HTTPHeaders": {"date": date}}}


@pytest.mark.usefixtures("record")
def test_a_stack_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "ok       stack             wrenml, version v1: 1769 MB" in out
    assert "WARNING" not in out
    assert out.endswith(" checks, none failed\n")


@pytest.mark.usefixtures("record")
def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert {"settings", "credentials", "clock", "bucket", "quota", "wrenml-1769"} <= {
        one["check"] for one in report["checks"]
    }
    assert {one["verdict"] for one in report["checks"]} == {"ok"}


def test_the_canary_is_gone(aws: MockedAWS) -> None:
    examine()
    listed = plain().client("s3").list_objects_v2(Bucket=aws.bucket, Prefix="canary/")
    assert listed["KeyCount"] == 0


@pytest.mark.usefixtures("aws")
def test_a_stack_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--stack", "other"]) == 1
    out = capsys.readouterr().out
    assert "FAILED   stack" in out
    assert "wrenml deploy --stack other" in out
    assert out.endswith("1 of 6 checks failed: maps will not run as they should\n")


@pytest.mark.parametrize(
    ("changes", "verdict", "check", "text"),
    [
        ({"python": "3.99"}, Verdict.FAILED, "python", "neither can read"),
        ({"packages": {**VERSIONS, "numpy": "0"}}, Verdict.WARNING, "packages", f"0 there, {VERSIONS['numpy']} here"),
        ({"packages": {"no-such": "1"}}, Verdict.WARNING, "packages", "no-such 1 there, not installed here"),
        ({"code_sha256": "other"}, Verdict.FAILED, "wrenml-1769", "CodeSha256 is"),
        ({"timeout": 60}, Verdict.FAILED, "wrenml-1769", "Timeout is 900, deployed was 60"),
        ({"start_by": 300}, Verdict.WARNING, "wrenml-1769", "may wait for 120 s"),
        ({"failures": "wrenml-elsewhere"}, Verdict.FAILED, "failures", "no bucket"),
        ({"alias": "v2"}, Verdict.FAILED, "wrenml-1769", "there is no function wrenml-1769:v2"),
        ({"concurrency": 0}, Verdict.FAILED, "quota", "0 calls at a time"),
        ({"memory_mb": (1769, 3008)}, Verdict.FAILED, "wrenml-3008", "there is no function wrenml-3008:v1"),
        ({"bucket": "wrenml-elsewhere"}, Verdict.FAILED, "bucket", "no bucket"),
        ({"account": "210987654321"}, Verdict.FAILED, "account", "account 210987654321"),
    ],
)  # fmt: skip
def test_what_is_not_as_deployed_is_named(
    record: Callable[..., None], changes: dict[str, object], verdict: Verdict, check: str, text: str
) -> None:
    record(**changes)
    found = [one for one in examine()[verdict] if one.check == check]
    assert any(text in one.text for one in found), found
    assert all(one.remedy for one in found)


@pytest.mark.parametrize(
    ("session", "check", "text", "remedy"),
    [
        (
            Doctored("lambda", "get_function_configuration", refused("AccessDeniedException")),
            "wrenml-1769", "lambda:GetFunctionConfiguration on function wrenml-1769:v1 was refused", "client policy",
        ),
        (
            Doctored("lambda", "invoke", refused("AccessDeniedException")),
            "wrenml-1769", "lambda:InvokeFunction on", "allow lambda:InvokeFunction",
        ),
        (Doctored("ssm", "get_parameters", refused("AccessDenied", 400)), "stack", "ssm:GetParameter", "llow"),
        (Doctored("s3", "put_object", refused("AccessDenied")), "bucket", "s3:PutObject on s3://", "Allow s3:Put"),
        (Doctored(*ASKED, refused("ExpiredToken", 400)), "credentials", "ExpiredToken", "sign in"),
        (Doctored(*ASKED, UnreachableError("reset")), "credentials", "no answer", "the network"),
        (Doctored(*ASKED, identity()), "clock", " s fast; results may come too late", "set the clock"),
        (
            Doctored("lambda", "get_function_configuration", {"State": "Pending", "StateReason": "new"}),
            "wrenml-1769", "not what was deployed", "wrenml deploy",
        ),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("record")
def test_what_is_refused_is_named(session: Session, check: str, text: str, remedy: str) -> None:
    found = [one for one in examine(session)[Verdict.FAILED] if one.check == check]
    assert any(text in one.text and remedy in one.remedy for one in found), found


@pytest.mark.usefixtures("record")
def test_few_environments_are_a_warning() -> None:
    limits = {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}}
    [quota] = examine(Doctored("lambda", "get_account_settings", limits))[Verdict.WARNING]
    assert quota.text.startswith("10 calls at a time")


def test_without_a_stack_this_machine_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("WRENML_BACKEND", "local")
    assert main(["doctor"]) == 0
    assert "ok       worker            started, ran a call and ended" in capsys.readouterr().out
    [key] = (tmp_path / "wrenml" / "keys").iterdir()
    key.chmod(0o644)
    assert main(["doctor"]) == 1
    assert "is open to other users" in capsys.readouterr().out
