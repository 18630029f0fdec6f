from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrenml import wire
from wrenml.errors import VersionMismatchError, WireError
from wrenml.wire import ArgumentRange, Input, JobSpec, Request, decode_request, decode_spec, encode_request, encode_spec

FULL = Request(
    job="j0b",
    first=3,
    count=2,
    attempt=4,
    spec="digest",
    key=b"\0key\xff",
    offsets=(0, 1, 2),
    range=ArgumentRange("jobs/j0b/args/0000000000", 10, 12, "sha"),
    inputs=(Input("other", 1, "jobs/other/out/1", 5, 9, "sha2"),),
    storage="s3://bucket/prefix",
    sent=1.25,
    start_by=2.5,
    not_after=3.5,
    cancel="token digest",
    part=2,
    largest=False,
    depth=1,
)


def test_key_table() -> None:
    assert wire.blob_key("ab") == "blobs/ab"
    assert wire.manifest_key("j") == "jobs/j/manifest"
    assert wire.args_key("j", 12) == "jobs/j/args/0000000012"
    assert wire.state_key("j") == "jobs/j/state"
    assert wire.lease_key("j", 3) == "jobs/j/lease/3"
    assert wire.outcome_prefix("j") == "jobs/j/out/"


def test_golden_request() -> None:
    request = Request(job="j", first=1, count=2, attempt=3, spec="s", key=b"k", offsets=(0, 1, 2), args=b"ab")
    assert encode_request(request) == (
        b'{"protocol":1,"storage":"","owner":"","job":"j","calls":[1,2],"attempt":3,"spec":"s","carried":"","key":"aw==","offsets":[0,1,2],'
        b'"args":"YWI=","range":null,"inputs":[],"sent":0.0,"start_by":null,"not_after":null,"cancel":"","part":1,"largest":true,"depth":0}'
    )


def test_golden_spec() -> None:
    spec = JobSpec(function=b"fn", env={"b": "2", "a": "1"}, python="3.11")
    assert encode_spec(spec) == (
        b'{"function":"Zm4=","applied":"item","archive":null,"timeout":null,"retries":0,"retry_on":null,"seed":null,'
        b'"env":{"a":"1","b":"2"},"files":[],"hooks":false,"python":"3.11","cloudpickle":null}'
    )


def test_requests_come_back_equal() -> None:
    assert decode_request(encode_request(FULL)) == FULL
    as_lambda_gives_it = json.loads(encode_request(FULL))
    assert decode_request(as_lambda_gives_it) == FULL


def test_specs_come_back_equal() -> None:
    spec = JobSpec(
        function=b"\0f", applied="star", archive="a", timeout=1.5, retries=2, retry_on=b"r", seed=7,
        env={"A": "b", "Z": "y"}, files=(("name", "digest"),), hooks=True, cloudpickle="3.1",
    )  # fmt: skip
    assert decode_spec(encode_spec(spec)) == spec
    assert decode_spec(memoryview(encode_spec(spec))) == spec
    reordered = spec._replace(env={"Z": "y", "A": "b"})
    assert encode_spec(reordered) == encode_spec(spec)


def test_another_protocol_is_refused_whatever_else_it_holds() -> None:
    for payload in ({"protocol": 2}, {"protocol": 2, "calls": "of a new form", "more": 1}, {}):
        with pytest.raises(VersionMismatchError, match="protocol"):
            decode_request(payload)


def test_another_python_is_refused_before_anything_is_unpickled() -> None:
    spec = encode_spec(JobSpec(function=b"no pickle at all", python="2.7"))
    with pytest.raises(VersionMismatchError, match=r"2\.7.*3\.1"):
        decode_spec(spec)


@pytest.mark.parametrize("name", ["job", "calls", "attempt", "spec", "key", "offsets", "args", "range", "inputs"])
def test_requests_without_a_field(name: str) -> None:
    record = json.loads(encode_request(FULL))
    del record[name]
    with pytest.raises(WireError):
        decode_request(record)
    record[name] = {"of": "another type"}
    if name not in ("job", "attempt", "spec", "key", "args", "offsets"):
        with pytest.raises(WireError):
            decode_request(record)


@given(st.binary(max_size=60) | st.sampled_from([b"[1]", b"1", b"null", b'"x"', b"{}", b"\xff", b"{"]))
def test_bytes_that_are_no_request(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_request(data)
    with pytest.raises(WireError):
        decode_spec(data)


def test_the_repr_of_a_request_holds_no_secret() -> None:
    text = repr(FULL)
    assert "key" not in text
    assert "token" not in text
    assert "j0b" in text
