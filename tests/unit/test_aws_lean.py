"""The lean clients answer as boto3's do, and pass on to boto3 what is not theirs."""

from __future__ import annotations

import base64
import io
import json
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.support.certificates import Authority
from tests.support.raw import Asked, RawServer, Script, answer, serving
from wrenml.aws.deployment import deployment_name, load_deployment, root_key_name
from wrenml.aws.failures import RefusedError, UnreachableError, code_of, is_passing, retry_after
from wrenml.aws.lean_client import LeanClient
from wrenml.aws.lean_lambda import LeanLambda
from wrenml.aws.lean_s3 import LeanS3
from wrenml.aws.session import Session
from wrenml.errors import AccessDeniedError, ConfigError, KeyNotFoundError, StorageUnavailableError
from wrenml.storage import S3Storage
from wrenml.storage.s3 import Patience


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"ACCESS_KEY_ID": "AKIA", "SECRET_ACCESS_KEY": "secret", "REGION": "eu-west-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return monkeypatch


@contextmanager
def client(server: RawServer, service: str = "s3", transport: str = "lean") -> Iterator[Any]:
    made = Session(endpoint_url=server.url, transport=transport).client(service)
    with closing(made):
        yield made


@contextmanager
def storage_of(server: RawServer, attempts: int = 3) -> Iterator[S3Storage]:
    session = Session(endpoint_url=server.url, transport="lean")
    patience = Patience(attempts=attempts, sleep=lambda _: None)
    yield S3Storage("s3://bucket", session=session, patience=patience)
    session.client("s3").close()


def comparable(said: dict[str, Any]) -> dict[str, Any]:
    """An answer without what is a stream, or the transport's own."""
    body: dict[str, Any] = {name: said[name].read() for name in ("Body", "Payload") if name in said}
    meta = {name: said["ResponseMetadata"].get(name, "") for name in ("HTTPStatusCode", "RequestId")}
    return {**said, **body, "ResponseMetadata": meta}


def both(script: Script, service: str, operation: str, **request: object) -> list[dict[str, Any]]:
    """What the two transports make of the same bytes."""
    found = []
    with serving(script) as server:
        for transport in ("lean", "boto3"):
            with client(server, service, transport) as made:
                try:
                    found.append(comparable(getattr(made, operation)(**request)))
                except (RefusedError, ClientError) as error:
                    said = {name: value for name, value in error.response.items() if name != "ResponseMetadata"}
                    meta = {"HTTPStatusCode": error.response["ResponseMetadata"]["HTTPStatusCode"]}
                    found.append({"refused": said, "ResponseMetadata": meta})
        lean, boto = server.asked
        assert lean.method == boto.method
        assert lean.target.partition("?")[0] == boto.target.partition("?")[0]
        assert sorted(lean.target.partition("?")[2].split("&")) == sorted(boto.target.partition("?")[2].split("&"))
        assert lean.body == boto.body
    return found


PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name><Prefix>a%2F%2B</Prefix>
<StartAfter></StartAfter><Delimiter>%2F</Delimiter><EncodingType>url</EncodingType>
<NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>
<KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>true</IsTruncated>
<Contents><Key>a/%C3%BC+%2B%25/%01~</Key><LastModified>2026-11-21T14:00:01.123Z</LastModified>
<ETag>&quot;e1&quot;</ETag><Size>434234</Size><StorageClass>STANDARD</StorageClass></Contents>
<Contents><Key>a/plain</Key><LastModified>2026-11-21T14:00:01.000Z</LastModified>
<ETag>&quot;e2&quot;</ETag><Size>0</Size><StorageClass>STANDARD</StorageClass></Contents>
<CommonPrefixes><Prefix>a/b%2B/</Prefix></CommonPrefixes></ListBucketResult>"""


def test_a_page_of_keys_is_read_as_boto3_reads_it() -> None:
    def script(_: Asked) -> bytes:
        return answer("200 OK", PAGE.replace("\n", "").encode(), Content_Type="application/xml", x_amz_request_id="R1")

    request = {"Bucket": "bucket", "Prefix": "a/+", "StartAfter": "a/ü&=", "MaxKeys": 2, "Delimiter": "/"}
    lean, boto = both(script, "s3", "list_objects_v2", **request)
    assert lean == boto
    assert [entry["Key"] for entry in lean["Contents"]] == ["a/ü +%/\x01~", "a/plain"]


def test_an_object_is_shown_as_boto3_shows_it() -> None:
    headers = {
        "ETag": '"e"',
        "Content_Range": "bytes 2-5/9",
        "Content_Type": "binary/octet-stream",
        "Last_Modified": "Fri, 24 May 2013 00:00:00 GMT",
        "x_amz_request_id": "R1",
        "x_amz_meta_one": "1",
    }
    raw = answer("206 Partial Content", b"data", **headers)
    for key in ("a/b", "a b+c%d/ü~!*'()&=:@$,;", "a//b", "a/../b"):
        lean, boto = both(lambda _: raw, "s3", "get_object", Bucket="bucket", Key=key, Range="bytes=2-5")
        assert lean == {name: value for name, value in boto.items() if name in lean}
        assert set(boto) == set(lean)
        assert (lean["Body"], lean["ContentLength"], lean["ContentRange"]) == (b"data", 4, "bytes 2-5/9")


S3_REFUSALS = [
    ("404 Not Found", "NoSuchKey", ""),
    ("403 Forbidden", "AccessDenied", ""),
    ("416 Requested Range Not Satisfiable", "InvalidRange", "<ActualObjectSize>9</ActualObjectSize>"),
    ("503 Slow Down", "SlowDown", ""),
]


@pytest.mark.parametrize(("status", "code", "more"), S3_REFUSALS)
def test_refusals_of_s3_are_read_as_boto3_reads_them(status: str, code: str, more: str) -> None:
    body = f'<?xml version="1.0"?>\n<Error><Code>{code}</Code><Message>No &amp; no</Message>{more}</Error>'.encode()
    lean, boto = both(lambda _: answer(status, body), "s3", "get_object", Bucket="bucket", Key="a")
    assert lean == boto
    assert lean["refused"]["Error"]["Code"] == code


def test_refusals_without_words() -> None:
    for operation, status in [("head_object", "404 Not Found"), ("get_object", "502 Bad Gateway")]:
        lean, boto = both(lambda _, status=status: answer(status), "s3", operation, Bucket="bucket", Key="a")  # type: ignore[misc]
        assert lean == boto
    with serving(lambda _: answer("503 Slow Down", b"<html>", Retry_After="7")) as server, client(server) as lean:
        with pytest.raises(RefusedError, match="GetObject: 503: Slow Down") as caught:
            lean.get_object(Bucket="bucket", Key="a")
        assert is_passing(caught.value)
        assert (code_of(caught.value), retry_after(caught.value)) == ("503", 7.0)


def test_conditions_and_owner_travel() -> None:
    with serving(lambda _: answer("200 OK", ETag='"e"')) as server, client(server) as lean:
        body = io.BytesIO(b"skipped" + b"x" * (3 << 20))
        body.seek(7)
        lean.put_object(Bucket="bucket", Key="k", Body=body, IfNoneMatch="*", ExpectedBucketOwner="123456789012")
        asked = server.asked[0]
        assert (asked.method, asked.target, asked.body) == ("PUT", "/bucket/k", b"x" * (3 << 20))
        assert asked.headers["if-none-match"] == "*"
        assert asked.headers["x-amz-expected-bucket-owner"] == "123456789012"
        assert "if-none-match" in asked.headers["authorization"]


def test_a_conditional_write_is_not_sent_twice_by_itself() -> None:
    def script(asked: Asked) -> bytes | None:
        return None if asked.number == 1 else answer("200 OK", ETag='"e"')

    for condition, sent in [({}, 3), ({"IfNoneMatch": "*"}, 2)]:
        with serving(script) as server, client(server) as lean:
            lean.put_object(Bucket="bucket", Key="first", Body=b"")
            try:
                lean.put_object(Bucket="bucket", Key="k", Body=b"x", **condition)
            except UnreachableError:
                assert condition
            assert len(server.asked) == sent


ERROR = b'<?xml version="1.0"?><Error><Code>InternalError</Code><Message>Again.</Message></Error>'


def test_an_error_behind_a_200_is_one_of_the_server() -> None:
    with serving(lambda _: answer("200 OK", b" \n " + ERROR)) as server:
        with client(server) as lean:
            requests: dict[str, dict[str, Any]] = {
                "list_objects_v2": {},
                "delete_objects": {"Delete": {"Objects": [{"Key": "a"}]}},
                "create_multipart_upload": {"Key": "a"},
                "complete_multipart_upload": {"Key": "a", "UploadId": "u", "MultipartUpload": {"Parts": []}},
            }
            for operation, request in requests.items():
                with pytest.raises(RefusedError, match="Again") as caught:
                    getattr(lean, operation)(Bucket="bucket", **request)
                assert is_passing(caught.value)
        with storage_of(server) as storage, pytest.raises(StorageUnavailableError):
            list(storage.list(""))


def test_an_answer_that_is_no_xml_is_asked_for_again() -> None:
    bad = [
        b"",
        b"<html>",
        b"<ListBucketResult><IsTruncated>",
        b"<R><IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>many</Size></Contents></R>",
        b"<R><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType><Contents><Size>1</Size></Contents></R>",
    ]

    def script(_: Asked) -> bytes:
        return answer("200 OK", bad.pop() if bad else b"<R><IsTruncated>false</IsTruncated></R>")

    with serving(script) as server, storage_of(server, attempts=9) as storage:
        assert list(storage.list("")) == []
        assert len(server.asked) == 6


def test_refusals_pickle() -> None:
    with serving(lambda _: answer("404 Not Found")) as server, client(server) as lean:
        with pytest.raises(RefusedError) as caught:
            lean.get_object(Bucket="bucket", Key="a")
        again = pickle.loads(pickle.dumps(caught.value))
        assert (str(again), again.response) == (str(caught.value), caught.value.response)


def test_text_is_sent_as_utf8() -> None:
    with serving(lambda _: answer("200 OK", ETag='"e"')) as server, client(server) as lean:
        lean.put_object(Bucket="bucket", Key="k", Body="ü")
        assert server.asked[0].body == "ü".encode()


def test_keys_are_escaped_in_xml() -> None:
    with serving(lambda _: answer("200 OK", b"<DeleteResult/>")) as server, client(server) as lean:
        lean.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "a<&>\r\nü"}], "Quiet": True})
        assert server.asked[0].body.endswith(
            "<Object><Key>a&lt;&amp;&gt;&#13;&#10;ü</Key></Object><Quiet>true</Quiet></Delete>".encode()
        )
        assert "content-md5" in server.asked[0].headers


class TestInvoke:
    def test_answers_are_boto3s(self) -> None:
        raw = answer(
            "200 OK",
            b'{"errorMessage": "no"}',
            X_Amz_Function_Error="Unhandled",
            X_Amz_Log_Result=base64.b64encode(b"START").decode(),
            X_Amz_Executed_Version="7",
            x_amzn_RequestId="R1",
        )
        request = {"FunctionName": "wrenml-1769", "Qualifier": "v7", "LogType": "Tail", "Payload": b"{}"}
        for name in ("wrenml-1769", "arn:aws:lambda:eu-west-1:123456789012:function:wrenml-1769"):
            lean, boto = both(lambda _: raw, "lambda", "invoke", **request | {"FunctionName": name})
            assert lean == boto
            assert lean["Payload"] == b'{"errorMessage": "no"}'
            assert lean["FunctionError"] == "Unhandled"

    def test_events_are_accepted(self) -> None:
        request = {"FunctionName": "f", "InvocationType": "Event", "Payload": b"{}"}
        lean, boto = both(lambda _: answer("202 Accepted"), "lambda", "invoke", **request)
        assert lean == {name: value for name, value in boto.items() if name in lean}
        assert lean["StatusCode"] == 202

    def test_refusals_are_boto3s(self) -> None:
        body = json.dumps({"Type": "User", "message": "Rate Exceeded.", "Reason": "CallerRateLimitExceeded"}).encode()
        raw = answer("429 Too Many", body, x_amzn_ErrorType="TooManyRequestsException", Retry_After="3")
        lean, boto = both(lambda _: raw, "lambda", "invoke", FunctionName="f", InvocationType="Event", Payload=b"")
        assert lean["refused"]["Error"] == boto["refused"]["Error"]
        assert lean["refused"]["Reason"] == boto["refused"]["Reason"]
        with serving(lambda _: raw) as server, client(server, "lambda") as made:
            with pytest.raises(RefusedError, match="Rate Exceeded") as caught:
                made.invoke(FunctionName="f", Payload="{}")
            assert (code_of(caught.value), retry_after(caught.value)) == ("TooManyRequestsException", 3.0)
            assert is_passing(caught.value)

    def test_an_invocation_is_never_sent_twice(self) -> None:
        with (
            serving(lambda asked: None if asked.number else answer("202 Accepted")) as server,
            client(server, "lambda") as made,
        ):
            made.invoke(FunctionName="f", InvocationType="Event", Payload=b"1")
            with pytest.raises(UnreachableError):
                made.invoke(FunctionName="f", InvocationType="Event", Payload=b"2")
            assert [asked.body for asked in server.asked] == [b"1", b"2"]


def test_a_page_in_place_of_parameters_may_pass() -> None:
    with serving(lambda _: answer("200 OK", b"<html>Sign in")) as server, client(server, "ssm") as made:
        with pytest.raises(UnreachableError, match="no JSON") as caught:
            made.get_parameters(Names=["a"])
        assert is_passing(caught.value)


@pytest.mark.parametrize("key", ["abcde", "not base64!", base64.b64encode(b"short").decode()])
def test_a_damaged_root_key_is_said(key: str) -> None:
    values = {deployment_name("mine"): "{}", root_key_name("mine"): key}
    said = {"Parameters": [{"Name": name, "Value": value} for name, value in values.items()]}
    with serving(lambda _: answer("200 OK", json.dumps(said).encode())) as server:
        session = Session(endpoint_url=server.url, transport="lean")
        with pytest.raises(ConfigError, match="/wrenml/mine/root holds no root key of 32 bytes; run: wrenml deploy"):
            load_deployment(session, "mine")
        session.client("ssm").close()


def skewed(by: timedelta, code: str, body: Callable[[str], bytes], **headers: str) -> Script:
    """A server whose clock differs, and which refuses what is signed more than 4 minutes off."""

    def script(asked: Asked) -> bytes:
        now = datetime.now(UTC) + by
        signed = datetime.strptime(asked.headers["x-amz-date"], "%Y%m%dT%H%M%S%z")
        date = format_datetime(now, usegmt=True)
        if abs(now - signed) > timedelta(minutes=4):
            return answer("403 Forbidden", body(code), Date=date, **headers)
        return answer("200 OK", b"", Date=date, ETag='"e"')

    return script


@pytest.mark.parametrize("by", [timedelta(hours=-3), timedelta(hours=9)], ids=["behind", "ahead"])
def test_the_clock_is_corrected_once_for_all_clients(by: timedelta) -> None:
    def xml(code: str) -> bytes:
        return f"<Error><Code>{code}</Code><Message>Skewed.</Message></Error>".encode()

    with serving(skewed(by, "RequestTimeTooSkewed", xml)) as server:
        session = Session(endpoint_url=server.url, transport="lean")
        s3, functions = session.client("s3"), session.client("lambda")
        for number in range(3):
            s3.put_object(Bucket="bucket", Key=f"{number}", Body=io.BytesIO(b"body"), IfNoneMatch="*")
        functions.invoke(FunctionName="f", InvocationType="Event")
        assert [asked.body for asked in server.asked] == [b"body"] * 4 + [b""]
        s3.close()
        functions.close()


def test_lambda_has_its_own_word_for_a_wrong_clock() -> None:
    def body(_: str) -> bytes:
        return b'{"message": "Signature expired: 20130524T000000Z is now earlier than ..."}'

    script = skewed(timedelta(hours=1), "", body, x_amzn_ErrorType="InvalidSignatureException")
    with serving(script) as server, client(server, "lambda") as made:
        made.invoke(FunctionName="f", InvocationType="Event")
        assert len(server.asked) == 2


@pytest.mark.parametrize("date", [None, "nonsense"])
def test_a_wrong_signature_is_no_matter_of_time(date: str | None) -> None:
    refusal = b"<Error><Code>SignatureDoesNotMatch</Code><Message>No.</Message></Error>"
    headers = {"Date": date or format_datetime(datetime.now(UTC), usegmt=True)}
    with serving(lambda _: answer("403 Forbidden", refusal, **headers)) as server, storage_of(server) as storage:
        with pytest.raises(AccessDeniedError, match="credentials"):
            storage.get("a")
        assert len(server.asked) == 1


@pytest.mark.parametrize("place", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "profile"])
def test_certificates_of_the_settings_are_believed(place: str, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with serving(lambda _: answer("200 OK", b"x"), tls=authority.server()) as server:
        refused = pytest.raises(ConfigError, match=r"CERTIFICATE_VERIFY_FAILED.*Check AWS_CA_BUNDLE")
        with storage_of(server) as storage, refused:
            storage.get("a")
        assert not server.asked
        if place == "profile":
            (tmp_path / "config").write_text(f"[default]\nca_bundle = {authority.bundle}\n")
            environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        else:
            environment.setenv(place, str(authority.bundle))
        with storage_of(server) as storage:
            assert storage.get("a") == b"x"


def access_key(asked: Asked) -> str:
    return asked.headers["authorization"].partition("Credential=")[2].partition("/")[0]


def test_keys_of_the_environment_are_read_for_every_request(environment: pytest.MonkeyPatch) -> None:
    with serving(lambda _: answer("200 OK")) as server, client(server) as lean:
        lean.put_object(Bucket="bucket", Key="a", Body=b"")
        environment.setenv("AWS_ACCESS_KEY_ID", "AKIB")
        environment.setenv("AWS_SESSION_TOKEN", "token")
        lean.put_object(Bucket="bucket", Key="a", Body=b"")
        assert [access_key(asked) for asked in server.asked] == ["AKIA", "AKIB"]
        assert [asked.headers.get("x-amz-security-token") for asked in server.asked] == [None, "token"]
        environment.delenv("AWS_SECRET_ACCESS_KEY")
        with storage_of(server) as storage, pytest.raises(AccessDeniedError, match="AWS_SECRET_ACCESS_KEY"):
            storage.get("a")


PROVIDER = """
import datetime, json, pathlib
path = pathlib.Path({path!r})
number = len(path.read_text()) if path.exists() else 0
path.write_text("x" * (number + 1))
soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=1)
print(json.dumps(dict(Version=1, AccessKeyId=f"TEMP{{number}}", SecretAccessKey="s", SessionToken=f"t{{number}}",
                      Expiration=soon.isoformat())))
