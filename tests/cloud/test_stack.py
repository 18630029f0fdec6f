"""What an emulator cannot tell, asked of a stack deployed on a real account: ``WRENML_CLOUD=1 pytest -m cloud``."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from wrenml.aws.deployment import Deployment, function_name, load_deployment
from wrenml.aws.session import Session
from wrenml.cli import main
from wrenml.config import load_settings
from wrenml.errors import AccessDeniedError
from wrenml.monitor.manifest import new_job_id
from wrenml.storage import S3Storage
from wrenml.wire import outcome_prefix

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.skipif(not os.environ.get("WRENML_CLOUD"), reason="needs an AWS account: set WRENML_CLOUD=1"),
]

PATIENCE = 180


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    settings = load_settings(os.environ, os.getcwd())
    session = Session(profile=settings.profile, region=settings.region)
    yield session
    for service in ("lambda", "s3", "ssm"):
        session.client(service).close()


@pytest.fixture(scope="module")
def deployment(session: Session) -> Deployment:
    settings = load_settings(os.environ, os.getcwd())
    return load_deployment(session, settings.stack)[0]


@pytest.fixture(scope="module")
def bucket(session: Session, deployment: Deployment) -> S3Storage:
    return S3Storage(deployment.storage_url, deployment.account, session=session)


def test_doctor_finds_nothing_wrong(deployment: Deployment) -> None:
    assert main(["doctor", "--stack", deployment.stack]) == 0


@pytest.mark.timeout(600)
def test_twenty_calls_come_out_as_they_should(deployment: Deployment) -> None:
    assert main(["verify", "--stack", deployment.stack]) == 0


def test_a_failure_record_arrives(session: Session, deployment: Deployment) -> None:
    failures = S3Storage(f"s3://{deployment.failures}", deployment.account, session=session)
    function = function_name(deployment.stack, deployment.memory_mb[0])
    prefix = f"aws/lambda/async/{function}/"
    before = set(failures.list(prefix))
    where = {"FunctionName": function, "Qualifier": deployment.alias}
    session.client("lambda").invoke(**where, InvocationType="Event", Payload=b'{"no": "request"}')
    deadline = time.monotonic() + PATIENCE
    while not (found := set(failures.list(prefix)) - before):
        assert time.monotonic() < deadline, "Lambda has written no failure record"
        time.sleep(2)
    assert b'"no"' in bytes(failures.get(found.pop()))


def test_an_outcome_is_written_once(bucket: S3Storage) -> None:
    key = f"{outcome_prefix(new_job_id())}0000000000"
    try:
        assert bucket.put(key, b"first", if_absent=True)
        assert not bucket.put(key, b"second", if_absent=True)
        with pytest.raises(AccessDeniedError):
            bucket.put(key, b"third")
        assert bytes(bucket.get(key)) == b"first"
    finally:
        bucket.delete([key])


def test_the_clients_policy_is_enough(deployment: Deployment) -> None:
    profile = os.environ.get("WRENML_CLOUD_CLIENT")
    if not profile:
        pytest.skip("set WRENML_CLOUD_CLIENT to a profile that has the stack's client policy and nothing else")
    assert main(["verify", "--stack", deployment.stack, "--profile", profile]) == 0
    storage = S3Storage(
        deployment.storage_url, deployment.account, session=Session(profile=profile, region=deployment.region)
    )
    for forbidden in ("code/canary.zip", "elsewhere/canary"):
        with pytest.raises(AccessDeniedError):
            storage.put(forbidden, b"")
