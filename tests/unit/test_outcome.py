from __future__ import annotations

import hmac
import struct
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrenml import auth
from wrenml.errors import AuthenticationError, WireError
from wrenml.outcome import HEAD_SIZE, RECORD, Frame, Status, Timings, parse_frame, seal_frame
from wrenml.testing.tools import floats, pattern

JOB = "00112233445566ff"
KEY = auth.job_key(bytes(range(32)), JOB)
EXTRA = b'{"type": "Oops"}'
BODIES = [b"bo", b"dy"]
RECORDS = RECORD.pack(7, Status.SUCCESS, 0, 0, 0, 1.5, 2_000, 3, 3) + RECORD.pack(
    8, Status.FAILURE, 2, 0, len(EXTRA), 2.5, 4_000, 5, 1
)


def key_of(first: int, attempt: int) -> bytes:
    return auth.invocation_key(KEY, first, attempt)


def sealed() -> bytes:
    return seal_frame(
        key_of(7, 2), JOB, (7, 2), RECORDS, EXTRA, BODIES,
        peak_kb=2048, cold=True, sent=1.0, stored=3.0, worker=b"worker-8",
    )  # fmt: skip


def parsed(data: bytes) -> Frame:
    return parse_frame(data, JOB, key_of)


def test_golden_frame() -> None:
    head = struct.pack(
        "<4sBBHIIQIIQdd8s32s",
        b"wrn1", 1, 1, 0, 2, 2, 7, 2048, 16, 4, 1.0, 3.0, b"worker-8", sha256(b"body").digest(),
    )  # fmt: skip
    signed = b"".join(b"%d:%b" % (len(p), p) for p in (b"wrenml/1", b"outcome", JOB.encode(), head, RECORDS, EXTRA))
    tag = hmac.new(bytes.fromhex("70c22f4ad705f45b4c6b8bb1bcd61aad3ab6b21f71ee2992754baff422a4dc42"), signed, sha256)
    assert sealed() == head + tag.digest() + RECORDS + EXTRA
    assert (HEAD_SIZE, RECORD.size) == (128, 44)


def test_a_frame_says_what_was_sealed() -> None:
    frame = parsed(sealed() + b"body")
    assert (frame.count, frame.first, frame.attempt, frame.body_bytes) == (2, 7, 2, 4)
    assert frame.bodies is not None
    assert bytes(frame.bodies) == b"body"
    assert frame.bodies_at == len(sealed())
    (one, *place), (two, *other) = frame.outcomes()
    assert (one.call, one.status, one.retries, one.extra, place) == (7, Status.SUCCESS, 0, {}, [0, 3])
    assert (two.call, two.status, two.retries, two.extra, other) == (8, Status.FAILURE, 2, {"type": "Oops"}, [3, 4])
    assert one.timings == Timings(sent=1.0, started=1.5, unpickled=3e-6, ran=2e-6, stored=3.0)
    assert (one.attempt, one.peak_mb, one.cold, one.worker) == (2, 2.0, True, b"worker-8".hex())


def test_bodies_may_stay_behind() -> None:
    frame = parsed(sealed())
    assert frame.bodies is None
    frame.check_bodies(b"body")
    for wrong in (b"bodY", b"bod", b"body ", b""):
        with pytest.raises(AuthenticationError):
            frame.check_bodies(wrong)


@given(st.integers(0, len(sealed()) * 8 + 31))
def test_any_flipped_bit_is_refused(bit: int) -> None:
    data = bytearray(sealed() + b"body")
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(WireError):
        parsed(bytes(data))


@given(st.integers(0, len(sealed()) + 3).filter(lambda size: size != len(sealed())))
def test_any_truncation_is_refused(size: int) -> None:
    with pytest.raises(WireError):
        parsed((sealed() + b"body")[:size])


@given(st.binary(max_size=400))
def test_bytes_that_are_no_frame(data: bytes) -> None:
    with pytest.raises(WireError):
        parsed(data)
    with pytest.raises(WireError):
        parsed(b"wrn1" + data)


def test_a_frame_is_of_one_job_and_invocation() -> None:
    data = sealed() + b"body"
    with pytest.raises(AuthenticationError):
        parse_frame(data, JOB[:-1] + "0", key_of)
    other_job = auth.job_key(bytes(range(32)), "another")
    with pytest.raises(AuthenticationError):
        parse_frame(data, JOB, lambda first, attempt: auth.invocation_key(other_job, first, attempt))
    for wrong in ((8, 2), (7, 3)):
        replayed = seal_frame(key_of(*wrong), JOB, (7, 2), RECORDS, EXTRA, BODIES, worker=bytes(8))
        with pytest.raises(AuthenticationError):
            parsed(replayed + b"body")


def test_wide_buffers_count_their_bytes() -> None:
    body = floats(16)
    record = RECORD.pack(0, Status.SUCCESS, 0, 0, 0, 0.0, 0, 0, 16)
    frame = parsed(seal_frame(key_of(0, 1), JOB, (0, 1), record, b"", [body], worker=bytes(8)) + pattern(16))
    assert frame.body_bytes == 16


def test_released_frames_still_check_their_bodies() -> None:
    frame = parsed(sealed() + b"body")
    frame.release()
    assert (frame.bodies, frame.bodies_at, frame.attempt) == (None, len(sealed()), 2)
    frame.check_bodies(b"body")
