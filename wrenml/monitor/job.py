"""A job as the client holds it: one record of all that is known of it, dropped with the last future."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import NamedTuple, Protocol

from wrenml import auth
from wrenml.cache import CachedCalls
from wrenml.calls import Calls, Invocation
from wrenml.costs import FREE, Cost, Meter
from wrenml.errors import AuthenticationError, WrenmlError
from wrenml.failures import annotate, rebuild
from wrenml.futures import Block, Future, Raw
from wrenml.invoke.base import Limits
from wrenml.monitor.arguments import Arguments
from wrenml.monitor.manifest import Manifest, write_manifest
from wrenml.monitor.state import cancel_token, write_state
from wrenml.outcome import Frame
from wrenml.pickling import Unpacker
from wrenml.retry import part_size
from wrenml.storage.base import Buffer, Storage, is_remote
from wrenml.wire import Input, Request, blob_key

__all__ = ["CARRIED_BYTES", "Job", "Origin", "Plan", "Port", "Tally"]

CARRIED_BYTES = 16 << 10  # job specs up to this size travel in every request


@dataclass(slots=True, eq=False)
class Origin:
    """Where a frame came from: the frame with its head is at `start` of the stored object `key`."""

    frame: Frame
    key: str
    start: int
    bodies: Buffer | None = None


@dataclass(slots=True)
class Tally:
    """What happened to a job's calls so far."""

    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0
    lost: int = 0  # given up because workers ended before they ran them
    seconds: float = 0.0
    peak_mb: float = 0.0


class Plan(NamedTuple):
    """How a job's calls are to be run, as far as the client is concerned."""

    timeout: float | None = None  # seconds, of one call
    memory_mb: tuple[int, ...] = ()  # to be tried in turn
    chunksize: int | None = None
    max_in_flight: int | None = None
    depth: int = 0
    progress: bool | None = None
    speculate: bool = False


class Port(Protocol):
    """What a job asks of its executor."""

    def cancel(self, job: Job, calls: Iterable[int]) -> int:
        """Cancel calls that are not settled; return how many were."""

    def reference(self, job: Job, call: int) -> tuple[Callable[..., object], tuple[object, ...]]:
        """How to make a future again in another process."""

    def put_blob(self, digest: str, data: Buffer) -> None:
        """Store a content-addressed object, once."""

    def run_again(self, job: Job, calls: list[int]) -> tuple[Job, list[Future[object]]]:
        """Run calls again as a new job."""

    def output(self, job: Job, call: int) -> str:
        """What a call printed."""


# One for the futures of all jobs: the standard library's waiting takes those of many futures, in an order of its own.
_settling = threading.RLock()
os.register_at_fork(
    before=_settling.acquire, after_in_parent=_settling.release, after_in_child=_settling.release
)  # or a fork that meets the monitor settling would leave it taken for ever in the child