"""


def test_credentials_that_expire_are_refreshed(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "provider.py").write_text(PROVIDER.format(path=str(tmp_path / "count")))
    (tmp_path / "config").write_text(
        f"[profile temporary]\nregion = eu-north-1\ncredential_process = {sys.executable} {tmp_path / 'provider.py'}\n"
    )
    environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    environment.delenv("AWS_REGION")
    with serving(lambda _: answer("200 OK")) as server:
        session = Session(profile="temporary", endpoint_url=server.url)
        assert session.region == "eu-north-1"
        lean = session.client("s3")
        assert isinstance(lean, LeanS3)
        for _ in range(2):
            lean.put_object(Bucket="bucket", Key="a", Body=b"")
        keys = [access_key(asked) for asked in server.asked]
        assert len(set(keys)) == 2
        assert all(key.startswith("TEMP") for key in keys)
        assert "/eu-north-1/s3/aws4_request" in server.asked[0].headers["authorization"]
        lean.close()


def test_no_credentials_at_all(environment: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environment.delenv(name)
    with serving(lambda _: answer("200 OK")) as server, storage_of(server) as storage:
        with pytest.raises(AccessDeniedError, match="no usable AWS credentials"):
            storage.get("a")
        assert not server.asked


class Recorder:
    """Stands in for boto3's client."""

    def __init__(self) -> None:
        self.called: list[tuple[str, dict[str, object]]] = []

    def __getattr__(self, name: str) -> Callable[..., str]:
        def call(**request: object) -> str:
            self.called.append((name, request))
            return "boto3"

        return call


