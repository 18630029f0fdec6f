"""AWS's own documented examples: S3 API reference, "Signature calculations: transferring payload in one chunk"."""

from __future__ import annotations

from hashlib import sha256

import pytest

from wrenml.aws.signing import EMPTY_SHA256, Keys, Signer, query_string, quoted_path

S3_KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
IAM_KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
HOST = {"host": "examplebucket.s3.amazonaws.com"}

EXAMPLES = {
    "get an object": (
        ("GET", (quoted_path("/test.txt"), ""), HOST | {"range": "bytes=0-9"}, EMPTY_SHA256),
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    "put an object": (
        (
            "PUT",
            (quoted_path("/test$file.text"), ""),
            HOST | {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            sha256(b"Welcome to Amazon S3.").hexdigest(),
        ),
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    "get the lifecycle": (
        ("GET", ("/", query_string([("lifecycle", "")])), HOST, EMPTY_SHA256),
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    "list objects": (
        ("GET", ("/", query_string([("prefix", "J"), ("max-keys", "2")])), HOST, EMPTY_SHA256),
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_s3(name: str) -> None:
    (method, target, headers, payload), signature = EXAMPLES[name]
    signer = Signer("s3", "us-east-1")
    for _ in range(2):
        said = signer.headers(method, target, headers, payload, S3_KEYS, "20130524T000000Z")["authorization"]
        assert said.endswith(f"Signature={signature}")
        assert "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request" in said


def test_example_of_iam() -> None:
    """AWS General Reference, "Signature Version 4 signing process": ListUsers."""
    headers = {
        "host": "iam.amazonaws.com",
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    }
    target = "/", query_string([("Version", "2010-05-08"), ("Action", "ListUsers")])
    signed = Signer("iam", "us-east-1").headers("GET", target, headers, EMPTY_SHA256, IAM_KEYS, "20150830T123600Z")
    assert signed["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


def test_a_signer_follows_days_and_keys() -> None:
    def signed(signer: Signer, keys: Keys, stamp: str) -> str:
        return signer.headers("GET", ("/", ""), HOST, EMPTY_SHA256, keys, stamp)["authorization"]

    one = Signer("s3", "us-east-1")
    for keys, stamp in [(S3_KEYS, "20130524T000000Z"), (S3_KEYS, "20130525T000000Z"), (IAM_KEYS, "20130525T000000Z")]:
        assert signed(one, keys, stamp) == signed(Signer("s3", "us-east-1"), keys, stamp)


def test_secrets_are_not_shown() -> None:
    assert "SECRET" not in repr(Keys("AKIA", "SECRET", "SECRET-TOKEN"))