class Job:
    """One map: one function, N inputs.

    It owns the futures of its calls, decodes outcomes, and describes itself to workers (`request`) and to other
    clients (`write`).

    Parameters
    ----------
    manifest : Manifest
        What other clients can know of it.
    key : bytes
        The job's key.
    spec : bytes
        The encoded job spec; its digest is in the manifest.
    storage : Storage
        Where its objects lie.
    plan : Plan
        How its calls are to be run.
    port : Port
        The executor.
    """

    def __init__(self, manifest: Manifest, key: bytes, spec: bytes, storage: Storage, plan: Plan, port: Port) -> None:
        self.id = manifest.job
        self.manifest = manifest
        self.key = key
        self.spec = spec
        self.storage = storage
        self.plan = plan
        self.calls = Calls(manifest.infra_retries)
        self.arguments = Arguments(self.id, auth.label_key(key, "args"), storage.put)
        self.condition = threading.Condition(_settling)
        self.futures: list[Future[object]] | dict[int, Future[object]] | None = None
        self.slots: dict[int, Raw | Block | None] = {}
        self._outgrown: dict[int, int] = {}
        self.locations: dict[tuple[str, int], Input] = {}
        self.cache: CachedCalls | None = None
        self.meter: Meter | None = None
        self.tally = Tally()
        self.started = time.monotonic()
        self.ended: float | None = None
        self.closed = False
        self.queued = False  # whether the monitor comes to its calls of its own accord
        self.broken: Exception | None = None
        self.exposed: set[tuple[int, int]] = set()  # invocations, by first call and attempt, whose key others may know
        self.given_up: set[int] = set()  # calls whose outcome is being written by this client
        self.faults: dict[type[BaseException], set[int]] = {}  # which calls met them, while none has an outcome
        self.call_seconds: float | None = None
        self.batch = 1
        self.in_flight = 0
        # Of objects in a bucket the first one written counts, and writing takes a while.
        self.remote = is_remote(storage)
        self.cancelled: set[int] = set()
        self._written = False
        self._writing = threading.Lock()
        self._port = port
        self._keys: dict[tuple[int, int], bytes] = {}
        self._unpacker = Unpacker(lambda digest: storage.get(blob_key(digest.hex())))

    @property
    def over(self) -> bool:
        """Whether nothing can happen to the job any more."""
        return self.closed and self.calls.unsettled == 0

    @property
    def cost(self) -> Cost:
        """What it has cost so far."""
        return FREE if self.meter is None else self.meter.cost

    # To workers

    def invocation_key(self, first: int, attempt: int) -> bytes:
        """The key of an invocation, derived when it is first needed."""
        key = self._keys.get((first, attempt))
        if key is None:
            key = self._keys[first, attempt] = auth.invocation_key(self.key, first, attempt)
        return key

    def outcome_key(self, first: int, attempt: int) -> bytes:
        """The key that outcomes of an invocation are checked with.

        Raises
        ------
        AuthenticationError
            If others than its worker may know it by now.
        """
        if (first, attempt) in self.exposed:
            raise AuthenticationError(
                f"attempt {attempt} at call {first} had ended when its key became known to others: what came later is "
                "not taken for its outcome."
            )
        return self.invocation_key(first, attempt)

    def forget_key(self, invocation: Invocation) -> None:
        """Drop the key of an invocation that is over."""
        self._keys.pop((invocation.first, invocation.attempt), None)

    def limits(self, invocation: Invocation) -> Limits:
        """What the supervisor of an invocation watches: after running out of memory, the next size."""
        sizes = self.plan.memory_mb
        if not sizes:
            return Limits(self.plan.timeout)
        calls = range(invocation.first, invocation.stop)
        size = max(self._outgrown.get(call, 0) for call in calls) if self._outgrown else 0
        return Limits(self.plan.timeout, sizes[size], last=size + 1 == len(sizes))

    def outgrow(self, call: int) -> None:
        """Take note that a call ran out of memory with the size it had."""
        self._outgrown[call] = self._outgrown.get(call, 0) + 1

    def request(self, invocation: Invocation, inline_bytes: int) -> Request:
        """Make the request that tells a worker to run an invocation.

        Parameters
        ----------
        invocation : Invocation
            Which calls.
        inline_bytes : int
            Up to how many bytes of arguments may travel in the request.
        """
        first, count = invocation.first, invocation.count
        offsets, args = self.arguments.take(first, count)
        where = None
        if len(args) > inline_bytes:
            located = self.arguments.locate(first, count)
            if located is not None:
                (offsets, where), args = located, memoryview(b"")
        carried = self.spec if self.remote and len(self.spec) <= CARRIED_BYTES else b""
        inputs: tuple[Input, ...] = ()
        if self.locations:
            inputs = tuple(self.locations[entry] for entry in self.arguments.inputs(first, count))
        return Request(
            job=self.id,
            first=first,
            count=count,
            attempt=invocation.attempt,
            spec=self.manifest.spec,
            key=self.invocation_key(first, invocation.attempt),
            offsets=offsets,
            args=args,
            range=where,
            inputs=inputs,
            storage=self.storage.url,
            carried=carried,
            sent=time.time(),
            cancel=self._cancel_digest if self.remote else "",
            part=part_size(count, self.call_seconds) if self.remote else 1,
            largest=self.limits(invocation).last,
            depth=self.plan.depth,
        )

    @cached_property
    def _cancel_digest(self) -> str:
        return sha256(cancel_token(self.key)).hexdigest()

    # To other clients

    @property
    def written(self) -> bool:
        """Whether other clients can find the job."""
        return self._written

    def write(self) -> None:
        """Store what another client needs to attach, as far as it is not stored."""
        with self._writing:
            if not self._written:
                self._port.put_blob(self.manifest.spec, self.spec)
                write_manifest(self.storage, self.manifest, self.key)
                self._written = True
            self.arguments.write()

    def write_state(self) -> None:
        """Store which calls are cancelled, for workers and other clients."""
        with self._writing:
            write_state(self.storage, self.key, self.id, self.cancelled)

    # To futures

    def cancel(self, calls: Iterable[int]) -> int:
        """Cancel calls that are not settled; return how many were."""
        return self._port.cancel(self, calls)

    def reference(self, call: int) -> tuple[Callable[..., object], tuple[object, ...]]:
        """How to make a future again in another process."""
        return self._port.reference(self, call)

    def run_again(self, calls: list[int]) -> tuple[Job, list[Future[object]]]:
        """Run calls again as a new job."""
        return self._port.run_again(self, calls)

    def output(self, call: int) -> str:
        """What a call printed."""
        return self._port.output(self, call)

    def decode(self, call: int, raw: Raw | Block) -> tuple[object, BaseException | None]:
        """Check and unpickle an outcome: its result, or its exception."""
        if isinstance(raw, Block):
            if raw.bodies is not None:
                start, stop = raw.range(call)
                return self._result(call, memoryview(raw.bodies)[start:stop])
            raw = raw.raw(call)
        if isinstance(raw.origin, WrenmlError):
            return None, raw.origin
        try:
            body = self.body(raw)
        except WrenmlError as refused:
            return None, refused
        return self._result(call, body) if raw.failure is None else self._failure(call, raw, raw.failure, body)

    def _result(self, call: int, body: memoryview) -> tuple[object, BaseException | None]:
        try:
            return self._unpacker.loads(body), None
        except (Exception, SystemExit) as failed:  # noqa: BLE001  # unpickling runs the user's code
            failed.add_note(f"wrenml: call {call} of job {self.id} has a result, but it cannot be unpickled here.")
            return None, failed

    def _failure(
        self, call: int, raw: Raw, text: dict[str, object], body: memoryview
    ) -> tuple[object, BaseException | None]:
        error = rebuild(text, body)
        annotate(
            error,
            job=self.id,
            index=call,
            attempt=(_attempt(raw) or max(1, self.calls.attempts_blamed(call))) + _more_tries(text),
            argument=_text(text.get("argument")),
            output_tail=_text(text.get("log")),
        )
        return None, error

    def decode_block(self, block: Block) -> Iterator[tuple[object, BaseException | None]]:
        """Check and unpickle the results of neighbouring calls, one after another."""
        bodies = block.bodies if block.bodies is not None else self.bodies(block.origin)
        view = memoryview(bodies)
        loads = self._unpacker.loads
        at = 0
        for place, size in enumerate(block.sizes):
            part = view[at : at + size]
            at += size
            try:
                value = loads(part)
            except (Exception, SystemExit):  # noqa: BLE001  # unpickling runs the user's code
                yield self._result(block.first + place, part)
            else:
                yield value, None

    def body(self, raw: Raw) -> memoryview:
        """The packed result or exception of an outcome, checked."""
        bodies = raw.bodies
        if bodies is None:
            bodies = self.bodies(raw.origin)
        return memoryview(bodies)[raw.start : raw.stop]

    def bodies(self, origin: object) -> Buffer:
        """The bodies of a frame that were left in storage, read once and checked."""
        if not isinstance(origin, Origin):
            return b""
        if origin.bodies is not None:
            return origin.bodies
        start = origin.start + origin.frame.bodies_at
        data = self.storage.get(origin.key, start=start, stop=start + origin.frame.body_bytes)
        origin.frame.check_bodies(data)
        origin.bodies = data
        return data


def _attempt(raw: Raw) -> int:
    return raw.origin.frame.attempt if isinstance(raw.origin, Origin) else 1


def _more_tries(text: dict[str, object]) -> int:
    """How often the worker ran the call again in place."""
    tries = text.get("tries", 1)
    return tries - 1 if isinstance(tries, int) else 0


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
