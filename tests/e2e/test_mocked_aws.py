from __future__ import annotations

import operator
import json
from itertools import count
from typing import Any

import boto3
import pytest

from tests.support.jobs import SentJob
from wrenml.storage import S3Storage
from wrenml.testing.mocked import MockedAWS

pytest_plugins = ["wrenml.testing.plugin"]

_jobs = count()


def make_job(aws: MockedAWS, fn: object, items: list[Any], **settings: object) -> SentJob:
    return SentJob(S3Storage(f"s3://{aws.bucket}"), fn, items, settings, id=f"{next(_jobs):016x}")


def invoke(aws: MockedAWS, job: SentJob, kind: str = "RequestResponse", **changes: object) -> dict[str, Any]:
    answer: dict[str, Any] = boto3.client("lambda").invoke(
        FunctionName=f"{aws.stack}-1769",
        Qualifier="v1",
        InvocationType=kind,
        Payload=json.dumps(job.event(**changes)).encode(),
    )
    return answer


def test_an_invocation_runs_the_worker(wrenml_aws_module: MockedAWS) -> None:
    job = make_job(wrenml_aws_module, operator.neg, [1, 2, 3])

    answer = invoke(wrenml_aws_module, job)

    assert json.load(answer["Payload"]) == {"committed": 3, "duplicates": 0, "late": 0}
    assert job.values() == [-1, -2, -3]
