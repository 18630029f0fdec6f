"""`wrenml deploy` and `destroy` against an AWS on loopback: what counts is what is there afterwards."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest

import wrenml
from tests.support.cfn import Stack
from tests.support.emulated import client
from tests.support.policies import asked, is_allowed
from tests.support.wheels import make_defaults, make_real, make_wheel, pip_variables
from wrenml.aws.deployment import Deployment, load_deployment
from wrenml.aws.session import Session
from wrenml.cli import main
from wrenml.cli.exits import Exit
from wrenml.deploy.account import Account
from wrenml.deploy.choices import local_choices
from wrenml.deploy.deploying import Wanted, deploy
from wrenml.deploy.destroying import destroy
from wrenml.deploy.template import bundled, parameters, render
from wrenml.testing.emulator import Emulator
from wrenml.testing.emulator.faults import Refuse

pytestmark = pytest.mark.slow

JOBS = "wrenml-jobs-123456789012-us-east-1-an"
FAILURES = "wrenml-fail-123456789012-us-east-1-an"


class Machine:
    """A user's machine: settings, caches and an index of wheels of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config" / "wrenml" / "config.toml"
        self.index = folder / "index"
        self.index.mkdir()
        make_defaults(self.index)
        next(self.index.glob("cloudpickle-*")).unlink()
        make_real(self.index, "cloudpickle")
        make_wheel(self.index, "extra", "1.0")

    def variables(self) -> dict[str, str]:
        places = {"XDG_CONFIG_HOME": str(self.folder / "config"), "XDG_CACHE_HOME": str(self.folder / "cache")}
        return places | pip_variables(self.index)

    def requirements(self, *lines: str) -> str:
        path = self.folder / "requirements.txt"
        path.write_text("\n".join(lines))
        return str(path)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in machine.variables().items():
            patch.setenv(name, value)
        yield machine


