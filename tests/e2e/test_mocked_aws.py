from __future__ import annotations

import json
import operator
import os
import threading
import time
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.support.mocked import invoke, make_job, process_id, records, send
from wrenml.aws.deployment import load_deployment
from wrenml.aws.session import Session
from wrenml.storage import S3Storage
from wrenml.testing.mocked import MockedAWS
from wrenml.testing.mocked.functions import Failure

pytest_plugins = ["wrenml.testing.plugin"]

Eventually = Callable[..., None]


@pytest.fixture
def aws(wrenml_aws_module: MockedAWS) -> MockedAWS:
    wrenml_aws_module.reset_requests()
    return wrenml_aws_module


def refused(invocation: Callable[[], object]) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        invocation()
    response: dict[str, Any] = caught.value.response
    return response


class TestInvoking:
    def test_an_answer_comes_with_counts_and_a_log(self, aws: MockedAWS) -> None:
        job = make_job(aws, operator.neg, [1, 2, 3])

        answer = send(aws, job)

        assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "1")
        assert json.load(answer["Payload"]) == {"committed": 3, "duplicates": 0, "late": 0}
        assert answer["ResponseMetadata"]["RequestId"] in b64decode(answer["LogResult"]).decode()
        assert job.values() == [-1, -2, -3]

    def test_an_event_is_taken_at_once_and_run(self, aws: MockedAWS, eventually: Eventually) -> None:
        job = make_job(aws, print, ["said"])

        answer = send(aws, job, "Event")

        assert answer["StatusCode"] == 202
        assert len(answer["ResponseMetadata"]["RequestId"]) == 36
        eventually(job.outcomes)
        assert job.outcomes()[0].log == "said\n"

    def test_calls_run_in_other_processes_that_stay_warm(self, aws: MockedAWS) -> None:
        first, second = (make_job(aws, process_id, [0]) for _ in range(2))

        send(aws, first)
        send(aws, second)

        assert first.values() == second.values()
        assert first.values() != [os.getpid()]

    def test_a_dry_run_runs_nothing(self, aws: MockedAWS) -> None:
        job = make_job(aws, operator.neg, [1])

        assert send(aws, job, "DryRun")["StatusCode"] == 204
        assert job.outcomes() == []

    def test_a_handler_that_fails_says_how(self, aws: MockedAWS) -> None:
        answer = invoke(aws, b'{"protocol": 0}')

        error = json.load(answer["Payload"])
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        assert error["errorType"] == "VersionMismatchError"
        assert error["requestId"] == answer["ResponseMetadata"]["RequestId"]
        assert "handle" in "".join(error["stackTrace"])

    def test_a_failed_event_leaves_a_record_where_lambda_does(self, aws: MockedAWS, eventually: Eventually) -> None:
        answer = invoke(aws, b'{"protocol": 0}', "Event")

        eventually(lambda: records(aws))
        [(key, record)] = records(aws).items()
        assert key.startswith(f"aws/lambda/async/wrenml-1769/{time.strftime('%Y/%m/%d/%Y-%m-%dT%H.', time.gmtime())}")
        assert record["requestContext"]["requestId"] == answer["ResponseMetadata"]["RequestId"]
        assert record["requestContext"]["condition"] == "RetriesExhausted"
        assert record["requestContext"]["functionArn"].endswith(":function:wrenml-1769:v1")
        assert record["requestPayload"] == {"protocol": 0}
        assert record["responseContext"]["functionError"] == "Unhandled"
        assert record["responsePayload"]["errorType"] == "VersionMismatchError"
        boto3.client("s3").delete_object(Bucket=aws.failures, Key=key)

    @pytest.mark.parametrize(("kind", "limit"), [("Event", 1 << 20), ("RequestResponse", 6_291_556)])
    def test_a_payload_over_the_limit_is_refused(self, aws: MockedAWS, kind: str, limit: int) -> None:
        def too_large() -> object:
            return invoke(aws, b'"' + b"x" * (limit - 1) + b'"', kind)

        answer = refused(too_large)

        assert answer["Error"]["Code"] == "RequestTooLargeException"
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 413

    def test_what_is_no_json_is_refused(self, aws: MockedAWS) -> None:
        assert refused(lambda: invoke(aws, b"{"))["Error"]["Code"] == "InvalidRequestContentException"

    def test_what_is_not_deployed_is_not_found(self, aws: MockedAWS) -> None:
        for wrong in ({"qualifier": "v2"}, {"memory_mb": 1}):
            answer = refused(lambda wrong=wrong: invoke(aws, b"{}", **wrong))  # type: ignore[misc]
            assert answer["Error"]["Code"] == "ResourceNotFoundException"
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404

    def test_a_function_may_be_named_by_its_arn(self, aws: MockedAWS) -> None:
        arn = boto3.client("lambda").get_function(FunctionName="wrenml-1769", Qualifier="v1")["Configuration"][
            "FunctionArn"
        ]
        job = make_job(aws, operator.neg, [1])

        boto3.client("lambda").invoke(FunctionName=arn, Payload=json.dumps(job.event()).encode())

        assert job.values() == [-1]
        assert aws.requests["lambda.Invoke"] == 1