UNKNOWN: list[tuple[str, dict[str, Any]]] = [
    ("get_object", {"Bucket": "bucket", "Key": "a", "SSECustomerKey": "k"}),
    ("head_object", {"Bucket": "bucket", "Key": "a", "PartNumber": 3}),
    ("put_object", {"Bucket": "bucket", "Key": "a", "Metadata": {"a": "b"}}),
    ("put_object", {"Bucket": "arn:aws:s3:eu-west-1:123456789012:accesspoint/a", "Key": "a", "Body": b""}),
    ("put_object", {"Bucket": "bucket--euw1-az1--x-s3", "Key": "a", "Body": b""}),
    ("list_objects_v2", {"Bucket": "bucket", "FetchOwner": True}),
    ("delete_object", {"Bucket": "bucket", "Key": "a", "MFA": "1"}),
    ("delete_objects", {"Bucket": "bucket", "Delete": {"Objects": [{"Key": "a", "VersionId": "1"}]}}),
    ("create_multipart_upload", {"Bucket": "bucket", "Key": "a", "ACL": "private"}),
    ("upload_part", {"Bucket": "bucket", "Key": "a", "SSECustomerKey": "k", "Body": b""}),
    ("complete_multipart_upload", {"Bucket": "bucket", "Key": "a", "ChecksumCRC32": "k"}),
    ("abort_multipart_upload", {"Bucket": "bucket", "Key": "a", "RequestPayer": "requester"}),
    ("create_bucket", {"Bucket": "bucket"}),
]


