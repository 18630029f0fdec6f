"""Storages that fail, lie or dawdle as told, around any other storage."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from threading import Lock
from typing import TypeVar

from wrenml.errors import StorageUnavailableError
from wrenml.storage.base import Buffer, Commit, Storage

__all__ = ["FlakyStorage", "SlowStorage", "StorageFault", "Strike"]

T = TypeVar("T")


class Strike(Enum):
    """What a fault does to an operation."""

    REFUSE = "nothing happens, and StorageUnavailableError is raised"
    LOSE_ANSWER = "it happens, and StorageUnavailableError is raised"
    TRUNCATE = "it returns only the first half of the bytes"
    FLIP = "it returns the bytes with one bit flipped"


@dataclass(frozen=True, slots=True)
class StorageFault:
    """Which operations fail, and how.

    Parameters
    ----------
    verb : str
        ``put``, ``get``, ``list``, ``delete``, ``commit`` or ``frames``.
    strike : Strike, default Strike.REFUSE
        How. `Strike.TRUNCATE` and `Strike.FLIP` are for ``get`` and ``frames``.
    key : str, default ""
        Only keys that contain this. ``list`` goes by its prefix, ``commit`` and ``frames`` by the job, and
        ``delete`` by all of its keys.
    skip : int, default 0
        How many operations that match pass before it strikes.
    times : int, default 1
        How many it then strikes.
    """

    verb: str
    strike: Strike = Strike.REFUSE
    key: str = ""
    skip: int = 0
    times: int = 1


class FlakyStorage:
    """A storage with a plan of faults.

    A pickled copy starts the plan afresh.

    Parameters
    ----------
    inner : Storage
        What really stores.
    faults : iterable of StorageFault
        The plan. The first fault that matches counts.
    rate : float, default 0.0
        The probability with which any other operation is refused.
    seed : int, default 0
        Decides which ones.

    Attributes
    ----------
    struck : list of StorageFault
        The faults that have struck, in order; those of `rate` included.
    """

    def __init__(
        self, inner: Storage, faults: Iterable[StorageFault] = (), *, rate: float = 0.0, seed: int = 0
    ) -> None:
        self._inner = inner
        self._faults = tuple(faults)
        self._rate = rate
        self._seed = seed
        self._random = random.Random(seed)
        self._seen = [0] * len(self._faults)
        self._lock = Lock()
        self.struck: list[StorageFault] = []

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return _rebuild_flaky, (self._inner, self._faults, self._rate, self._seed)

    def __repr__(self) -> str:
        return f"FlakyStorage({self._inner!r})"

    @property
    def url(self) -> str:
        """The inner storage's URL."""
        return self._inner.url

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write an object; see `wrenml.storage.base.Objects.put`."""
        return self._run("put", key, lambda: self._inner.put(key, data, if_absent=if_absent))[0]

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> Buffer:
        """Read an object or a range; see `wrenml.storage.base.Objects.get`."""
        data, strike = self._run("get", key, lambda: self._inner.get(key, start=start, stop=stop))
        return _damaged(data, strike)

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Keys that begin with a prefix; see `wrenml.storage.base.Objects.list`."""
        return self._run("list", prefix, lambda: self._inner.list(prefix, after=after))[0]

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; see `wrenml.storage.base.Objects.delete`."""
        names = keys if isinstance(keys, str) else list(keys)
        self._run("delete", "\n".join(names), lambda: self._inner.delete(names))

    def commit(self, job: str, call: int, frame: Sequence[Buffer], *, attempt: int | None, writer: str) -> Commit:
        """Commit a frame; see `wrenml.storage.base.Storage.commit`."""
        return self._run("commit", job, lambda: self._inner.commit(job, call, frame, attempt=attempt, writer=writer))[0]

    def frames(self, job: str) -> Iterator[tuple[str, int, Buffer]]:
        """Every committed frame of a job; see `wrenml.storage.base.Storage.frames`."""
        frames, strike = self._run("frames", job, lambda: self._inner.frames(job))
        return ((key, start, _damaged(data, strike)) for key, start, data in frames)

    def _run(self, verb: str, key: str, act: Callable[[], T]) -> tuple[T, Strike | None]:
        strike = self._next_strike(verb, key)
        if strike is Strike.REFUSE:
            raise StorageUnavailableError(f"FlakyStorage refused to {verb} {key!r}, as it was told to.")
        answer = act()
        if strike is Strike.LOSE_ANSWER:
            raise StorageUnavailableError(f"FlakyStorage lost the answer to {verb} {key!r}, as it was told to.")
        return answer, strike

    def _next_strike(self, verb: str, key: str) -> Strike | None:
        with self._lock:
            for number, fault in enumerate(self._faults):
                if fault.verb == verb and fault.key in key:
                    self._seen[number] += 1
                    if fault.skip < self._seen[number] <= fault.skip + fault.times:
                        self.struck.append(fault)
                        return fault.strike
            if self._rate and self._random.random() < self._rate:
                self.struck.append(StorageFault(verb, key=key))
                return Strike.REFUSE
        return None


def _rebuild_flaky(inner: Storage, faults: Sequence[StorageFault], rate: float, seed: int) -> FlakyStorage:
    return FlakyStorage(inner, faults, rate=rate, seed=seed)


def _damaged(data: Buffer, strike: Strike | None) -> Buffer:
    if strike is Strike.TRUNCATE:
        return memoryview(data)[: len(data) // 2]
    if strike is Strike.FLIP and len(data):
        flipped = bytearray(data)
        flipped[len(flipped) // 2] ^= 1
        return flipped
    return data


class SlowStorage:
    """A storage that takes its time over everything.

    Parameters
    ----------
    inner : Storage
        What really stores.
    delay : float
        Seconds before each operation.
    sleep : callable, default time.sleep
        Waits so many seconds.
    """

    def __init__(self, inner: Storage, delay: float, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._inner = inner
        self._delay = delay
        self._sleep = sleep

    def __repr__(self) -> str:
        return f"SlowStorage({self._inner!r}, {self._delay})"

    @property
    def url(self) -> str:
        """The inner storage's URL."""
        return self._inner.url

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write an object; see `wrenml.storage.base.Objects.put`."""
        self._sleep(self._delay)
        return self._inner.put(key, data, if_absent=if_absent)

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> Buffer:
        """Read an object or a range; see `wrenml.storage.base.Objects.get`."""
        self._sleep(self._delay)
        return self._inner.get(key, start=start, stop=stop)

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Keys that begin with a prefix; see `wrenml.storage.base.Objects.list`."""
        self._sleep(self._delay)
        return self._inner.list(prefix, after=after)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; see `wrenml.storage.base.Objects.delete`."""
        self._sleep(self._delay)
        self._inner.delete(keys)

    def commit(self, job: str, call: int, frame: Sequence[Buffer], *, attempt: int | None, writer: str) -> Commit:
        """Commit a frame; see `wrenml.storage.base.Storage.commit`."""
        self._sleep(self._delay)
        return self._inner.commit(job, call, frame, attempt=attempt, writer=writer)

    def frames(self, job: str) -> Iterator[tuple[str, int, Buffer]]:
        """Every committed frame of a job; see `wrenml.storage.base.Storage.frames`."""
        self._sleep(self._delay)
        return self._inner.frames(job)
