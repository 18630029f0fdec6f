"""The outcomes of one invocation, gathered call by call and committed part by part.

A part is a fixed run of calls and one object, named by its first call and written if absent, so one
conditional write settles all of it. Calls in it that are lost (there was no time for them) are said to be so
inside, and can be run again under names that no other part has. Where the first call itself is lost, nothing
is settled, and the object bears the attempt's name too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from wrenml.errors import StorageUnavailableError
from wrenml.outcome import RECORD, Status, parse_frame, seal_frame
from wrenml.storage.base import Buffer, Storage
from wrenml.wire import Request
from wrenml.worker.endings import failure

__all__ = ["Parts"]

_PAUSE = 0.1  # seconds before a storage that could not be reached is asked again


class _Entry(NamedTuple):
    record: bytes
    extra: bytes
    body: Buffer


class Parts:
    """What became of an invocation's calls.

    Parameters
    ----------
    request : Request
        Its key seals what is committed.
    storage : Storage
        Where outcomes are committed.
    writer : bytes
        Eight bytes that name this environment in outcomes.
    until : float
        The monotonic time until which a storage that cannot be reached is asked again.
    began : float, optional
        The monotonic time from which the environment is billed for this invocation. Default: now.

    Attributes
    ----------
    committed, duplicates, late : int
        Parts that were written; that somebody had written before; that came after the request's last moment
        and were therefore not written.
    """

    def __init__(
        self, request: Request, storage: Storage, writer: bytes, until: float, began: float | None = None
    ) -> None:
        self._request = request
        self._storage = storage
        self._writer = writer
        self._until = until
        self._began = time.monotonic() if began is None else began
        self._entries: dict[int, _Entry] = {}
        self._size = max(request.part, 1)
        self._stop = request.first + request.count
        self._peak_kb = 0
        self._cold = False
        self._over: set[int] = set()
        self.committed = self.duplicates = self.late = 0

    def add_frame(self, key: bytes, head: memoryview, bodies: memoryview) -> None:
        """Take a frame from the child, sealed with `key`.

        Raises
        ------
        WireError
            If these are not bytes that the child's runner sent.
        """
        frame = parse_frame(head, self._request.job, lambda _first, _attempt: key)
        extras = frame.extras
        self._peak_kb = max(self._peak_kb, int(frame.peak_mb * 1024))
        self._cold |= frame.cold
        calls = []
        body = extra = 0
        for record in frame.records():
            extra_stop, body_stop = extra + record[4], body + record[8]
            calls.append(record[0])
            self._entries[record[0]] = _Entry(
                RECORD.pack(*record), bytes(extras[extra:extra_stop]), bodies[body:body_stop]
            )
            extra, body = extra_stop, body_stop
        self._settle(calls)

    def fail(self, calls: Iterable[int], cause: BaseException, status: int = Status.FAILURE, output: str = "") -> None:
        """Give calls that have no outcome yet this one.

        Parameters
        ----------
        calls : iterable of int
            Which.
        cause : BaseException
            Why.
        status : int
            `Status.FAILURE`, or `Status.LOST` for calls that may be run again. Default: failure.
        output : str
            The last that their worker wrote. Default: nothing.
        """
        missing = [call for call in calls if not self._known(call)]
        for call in missing:
            self._entries[call] = _Entry(*failure(call, status, cause, output))
        self._settle(missing)

    def _known(self, call: int) -> bool:
        return call in self._entries or self._part_of(call) in self._over

    def _part_of(self, call: int) -> int:
        """The first call of the part that a call belongs to."""
        return call - (call - self._request.first) % self._size

    def _settle(self, calls: Sequence[int]) -> None:
        for first in dict.fromkeys(map(self._part_of, calls)):
            part = range(first, min(first + self._size, self._stop))
            if all(call in self._entries for call in part):
                self._over.add(first)
                self._commit(first, [self._entries.pop(call) for call in part])

    def _commit(self, first: int, entries: Sequence[_Entry]) -> None:
        request = self._request
        now = time.time()
        if request.not_after is not None and now > request.not_after:
            self.late += 1
            return
        bodies = [entry.body for entry in entries if len(entry.body)]
        began, self._began = self._began, time.monotonic()
        head = seal_frame(
            request.key,
            request.job,
            (request.first, request.attempt),
            b"".join([entry.record for entry in entries]),
            b"".join([entry.extra for entry in entries]),
            bodies,
            peak_kb=self._peak_kb,
            cold=self._cold,
            sent=request.sent,
            stored=now,
            worker=self._writer,
            busy=self._began - began,
        )
        self._cold = False
        lost = RECORD.unpack(entries[0].record)[1] == Status.LOST
        if self._write(first, [head, *bodies], request.attempt if lost else None):
            self.committed += 1
        else:
            self.duplicates += 1

    def _write(self, first: int, frame: Sequence[Buffer], attempt: int | None) -> bool:
        job, writer = self._request.job, self._writer.hex()
        while True:
            try:
                return self._storage.commit(job, first, frame, attempt=attempt, writer=writer).settled
            except StorageUnavailableError:
                # Each try was long and had its jitter: a storage has a patience of its own.
                if time.monotonic() >= self._until:
                    raise
                time.sleep(_PAUSE)