@pytest.mark.parametrize(("operation", "request_"), UNKNOWN)
def test_what_is_not_ours_goes_to_boto3(operation: str, request_: dict[str, Any]) -> None:
    with serving(lambda _: answer("200 OK")) as server:
        caller = Session(endpoint_url=server.url, transport="lean").client("s3")
        boto = Recorder()
        assert getattr(LeanS3(caller.caller, lambda: boto), operation)(**request_) == "boto3"
        assert boto.called == [(operation, request_)]
        assert not server.asked


def test_other_methods_of_lambda_are_boto3s() -> None:
    with serving(lambda _: answer("200 OK", b'{"AccountLimit": {}}')) as server, client(server, "lambda") as made:
        assert isinstance(made, LeanLambda)
        assert made.get_account_settings()["AccountLimit"] == {}
        assert made.meta.region_name == "eu-west-1"


UNUSUAL = [
    ({"AWS_USE_FIPS_ENDPOINT": "true"}, ""),
    ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, ""),
    ({"AWS_REGION": "us-iso-east-1"}, ""),
    ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1/below"}, ""),
    ({"HTTPS_PROXY": "https://127.0.0.1:1"}, ""),
    ({}, "[default]\nuse_fips_endpoint = true\n"),
    ({}, "[default]\ns3 =\n  use_accelerate_endpoint = true\n"),
    ({}, "[default]\nservices = mine\n[services mine]\ns3 =\n  endpoint_url = http://127.0.0.1:1\n"),
]


