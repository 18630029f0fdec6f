from __future__ import annotations

import hmac
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrenml import auth
from wrenml.errors import AuthenticationError

ROOT = bytes(range(32))
JOB = "00112233445566ff"


def expand(key: bytes, info: bytes) -> bytes:
    """HKDF-Expand of RFC 5869 for one block, spelled out."""
    return hmac.new(key, info + b"\x01", sha256).digest()


def test_golden_keys() -> None:
    key = auth.job_key(ROOT, JOB)
    assert key == expand(ROOT, b"8:wrenml/13:job16:00112233445566ff")
    assert key.hex() == "4c55bab2cca062a54fbe23b0b36cf8eb9828a97289d19b5a4f4796c357cd0db3"
    invocation = auth.invocation_key(key, 7, 2)
    assert invocation == expand(key, b"8:wrenml/110:invocation1:71:2")
    assert invocation.hex() == "70c22f4ad705f45b4c6b8bb1bcd61aad3ab6b21f71ee2992754baff422a4dc42"
    root_label = auth.root_label_key(ROOT, "cache")
    assert root_label == expand(ROOT, b"8:wrenml/110:root label5:cache")
    assert root_label.hex() == "5f89a2708a69d488a0bb096dd211e3087ba9b5c98e5aff4bbbfb0fedba970947"


@pytest.mark.parametrize(
    ("label", "golden"),
    [
        ("manifest", "6fd4a19840af5f80b0ec1337147fc41e4290001fed1e09578a1bc131089c60ad"),
        ("args", "b98940932114af631adb205003fa7086b8c7f2cdf8097a99fadcc929017319e3"),
        ("client", "fe1baddde1d79494791baf00939d7d5c943fa33bfbdf58ad88658b2728eb2671"),
        ("journal", "052e7bec77947593d5719d9370e7e157b132a103862452226a746c24740a2cc1"),
    ],
)
def test_golden_label_keys(label: str, golden: str) -> None:
    assert auth.label_key(auth.job_key(ROOT, JOB), label).hex() == golden


def test_golden_tag() -> None:
    key = auth.job_key(ROOT, JOB)
    tag = auth.tag(key, b"manifest", b"j", b"")
    assert tag == hmac.new(key, b"8:wrenml/18:manifest1:j0:", sha256).digest()
    assert tag.hex() == "289b09282b1191a12e3e9fe49fa7642f7115c43f309adde17ada14f875f687b7"
    assert len(tag) == auth.TAG_SIZE == 32


def test_keys_of_different_use_differ() -> None:
    key = auth.job_key(ROOT, JOB)
    keys = {
        key,
        auth.job_key(ROOT, JOB + "0"),
        auth.job_key(bytes(32), JOB),
        auth.root_label_key(ROOT, JOB),
        auth.root_label_key(ROOT, "job"),
        auth.label_key(key, "client"),
        auth.label_key(key, "args"),
        *(auth.invocation_key(key, first, attempt) for first in (0, 1, 11) for attempt in (0, 1, 11)),
    }
    assert len(keys) == 16
    assert {len(each) for each in keys} == {32}


parts = st.lists(st.binary(max_size=12), max_size=5)


@given(parts, parts)
def test_fields_are_unambiguous(one: list[bytes], two: list[bytes]) -> None:
    assert (auth.fields(*one) == auth.fields(*two)) is (one == two)


@given(parts, st.binary(min_size=32, max_size=32), st.integers(0, 255))
def test_only_the_tag_itself_is_accepted(given_parts: list[bytes], key: bytes, bit: int) -> None:
    good = auth.tag(key, *given_parts)
    assert auth.verify(key, good, *given_parts)
    flipped = bytearray(good)
    flipped[bit // 8] ^= 1 << bit % 8
    for bad in (bytes(flipped), good[:-1], b"", good + b"\0"):
        assert not auth.verify(key, bad, *given_parts)
    assert not auth.verify(key, good, *given_parts, b"")
    assert not auth.verify(expand(key, b""), good, *given_parts)


def test_require_names_what_was_refused() -> None:
    auth.require(ROOT, auth.tag(ROOT, b"x"), (b"x",), "the thing")
    with pytest.raises(AuthenticationError, match=r"^the thing was changed"):
        auth.require(ROOT, bytes(32), (b"x",), "the thing")
