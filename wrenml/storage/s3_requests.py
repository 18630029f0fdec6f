"""Requests to one bucket: sent, repeated while failures may pass, and translated when they do not."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from wrenml.aws.session import Session
from wrenml.retry import backoff
from wrenml.storage.s3_errors import IncompleteAnswerError, aws_errors, is_transient, retry_after, translate

__all__ = ["Answer", "Bucket", "Patience"]

Answer = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long failures that pass by themselves are borne.

    Parameters
    ----------
    attempts : int, default 8
        How often a request is sent at most.
    base, cap : float, default 0.1 and 20.0
        Seconds; see `wrenml.retry.backoff`.
    sleep : callable
        Waits so many seconds.
    draw : callable
        Gives a number in [0, 1).
    """

    attempts: int = 8
    base: float = 0.1
    cap: float = 20.0
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[], float] = random.random


class Bucket:
    """One bucket and how it is asked.

    Parameters
    ----------
    name : str
        The bucket.
    owner : str or None
        The AWS account that must own it.
    session : Session
        Where the client comes from.
    patience : Patience
        How failures are retried.
    count : callable, optional
        Told of every request before it is sent: the client's method, and the key or prefix.
    """

    def __init__(
        self,
        name: str,
        owner: str | None,
        session: Session,
        patience: Patience,
        count: Callable[[str, str], None] | None = None,
    ) -> None:
        self.name = name
        self.owner = owner
        self._session = session
        self._patience = patience
        self._count = count

    def send(self, operation: str, *, holding: str | None = None, **request: object) -> Answer:
        """Send one request, once.

        Parameters
        ----------
        operation : str
            The client's method.
        holding : str, optional
            A field that every successful answer has. S3 may report an error behind a status of 200.
        **request
            The operation's own parameters, save for the bucket and its owner.

        Raises
        ------
        IncompleteAnswerError
            The field is missing.
        """
        if self.owner is not None:
            request["ExpectedBucketOwner"] = self.owner
        if self._count is not None:
            self._count(operation, str(request.get("Key") or request.get("Prefix") or ""))
        answer: Answer = getattr(self._session.client("s3"), operation)(Bucket=self.name, **request)
        if holding is not None and holding not in answer:
            raise IncompleteAnswerError(f"an answer without {holding}")
        return answer

    def retried(self, send: Callable[[], T], action: str, key: str) -> T:
        """Call `send` until it succeeds, fails for good or patience ends.

        Parameters
        ----------
        send : callable
            Sends one request and reads all of its answer.
        action : str
            The permission that the request needs, such as ``s3:GetObject``.
        key : str
            What the request is about, for messages.

        Raises
        ------
        WrenmlError
            What the failure means.
        """
        patience = self._patience
        failures = 0
        while True:
            try:
                return send()
            except aws_errors() as error:
                failures += 1
                if not is_transient(error) or failures >= patience.attempts:
                    raise translate(error, action, f"s3://{self.name}/{key}") from error
                pause = backoff(failures, base=patience.base, cap=patience.cap, random=patience.draw())
                patience.sleep(min(max(pause, retry_after(error)), patience.cap))
