from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from moto import mock_aws

from tests.support.s3 import Answer, Send, TwistedSession
from wrenml.storage import S3Storage

LARGE = b"x" * 100_000


class Ageing:
    """Lets objects look older than they are."""

    def __init__(self) -> None:
        self.age = timedelta()

    def __call__(self, operation: str, send: Send, request: Answer) -> Answer:
        answer = send(**request)
        if operation == "head_object":
            answer["LastModified"] -= self.age
        return answer


@pytest.fixture
def ageing() -> Ageing:
    return Ageing()


@pytest.fixture
def session(ageing: Ageing, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwistedSession]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        session = TwistedSession(ageing)
        session.client("s3").create_bucket(Bucket="bucket")
        session.operations.clear()
        yield session


def test_what_is_large_and_young_is_not_sent_again(session: TwistedSession) -> None:
    storage = S3Storage("s3://bucket", session=session)

    storage.keep("blobs/a", LARGE)
    storage.keep("blobs/a", LARGE)

    assert session.operations == ["head_object", "put_object", "head_object"]
    assert storage.get("blobs/a") == LARGE


def test_what_may_soon_be_removed_is_written_again(session: TwistedSession, ageing: Ageing) -> None:
    storage = S3Storage("s3://bucket", session=session)
    storage.keep("blobs/a", LARGE)
    ageing.age = timedelta(days=8)

    storage.keep("blobs/a", LARGE)

    assert session.operations == ["head_object", "put_object"] * 2


def test_asking_for_what_is_small_would_cost_as_much_as_writing_it(session: TwistedSession) -> None:
    storage = S3Storage("s3://bucket", session=session)

    storage.keep("blobs/a", b"small")
    storage.keep("blobs/a", b"small")

    assert session.operations == ["put_object"] * 2