@pytest.fixture
def aws(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An account with nothing in it, for one test."""
    machine.config.unlink(missing_ok=True)
    monkeypatch.chdir(tmp_path)
    with Emulator() as aws:
        for name, value in aws.environment_of("deployer").items():
            monkeypatch.setenv(name, value)
        yield aws


def record(stack: str = "wrenml") -> Deployment:
    return load_deployment(Session(), stack)[0]


def alias(aws: Emulator, name: str, function: str = "wrenml-1769") -> str:
    return str(client(aws, "lambda").get_alias(FunctionName=function, Name=name)["FunctionVersion"])


def aliases(aws: Emulator, function: str = "wrenml-1769") -> list[str]:
    return [one["Name"] for one in client(aws, "lambda").list_aliases(FunctionName=function)["Aliases"]]


def is_empty(aws: Emulator) -> bool:
    parameters = client(aws, "ssm").describe_parameters()["Parameters"]
    functions = client(aws, "lambda").list_functions()["Functions"]
    stacks = client(aws, "cloudformation").describe_stacks()["Stacks"]
    buckets = client(aws, "s3").list_buckets()["Buckets"]
    return not (parameters or functions or buckets or [one for one in stacks if "DELETE" not in one["StackStatus"]])


def test_everything_the_stack_needs_is_there(aws: Emulator, machine: Machine) -> None:
    assert main(["deploy", "--yes", "--memory", "1769,3008", "--read", "s3://lake/raw"]) == Exit.DONE
    made, key = load_deployment(Session(), "wrenml")

    assert (made.bucket, made.failures, made.alias, made.memory_mb) == (JOBS, FAILURES, "v1", (1769, 3008))
    assert len(key) == 32
    functions = client(aws, "lambda")
    for size in (1769, 3008):
        name = f"wrenml-{size}"
        found = functions.get_function_configuration(FunctionName=name, Qualifier="v1")
        assert found["CodeSha256"] == made.code_sha256
        assert found["MemorySize"] == found["EphemeralStorage"]["Size"] == size
        assert (found["Timeout"], found["Runtime"]) == (900, f"python{made.python}")
        assert found["Architectures"] == [made.arch]
        rules = functions.get_function_event_invoke_config(FunctionName=name, Qualifier="v1")
        assert (rules["MaximumRetryAttempts"], rules["MaximumEventAgeInSeconds"]) == (0, made.start_by)
        assert rules["DestinationConfig"]["OnFailure"]["Destination"] == f"arn:aws:s3:::{FAILURES}"
    s3 = client(aws, "s3")
    for bucket in (JOBS, FAILURES):
        assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
        assert "OnlyThisAccount" in s3.get_bucket_policy(Bucket=bucket)["Policy"]
        assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    secret = client(aws, "ssm").get_parameter(Name="/wrenml/wrenml/root", WithDecryption=False)["Parameter"]
    assert secret["Type"] == "SecureString"
    assert machine.config.read_text() == 'backend = "aws"\nstack = "wrenml"\nregion = "us-east-1"\n'


def test_a_map_runs_there_and_asks_for_no_more_than_it_may(
    aws: Emulator, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["deploy", "--yes"]) == Exit.DONE
    aws.reset()
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)

    with wrenml.aws_executor() as executor:
        shared = bytes(300_000)
        assert executor.map(lambda x: (x * x, len(shared)), range(6)).results() == [(x * x, 300_000) for x in range(6)]
        first = executor.map(abs, [-1, 2])
        with pytest.raises(ZeroDivisionError):
            executor.map(lambda x: 1 // x, [0, 1]).results()
        assert wrenml.aws_executor().attach(first.id).results() == [1, 2]
    assert main(["doctor"]) == Exit.DONE
    assert main(["cost"]) == Exit.DONE

    choices = local_choices()
    stack = Stack(render(choices), region="us-east-1", **parameters(choices))
    policies = {"client": stack.client(), "worker": stack.worker()}
    calls = [call for call in aws.requests if call.caller.name in policies and call.status != 400]
    # Who one is, everybody may ask; of a page of deletions no keys are recorded.
    calls = [call for call in calls if call.operation not in {"GetCallerIdentity", "DeleteObjects"}]
    assert {call.caller.name for call in calls} == set(policies), capfd.readouterr().err
    refused = [
        f"{call.caller.name} {call.action} {call.resource}"
        for call in calls
        if not is_allowed(asked(call), policies[call.caller.name], stack.buckets())
    ]
    assert refused == []


def test_deploying_asks_for_no_more_than_its_policy_grants(aws: Emulator, machine: Machine) -> None:
    extra = machine.requirements("extra")
    for arguments in (
        ["--memory", "1769,3008"],
        ["--memory", "1769", "--max-concurrency", "5", "--requirements", extra],
    ):
        assert main(["deploy", "--yes", *arguments]) == Exit.DONE
    client(aws, "s3").put_object(Bucket=JOBS, Key="jobs/1/manifest", Body=b"x")
    assert main(["destroy", "--yes"]) == Exit.DONE
    own = json.loads(Path(bundled("infra/deployer-policy.json")).read_text())
    # CloudFormation acts with the rights of who asked it to.
    calls = [
        call
        for call in aws.requests
        if call.caller.name in {"deployer", "cloudformation"} and call.action != "sts:GetCallerIdentity"
    ]
    # The test's own, and how the emulated CloudFormation looks for a bucket.
    calls = [call for call in calls if not call.key.startswith("jobs/1") or call.operation != "PutObject"]
    calls = [call for call in calls if call.operation != "ListBuckets"]
    assert {"lambda:PublishVersion", "s3:PutObject", "ssm:PutParameter"} <= {call.action for call in calls}
    statements = own["Statement"]
    refused = {
        f"{call.action} {call.resource}"
        for call in calls
        if not is_allowed(asked(call), [own])
        # Where the emulator names no resource, the action alone counts.
        and not (call.resource == "*" and any(call.action in one["Action"] for one in statements))
    }
    assert refused == set()


def test_a_dry_run_leaves_nothing(aws: Emulator, machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "--dry-run", "--json"]) == Exit.DONE
    captured = capsys.readouterr()
    assert json.loads(captured.out)["new"] is True
    assert "+ AWS::Lambda::Function  Function1769" in captured.err
    assert is_empty(aws)
    assert not machine.config.exists()


def test_without_a_terminal_or_a_yes_nothing_happens(aws: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy"]) == Exit.USAGE
    assert "--yes" in capsys.readouterr().err
    assert not client(aws, "lambda").list_functions()["Functions"]


def test_deploying_again_changes_nothing(aws: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "--yes"]) == Exit.DONE
    first, key = load_deployment(Session(), "wrenml")
    capsys.readouterr()

    assert main(["deploy", "--json"]) == Exit.DONE  # nothing to ask about

    said = json.loads(capsys.readouterr().out)
    assert (said["new"], said["changes"]) == (False, [])
    assert load_deployment(Session(), "wrenml") == (first, key)
    assert aliases(aws) == ["v1"]


def test_new_code_is_a_new_alias_and_the_old_one_stays(
    aws: Emulator, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deploy", "--yes"]) == Exit.DONE
    old = record()

    assert main(["deploy", "--yes", "--requirements", machine.requirements("extra")]) == Exit.DONE

    new = record()
    assert (new.alias, new.packages["extra"]) == ("v2", "1.0")
    assert "+ extra 1.0" in capsys.readouterr().err
    functions = client(aws, "lambda")
    for made in (old, new):
        found = functions.get_function_configuration(FunctionName="wrenml-1769", Qualifier=made.alias)
        assert found["CodeSha256"] == made.code_sha256
    assert (alias(aws, "v1"), alias(aws, "v2")) == ("1", "2")
    packages = [one["Key"] for one in client(aws, "s3").list_objects_v2(Bucket=JOBS, Prefix="code/")["Contents"]]
    assert packages == [f"code/{b64decode(new.code_sha256).hex()}.zip"]

    # What went unsaid this time would be missed.
    assert main(["deploy", "--dry-run"]) == Exit.DONE
    assert "- extra 1.0: calls can no longer import it" in capsys.readouterr().err


def test_what_is_not_said_again_stays(aws: Emulator) -> None:
    assert main(["deploy", "--yes", "--memory", "1769,3008", "--read", "s3://lake/raw", "--max-concurrency", "5"]) == 0
    assert main(["deploy", "--yes", "--write", "s3://lake/out"]) == Exit.DONE

    made = record()
    assert (made.memory_mb, made.concurrency) == ((1769, 3008), 5)
    template = client(aws, "cloudformation").get_template(StackName="wrenml")["TemplateBody"]
    assert "s3:::lake/raw/*" in template
    assert "s3:::lake/out/*" in template

    assert main(["deploy", "--yes", "--read", "", "--max-concurrency", "none", "--memory", "1769"]) == Exit.DONE
    assert (record().memory_mb, record().concurrency) == ((1769,), None)
    template = client(aws, "cloudformation").get_template(StackName="wrenml")["TemplateBody"]
    assert "s3:::lake/raw/*" not in template
    assert [one["FunctionName"] for one in client(aws, "lambda").list_functions()["Functions"]] == ["wrenml-1769"]


def test_a_size_more_keeps_the_alias(aws: Emulator) -> None:
    assert main(["deploy", "--yes"]) == Exit.DONE
    assert main(["deploy", "--yes", "--memory", "1769,3008"]) == Exit.DONE
    assert record().alias == "v1"
    assert (alias(aws, "v1"), alias(aws, "v1", "wrenml-3008")) == ("1", "1")


def test_aliases_that_no_job_can_need_any_more_go(aws: Emulator, machine: Machine) -> None:
    functions = client(aws, "lambda")
    assert main(["deploy", "--yes"]) == Exit.DONE
    assert main(["deploy", "--yes", "--requirements", machine.requirements("extra")]) == Exit.DONE
    assert main(["deploy", "--yes"]) == Exit.DONE
    assert aliases(aws) == ["v1", "v2", "v3"]  # none has been outlived yet

    functions.update_alias(FunctionName="wrenml-1769", Name="v2", Description="2020-01-01T00:00:00+00:00")
    assert main(["deploy", "--yes"]) == Exit.DONE

    assert aliases(aws) == ["v2", "v3"]
    versions = functions.list_versions_by_function(FunctionName="wrenml-1769")["Versions"]
    assert [one["Version"] for one in versions] == ["$LATEST", "2", "3"]
    assert record().alias == "v3"


def test_a_change_that_fails_is_put_back(aws: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "--yes"]) == Exit.DONE
    before = record()
    aws.faults.add(Refuse(400, "InvalidParameterValueException"), "CreateFunction", times=1)
    assert main(["deploy", "--yes", "--memory", "1769,3008"]) == Exit.ERROR
    assert "Function3008" in capsys.readouterr().err
    assert record() == before
    assert main(["deploy", "--yes", "--memory", "1769,3008"]) == Exit.DONE
    assert record().memory_mb == (1769, 3008)


class Interrupt(Exception):
    pass


class Teller:
    """Hears what a deployment says, and interrupts it after so many words."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.said: list[str] = []

    def __call__(self, text: str) -> None:
        self.said.append(text)
        if len(self.said) > self.after:
            raise Interrupt


def test_a_deployment_interrupted_anywhere_goes_on(aws: Emulator, machine: Machine) -> None:
    cache = str(machine.folder / "cache" / "wrenml" / "packages")
    after, done = 1, False
    while not done:
        account = Account()
        wanted = Wanted(f"try{after}", cache, {"memory_mb": (1769, 3008)})
        teller = Teller(after)
        try:
            deploy(account, wanted, confirm=lambda _: True, say=teller)
        except Interrupt:
            pass
        else:
            done = True
        _, made = deploy(account, wanted, confirm=lambda _: True, say=lambda _: None)
        assert made is not None
        assert (made.alias, record(wanted.stack)) == ("v1", made)
        for size in made.memory_mb:
            name = f"{wanted.stack}-{size}"
            assert (aliases(aws, name), alias(aws, "v1", name)) == (["v1"], "1")
            rules = client(aws, "lambda").get_function_event_invoke_config(FunctionName=name, Qualifier="v1")
            assert rules["MaximumRetryAttempts"] == 0
        destroy(account, wanted.stack, confirm=lambda _: True, say=lambda _: None)
        after += 7
    assert after > 12, "it says more than that"
    assert is_empty(aws)


@pytest.mark.parametrize(
    ("service", "operation"),
    [("ssm", "PutParameter"), ("lambda", "PublishVersion"), ("lambda", "CreateAlias"), ("s3", "PutObject")],
)
def test_a_refused_step_says_what_it_needs_and_can_be_repeated(
    aws: Emulator, capsys: pytest.CaptureFixture[str], service: str, operation: str
) -> None:
    aws.faults.add(Refuse(403, "AccessDeniedException"), operation, when=lambda call: call.service == service, times=1)
    assert main(["deploy", "--yes"]) == Exit.ERROR
    assert "deployer-policy.json" in capsys.readouterr().err
    assert not [one for one in client(aws, "ssm").describe_parameters()["Parameters"] if "deployment" in one["Name"]]

    assert main(["deploy", "--yes"]) == Exit.DONE
    assert (record().alias, aliases(aws)) == ("v1", ["v1"])


def test_a_stack_that_could_not_be_made_is_made_later(aws: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    logs = client(aws, "logs")
    logs.create_log_group(logGroupName="/wrenml/wrenml")
    assert main(["deploy", "--yes"]) == Exit.ERROR
    assert "Log" in capsys.readouterr().err
    logs.delete_log_group(logGroupName="/wrenml/wrenml")
    assert main(["deploy", "--yes"]) == Exit.DONE
    assert record().alias == "v1"


def test_the_project_may_have_the_last_word(aws: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert aws.account
    (tmp_path / "pyproject.toml").write_text('[tool.wrenml]\nbackend = "inline"\n')
    assert main(["deploy", "--yes"]) == Exit.DONE
    assert "has the last word" in capsys.readouterr().out


class TestDestroy:
    def test_nothing_is_left(self, aws: Emulator, machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["deploy", "--yes"]) == Exit.DONE
        s3 = client(aws, "s3")
        for key in ("blobs/ab", "jobs/1/manifest", "data/set/0.npy", "cache/a/b"):
            s3.put_object(Bucket=JOBS, Key=key, Body=b"x")
        s3.put_object(Bucket=FAILURES, Key="aws/lambda/async/wrenml-1769/2026/01/01/a", Body=b"x")
        capsys.readouterr()

        assert main(["destroy", "--yes", "--json"]) == Exit.DONE

        captured = capsys.readouterr()
        assert json.loads(captured.out)["left"] == []
        assert "1 object under data/" in captured.err
        assert is_empty(aws)
        assert machine.config.read_text() == 'backend = "local"\n'

    def test_what_is_not_ours_stays(self, aws: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["deploy", "--yes"]) == Exit.DONE
        s3 = client(aws, "s3")
        s3.put_object(Bucket=JOBS, Key="thesis.pdf", Body=b"x")
        s3.put_object(Bucket=JOBS, Key="jobs/1/manifest", Body=b"x")
        capsys.readouterr()

        assert main(["destroy", "--yes"]) == Exit.DONE

        assert f"s3://{JOBS} stays" in capsys.readouterr().out
        assert [one["Key"] for one in s3.list_objects_v2(Bucket=JOBS)["Contents"]] == ["thesis.pdf"]
        assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == [JOBS]

        # A new stack would take it for its own.
        assert main(["deploy", "--yes"]) == Exit.USAGE
        assert f"aws s3 rb --force s3://{JOBS}" in capsys.readouterr().err

    def test_it_asks(self, aws: Emulator) -> None:
        assert main(["deploy", "--yes"]) == Exit.DONE
        assert main(["destroy"]) == Exit.USAGE
        assert record().stack == "wrenml"
        assert aliases(aws) == ["v1"]

    def test_what_is_not_there(self, aws: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["destroy"]) == Exit.DONE
        assert "there was no stack wrenml" in capsys.readouterr().out
        assert is_empty(aws)