class TestPlans:
    def test_throttling(self, aws: MockedAWS) -> None:
        job = make_job(aws, operator.neg, [1])
        aws.throttle(1, retry_after=3)
        client = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}))

        answer = refused(lambda: client.invoke(FunctionName="wrenml-1769", Payload=b"{}"))
        send(aws, job)

        assert answer["Error"]["Code"] == "TooManyRequestsException"
        assert answer["Reason"] == "FunctionInvocationRateLimitExceeded"
        assert answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "3"
        assert job.values() == [-1]

    @pytest.mark.parametrize(
        ("by", "kind", "text"),
        [
            ("timeout", "Sandbox.Timedout", "Task timed out after 900.00 seconds"),
            ("crash", "Runtime.ExitError", "exit status 1"),
            ("memory", "Runtime.ExitError", "signal: killed"),
        ],
    )
    def test_an_environment_that_ends(
        self, aws: MockedAWS, eventually: Eventually, by: Failure, kind: str, text: str
    ) -> None:
        job = make_job(aws, operator.neg, [1])
        aws.fail_next(by=by)

        send(aws, job, "Event")

        eventually(lambda: records(aws))
        [(key, record)] = records(aws).items()
        boto3.client("s3").delete_object(Bucket=aws.failures, Key=key)
        assert record["responsePayload"]["errorType"] == kind
        assert text in record["responsePayload"]["errorMessage"]
        assert record["requestPayload"]["job"] == job.id
        assert job.outcomes() == []

    def test_an_environment_that_ended_is_replaced(self, aws: MockedAWS) -> None:
        before, after = (make_job(aws, process_id, [0]) for _ in range(2))
        send(aws, before)
        started = aws.cold_starts
        aws.fail_next()

        assert send(aws, before, attempt=2)["FunctionError"] == "Unhandled"
        send(aws, after)

        assert before.values() != after.values()
        assert aws.cold_starts == started + 1

    def test_a_dropped_event_is_lost(self, aws: MockedAWS) -> None:
        lost, kept = (make_job(aws, operator.neg, [1]) for _ in range(2))
        aws.drop_next()

        assert send(aws, lost, "Event")["StatusCode"] == 202
        send(aws, kept)

        assert (lost.outcomes(), kept.values()) == ([], [-1])

    def test_a_duplicated_event_has_one_outcome(self, aws: MockedAWS, eventually: Eventually) -> None:
        job = make_job(aws, process_id, [0])
        aws.duplicate_next()

        send(aws, job, "Event")

        eventually(lambda: aws.requests_of("worker")["s3.PutObject"] == 2)
        assert len(job.outcomes()) == 1


class TestAccount:
    def test_the_stack_is_as_deploy_leaves_it(self, aws: MockedAWS) -> None:
        deployment, key = load_deployment(Session(), "wrenml")
        client = boto3.client("lambda")
        invoking = client.get_function_event_invoke_config(FunctionName="wrenml-1769", Qualifier="v1")

        assert deployment == aws.deployment
        assert len(key) == 32
        assert deployment.storage_url == f"s3://{aws.bucket}"
        assert client.get_alias(FunctionName="wrenml-1769", Name="v1")["FunctionVersion"] == "1"
        assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000
        assert invoking["MaximumRetryAttempts"] == 0
        assert invoking["DestinationConfig"]["OnFailure"]["Destination"] == f"arn:aws:s3:::{aws.failures}"

    def test_requests_are_counted_by_operation_and_caller(self, aws: MockedAWS) -> None:
        job = make_job(aws, operator.neg, [1])
        aws.reset_requests()

        send(aws, job)

        assert aws.requests_of("client") == {"lambda.Invoke": 1}
        assert aws.requests_of("worker")["s3.PutObject"] == 1
        assert aws.requests == aws.requests_of("client") + aws.requests_of("worker")
        assert aws.requests_of("lambda") == {}

    def test_of_racing_conditional_writes_one_wins(self, aws: MockedAWS) -> None:
        storage = S3Storage(f"s3://{aws.bucket}")
        barrier = threading.Barrier(16)

        def write(number: int, key: str) -> bool:
            barrier.wait(30)
            return storage.put(key, b"%d" % number, if_absent=True)

        with ThreadPoolExecutor(16) as pool:
            for turn in range(5):
                key = f"canary/{turn}"
                assert sum(pool.map(lambda number, key=key: write(number, key), range(16))) == 1

    def test_other_functions_and_buckets_are_motos(self, aws: MockedAWS) -> None:
        with mock_aws():  # a test's own, inside
            boto3.client("s3").create_bucket(Bucket="of-the-user")
            assert boto3.client("s3").list_buckets()["Buckets"]
        answer = refused(lambda: boto3.client("lambda").invoke(FunctionName="of-the-user"))
        assert answer["Error"]["Code"] == "ResourceNotFoundException"
        assert aws.deployment == load_deployment(Session(), "wrenml")[0]
