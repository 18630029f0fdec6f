"""Failure records: what Lambda itself writes when an asynchronous invocation ended without an answer.

They lie under ``aws/lambda/async/<function>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<uuid>`` in a bucket of their own, so their
names sort by time and each is read once.
Source: AWS Lambda developer guide, "Capturing records of Lambda asynchronous invocations".
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from wrenml.errors import (
    CallTimeout,
    StorageError,
    WorkerCrashed,
    WorkerLost,
    WorkerOutOfMemory,
    WrenmlError,
)
from wrenml.invoke.base import Name
from wrenml.storage.base import Objects, get_or_none

__all__ = ["FailureRecord", "Records"]

_log = logging.getLogger("wrenml")

_PREFIX = "aws/lambda/async"
_DAY = 86_400
_LAG = 300.0  # seconds


class FailureRecord(NamedTuple):
    """What became of an invocation.

    Parameters
    ----------
    name : tuple
        Of the invocation.
    cause : WrenmlError
        Why it ended.
    """

    name: Name
    cause: WrenmlError


class Records:
    """The failure records of some functions, from now on.

    Parameters
    ----------
    storage : Objects
        The bucket.
    memory_mb : mapping of str to int
        How much memory each has, for messages.
    since : float
        Unix seconds; earlier records are not looked at.
    clock : callable, optional
        Unix seconds as AWS has them. Default: this machine's.
    """

    def __init__(
        self, storage: Objects, memory_mb: Mapping[str, int], since: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._storage = storage
        self._memory_mb = dict(memory_mb)
        self._since = since
        self._clock = clock
        self._seen: set[str] = set()

    def look(self, functions: Iterable[str]) -> Iterator[FailureRecord]:
        """Read what is new for these functions.

        Raises
        ------
        StorageError
            If the bucket cannot be read.
        """
        now = self._clock()
        since = self._since
        for function in functions:
            for day in range(int(since // _DAY), int(now // _DAY) + 1):
                folder = time.strftime(f"{_PREFIX}/{function}/%Y/%m/%d/", time.gmtime(day * _DAY))
                first = time.strftime("%Y-%m-%dT%H.%M.%S", time.gmtime(max(since, day * _DAY)))
                for key in self._storage.list(folder, after=folder + first):
                    if key not in self._seen:
                        record = self._read(key, self._memory_mb.get(function))
                        self._seen.add(key)
                        if record is not None:
                            yield record
        # A record may appear some time after the moment that its name tells.
        self._since = max(since, now - _LAG)

    def _read(self, key: str, memory_mb: int | None) -> FailureRecord | None:
        data = get_or_none(self._storage, key)
        if data is None:
            return None
        try:
            record = json.loads(bytes(data))
            request = record["requestPayload"]
            name = (str(request["job"]), int(request["calls"][0]), int(request["attempt"]))
            condition = record["requestContext"]["condition"]
            answer = record.get("responsePayload") or {}
        except (ValueError, KeyError, TypeError, IndexError) as error:
            _log.debug("wrenml: %s is no failure record of ours: %r", key, error)
            return None
        if condition == "EventAgeExceeded":
            return FailureRecord(name, WorkerLost("the invocation waited too long for its start."))
        if not answer:
            return FailureRecord(name, _never_ran(condition))
        cause = _cause(str(answer.get("errorType", "")), str(answer.get("errorMessage", "")), memory_mb)
        return FailureRecord(name, cause)


def _never_ran(condition: str) -> WorkerCrashed:
    # Not a plain WorkerLost, which is blamed on nobody and so invoked again without end.
    return WorkerCrashed(
        f"Lambda gave the invocation up without running it ({condition}). A function whose reserved concurrency is 0 "
        "runs nothing: raise it (`wrenml deploy --max-concurrency`); `wrenml doctor` shows it."
    )


def _cause(kind: str, message: str, memory_mb: int | None) -> WrenmlError:
    if kind == "Sandbox.Timedout" or "timed out" in message.lower():
        return CallTimeout(
            f"the call was out of time: Lambda ended its environment ({message}), which its supervisor should have "
            "done before. Give the function a longer timeout, or the call less to do."
        )
    if "signal: killed" in message:
        limit = f" of {memory_mb} MB" if memory_mb else ""
        return WorkerOutOfMemory(
            f"Lambda killed the call's environment ({message}): most likely it needed more than its memory{limit}. "
            "Raise memory_mb= to a deployed size that is larger, or use less.",
            memory_mb,
        )
    if kind.endswith(("StorageUnavailableError", "StorageError", "AccessDeniedError")):
        return StorageError(f"the worker could not write its outcome: {message}")
    return WorkerCrashed(f"the call's environment on Lambda ended: {kind}: {message}")