@pytest.mark.parametrize(("variables", "config"), UNUSUAL)
def test_unusual_settings_go_through_boto3(
    variables: dict[str, str], config: str, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    if config:
        (tmp_path / "config").write_text(config)
        environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    made = Session().client("s3")
    assert not isinstance(made, LeanS3)
    assert made.meta.service_model.service_name == "s3"
    with pytest.raises(ConfigError):
        Session(transport="lean").client("s3")


def test_usual_settings_do_not(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "[default]\nregion = eu-south-1\noutput = json\ns3 =\n  max_concurrent_requests = 20\n"
        "[profile mine]\nregion = ap-south-2\nendpoint_url = http://127.0.0.1:7\n"
    )
    environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    environment.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert isinstance(Session().client("s3"), LeanS3)
    environment.delenv("AWS_REGION")
    assert Session().region == "eu-south-1"
    assert Session(profile="mine").region == "ap-south-2"
    made = Session(profile="mine").client("lambda")
    assert isinstance(made, LeanLambda)
    assert made.caller.endpoint.address.url == "http://127.0.0.1:7"


def test_the_transport_can_be_chosen(environment: pytest.MonkeyPatch) -> None:
    assert isinstance(Session().client("s3"), LeanS3)
    assert not isinstance(Session(transport="boto3").client("s3"), LeanS3)
    assert not isinstance(Session().client("iam"), LeanClient)
    environment.setenv("WRENML_TRANSPORT", "boto3")
    assert not isinstance(Session().client("lambda"), LeanLambda)
    assert isinstance(Session(transport="lean").client("lambda"), LeanLambda)
    with pytest.raises(ConfigError, match="lean"):
        Session(transport="carrier pigeon")


def test_a_mock_in_this_process_is_not_passed_by() -> None:
    session = Session()
    before = session.client("s3")
    assert isinstance(before, LeanS3)
    with mock_aws():
        made = session.client("s3")
        made.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        storage = S3Storage("s3://bucket", session=session)
        storage.put("a", b"x")
        assert made.get_object(Bucket="bucket", Key="a")["Body"].read() == b"x"
    assert session.client("s3") is before


ADDRESSES = [
    ("s3", "eu-west-1", "bucket", "https://bucket.s3.eu-west-1.amazonaws.com", "/k"),
    ("s3", "us-east-1", "bu.cket", "https://s3.us-east-1.amazonaws.com", "/bu.cket/k"),
    ("s3", "us-gov-west-1", "bucket", "https://bucket.s3.us-gov-west-1.amazonaws.com", "/k"),
    ("s3", "cn-north-1", "bucket", "https://bucket.s3.cn-north-1.amazonaws.com.cn", "/k"),
    ("lambda", "ap-southeast-4", None, "https://lambda.ap-southeast-4.amazonaws.com", ""),
]


@pytest.mark.parametrize(("service", "region", "bucket", "url", "path"), ADDRESSES)
def test_addresses_of_aws(service: str, region: str, bucket: str | None, url: str, path: str) -> None:
    endpoint = Session(region=region, transport="lean").client(service).caller.endpoint
    if bucket is None:
        assert endpoint.address.url == url
    else:
        address, prefix = endpoint.place(bucket)
        assert (address.url, f"{prefix}/k") == (url, path)
        # botocore still prefers the old name of S3 in its oldest region.
        assert boto3s_url(region, bucket).replace("//s3.amazonaws", "//s3.us-east-1.amazonaws") == url + path


class Caught(Exception):
    """Holds the request that was about to be sent."""


def boto3s_url(region: str, bucket: str) -> str:
    def catch(request: Any, **_: object) -> None:  # noqa: ANN401 - botocore ships no types
        raise Caught(request.url)

    made = Session(region=region, transport="boto3").client("s3")
    made.meta.events.register("before-send.s3", catch)
    with pytest.raises(Caught) as caught:
        made.get_object(Bucket=bucket, Key="k")
    return str(caught.value)


OWN = [
    ("s3", {"AWS_ENDPOINT_URL": "http://localhost:5000"}, "http://localhost:5000"),
    ("s3", {"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_S3": "https://b"}, "https://b"),
    ("s3", {"AWS_ENDPOINT_URL_S3": "http://[::1]:9/"}, "http://[::1]:9"),
    ("lambda", {"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_LAMBDA": "https://b"}, "https://b"),
    ("ssm", {"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_SSM": "https://b"}, "https://b"),
    (
        "s3",
        {"AWS_ENDPOINT_URL": "http://a:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        "https://s3.eu-west-1.amazonaws.com",
    ),
]


@pytest.mark.parametrize(("service", "variables", "url"), OWN)
def test_addresses_of_the_environment(
    service: str, variables: dict[str, str], url: str, environment: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    assert Session(transport="lean").client(service).caller.endpoint.address.url == url


def test_an_object_and_its_size_in_one_request() -> None:
    data = bytes(range(256)) * 1000

    def script(asked: Asked) -> bytes:
        if asked.target.endswith("/empty"):
            body = b"<Error><Code>InvalidRange</Code><Message>Empty.</Message></Error>"
            return answer("416 Requested Range Not Satisfiable", body)
        if asked.target.endswith("/gone"):
            return answer("404 Not Found", b"<Error><Code>NoSuchKey</Code><Message>Gone.</Message></Error>")
        stop = min(int(asked.headers["range"].rpartition("-")[2]) + 1, len(data))
        return answer("206 Partial Content", data[:stop], Content_Range=f"bytes 0-{stop - 1}/{len(data)}")

    with serving(script) as server, storage_of(server) as storage:
        assert storage.get_start("a", 65_536) == (data[:65_536], len(data))
        assert storage.get_start("a", 10**6) == (data, len(data))
        assert storage.get_start("empty", 65_536) == (b"", 0)
        with pytest.raises(KeyNotFoundError):
            storage.get_start("gone", 65_536)
        assert len(server.asked) == 4
