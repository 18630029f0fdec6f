"""Requests to a mocked AWS as clients would send them."""

from __future__ import annotations

import json
import os
from itertools import count
from typing import Any

import boto3

from tests.support.jobs import SentJob
from wrenml.storage import S3Storage
from wrenml.testing.mocked import MockedAWS

_jobs = count()


def make_job(aws: MockedAWS, fn: object, items: list[Any], **settings: object) -> SentJob:
    return SentJob(S3Storage(f"s3://{aws.bucket}"), fn, items, settings, id=f"{next(_jobs):016x}")


def invoke(
    aws: MockedAWS, payload: bytes, kind: str = "RequestResponse", *, qualifier: str = "v1", memory_mb: int = 1769
) -> dict[str, Any]:
    answer: dict[str, Any] = boto3.client("lambda").invoke(
        FunctionName=f"{aws.stack}-{memory_mb}",
        Qualifier=qualifier,
        InvocationType=kind,
        LogType="Tail" if kind == "RequestResponse" else "None",
        Payload=payload,
    )
    return answer


def send(aws: MockedAWS, job: SentJob, kind: str = "RequestResponse", **changes: object) -> dict[str, Any]:
    return invoke(aws, json.dumps(job.event(**changes)).encode(), kind)


def records(aws: MockedAWS) -> dict[str, Any]:
    client = boto3.client("s3")
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket=aws.failures).get("Contents", ())]
    return {key: json.load(client.get_object(Bucket=aws.failures, Key=key)["Body"]) for key in keys}


def stored(aws: MockedAWS, prefix: str = "") -> int:
    """How many bytes are in the bucket, of objects whose keys start so."""
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=aws.bucket, Prefix=prefix)
    return sum(entry["Size"] for page in pages for entry in page.get("Contents", ()))


def process_id(_: object) -> int:
    return os.getpid()
