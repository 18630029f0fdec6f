"""Our signatures are botocore's, for whatever is signed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import example, given
from hypothesis import strategies as st

from wrenml.aws.signing import Keys, Signer, query_string, quoted_path

plain = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
odd = st.text(st.sampled_from("a~ +%/=&?#:;,'\"!()*@$é\N{GRINNING FACE}\\^`|"), max_size=12)
text = plain | odd
value = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30).map(str.strip)
queries = st.lists(st.tuples(text.filter(bool), text), max_size=4)
headers = st.dictionaries(st.from_regex(r"x-amz-[a-z]{3,8}x", fullmatch=True), value.filter(bool), max_size=3)
stamps = st.integers(0, 10**9).map(lambda seconds: datetime(2001, 9, 9, tzinfo=UTC) + timedelta(seconds=seconds))


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    key=text,
    query=queries,
    extra=headers,
    body=st.binary(max_size=50),
    token=st.none() | value.filter(bool),
    when=stamps,
    service=st.sampled_from(["s3", "lambda"]),
)
@example(
    method="GET",
    key="a b/ü+%25/~x",
    query=[("prefix", "a/ b~+%"), ("a-", "1"), ("a", "2")],
    extra={},
    body=b"",
    token="to/ken+==",  # noqa: S106 - of nobody
    when=datetime(2026, 1, 2, tzinfo=UTC),
    service="s3",
)
@example(
    method="POST",
    key="arn:aws:lambda:eu-west-1:123456789012:function:f:v1",
    query=[("Qualifier", "$LATEST")],
    extra={"x-amz-invocation-type": "Event"},
    body=b"{}",
    token=None,
    when=datetime(2026, 1, 2, tzinfo=UTC),
    service="lambda",
)
def test_signatures_are_botocores(  # noqa: PLR0913 - what is signed has many parts
    *,
    method: str,
    key: str,
    query: list[tuple[str, str]],
    extra: dict[str, str],
    body: bytes,
    token: str | None,
    when: datetime,
    service: str,
) -> None:
    if service != "s3":
        # botocore also removes dots and doubled slashes there; no path of ours has any.
        key = key.replace("/", "").replace(".", "")
    path, encoded = quoted_path(f"/{key}"), query_string(query)
    stamp = when.strftime("%Y%m%dT%H%M%SZ")
    ours = Signer(service, "eu-west-1").headers(
        method,
        (path, encoded),
        {"host": "example.com:8443", **extra},
        sha256(body).hexdigest(),
        Keys("AKIA", "secret", token),
        stamp,
    )
    url = f"http://example.com:8443{path}" + (f"?{encoded}" if encoded else "")
    request = AWSRequest(method, url, {**extra, "X-Amz-Date": stamp}, body)
    if token:
        request.headers["X-Amz-Security-Token"] = token
    if service == "s3":
        request.headers["X-Amz-Content-SHA256"] = sha256(body).hexdigest()
    request.context["timestamp"] = stamp
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    auth = kind(Credentials("AKIA", "secret", token), service, "eu-west-1")
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    assert ours["authorization"].rpartition("Signature=")[2] == signature
    assert f"SignedHeaders={auth.signed_headers(auth.headers_to_sign(request))}," in ours["authorization"]
