"""What every invoker must do, as tests to inherit.

A backend's test module holds one class::

    class TestMyInvoker(InvokerContract):
        @pytest.fixture
        def storage(self): ...

        @pytest.fixture
        def invoker(self, storage): ...

Where requests run in the client's own process it sets ``isolated = False``, and the tests of workers that die are
skipped. An invoker only starts work: nothing here waits for futures, retries or decides what a loss means.
"""

# ruff: noqa: PLR2004, S101 - these are tests, and expected values are literals
from __future__ import annotations

import os
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from wrenml import auth, wire
from wrenml.errors import CallTimeout, WorkerCrashed
from wrenml.invoke.base import Event, FrameArrived, Invoker, Limits, Name, RequestOver, WorkerGone
from wrenml.outcome import Frame, Outcome, Status, parse_frame
from wrenml.pickling import Packer, Unpacker
from wrenml.storage.base import Buffer, Storage
from wrenml.testing import samples
from wrenml.testing.faults import CrashInCall, ExitInCall, RaiseInCall
from wrenml.wire import ArgumentRange, JobSpec, Request, encode_spec

__all__ = ["Bench", "InvokerContract"]

_PATIENCE = 60.0


class Bench:
    """Sends requests to an invoker and sorts what it tells, as a monitor would.

    Parameters
    ----------
    invoker : Invoker
        To be tested.
    storage : Storage
        The one its workers use.
    """

    def __init__(self, invoker: Invoker, storage: Storage) -> None:
        self.invoker = invoker
        self.storage = storage
        self.key = auth.job_key(bytes(32), "job")
        self.events: list[Event] = []
        self.frames: list[tuple[Frame, FrameArrived]] = []
        self.job = os.urandom(8).hex()
        self.closed = False

    def close(self) -> None:
        """Close the invoker, once."""
        if not self.closed:
            self.closed = True
            self.invoker.close()

    def send(
        self,
        function: Callable[..., object],
        elements: Iterable[object],
        *,
        first: int = 0,
        attempt: int = 1,
        limits: Limits | None = None,
        stored: bool = False,
        damaged: bool = False,
    ) -> Name:
        """Invoke a worker with one request; `stored`: its arguments lie in storage; `damaged`: changed."""
        packer = Packer(self._put)
        spec = encode_spec(JobSpec(function=packer.dumps(function)))
        digest = sha256(spec).hexdigest()
        self.storage.put(wire.blob_key(digest), spec)
        packed = [packer.dumps(element) for element in elements]
        offsets = array("Q", [0])
        for one in packed:
            offsets.append(offsets[-1] + len(one))
        args, where = b"".join(packed), None
        if stored:
            key = wire.args_key(self.job, first)
            self.storage.put(key, [b"before", args[::-1] if damaged else args, b"behind"])
            where, args = ArgumentRange(key, 6, 6 + len(args), sha256(args).hexdigest()), b""
        request = Request(
            job=self.job,
            first=first,
            count=len(packed),
            attempt=attempt,
            spec=digest,
            key=self._key(first, attempt),
            offsets=memoryview(offsets),
            args=memoryview(args),
            range=where,
            storage=self.storage.url,
            sent=time.time(),
        )
        self.invoker.invoke(request, spec, limits or Limits())
        return self.job, first, attempt

    def _put(self, digest: bytes, data: Sequence[Buffer]) -> None:
        self.storage.put(wire.blob_key(digest.hex()), data)

    def _key(self, first: int, attempt: int) -> bytes:
        return auth.invocation_key(self.key, first, attempt)

    def collect(self) -> None:
        """Wait once, and take what there is."""
        self.invoker.wait(1.0)
        for event in self.invoker.collect():
            self.events.append(event)
            if isinstance(event, FrameArrived):
                frame = parse_frame(event.frame, self.job, self._key)
                self.frames.append((frame, event))

    def until(self, condition: Callable[[], object]) -> None:
        """Collect until a condition holds."""
        end = time.monotonic() + _PATIENCE
        while not condition():
            assert time.monotonic() < end, f"not so after {_PATIENCE:g} s; seen: {self.events}"
            self.collect()

    def over(self, name: Name) -> list[Event]:
        """What said that a request is over: one final `RequestOver` or `WorkerGone`."""
        return [
            event
            for event in self.events
            if event.name == name
            and (isinstance(event, WorkerGone) or (isinstance(event, RequestOver) and event.final))
        ]

    def finish(self, *names: Name) -> None:
        """Collect until requests are over."""
        self.until(lambda: all(self.over(name) for name in names))

    def outcomes(self) -> dict[int, Outcome]:
        """All outcomes that arrived; each call once."""
        found: dict[int, Outcome] = {}
        for frame, _ in self.frames:
            for outcome, _, _ in frame.outcomes():
                assert outcome.call not in found
                found[outcome.call] = outcome
        return found

    def results(self) -> dict[int, object]:
        """The successes, unpickled: from the message where their bodies came along, and from storage in any case."""
        loads = Unpacker(lambda digest: self.storage.get(wire.blob_key(digest.hex()))).loads
        found = {}
        for frame, event in self.frames:
            where = event.stored
            lying = bytes(self.storage.get(where.key, start=where.start, stop=where.stop))
            assert lying.startswith(bytes(event.frame))
            bodies = memoryview(lying)[frame.bodies_at :]
            frame.check_bodies(bodies)
            for outcome, start, stop in frame.outcomes():
                if outcome.status == Status.SUCCESS:
                    size = outcome.extra.get("capture", 0)
                    assert isinstance(size, int)
                    found[outcome.call] = loads(bodies[start : stop - size])
        return found


class InvokerContract:
    """What `wrenml.invoke.base.Invoker` promises. A subclass defines `storage` and `invoker`."""

    isolated = True
    """Whether requests run in processes of their own."""

    @pytest.fixture
    def storage(self) -> Storage:
        """A fresh storage that workers reach by its URL."""
        raise NotImplementedError

    @pytest.fixture
    def invoker(self, storage: Storage) -> Invoker:
        """An invoker with two workers, or in this process, on that storage."""
        raise NotImplementedError

    @pytest.fixture
    def bench(self, invoker: Invoker, storage: Storage) -> Iterator[Bench]:
        """Sends requests, and closes the invoker."""
        bench = Bench(invoker, storage)
        yield bench
        bench.close()

    @pytest.fixture
    def processes(self) -> None:
        """Skip the test where requests run in this process."""
        if not self.isolated:
            pytest.skip("requests run in this process")

    @pytest.mark.parametrize("stored", [False, True])
    def test_outcomes_of_a_request(self, bench: Bench, stored: bool) -> None:  # noqa: FBT001  # a parameter of the test
        """Each call has one authenticated outcome, in storage and announced, and the request is over once."""
        name = bench.send(samples.square, range(5), first=20, stored=stored)
        bench.finish(name)
        assert bench.results() == {20 + i: i * i for i in range(5)}
        assert [event.next_call for event in bench.over(name) if isinstance(event, RequestOver)] == [25]
        assert {outcome.attempt for outcome in bench.outcomes().values()} == {1}

    def test_news_of_a_request_is_in_order(self, bench: Bench) -> None:
        """Its outcomes are announced before its end."""
        names = [bench.send(samples.square, range(3), first=3 * i) for i in range(2) if bench.invoker.room(deep=True)]
        bench.finish(*names)
        for name in names:
            mine = [event for event in bench.events if event.name == name]
            assert isinstance(mine[-1], RequestOver)
            assert all(isinstance(event, FrameArrived) for event in mine[:-1])

    def test_everything_is_in_storage(self, bench: Bench) -> None:
        """Who reads the storage alone finds the same frames."""
        bench.finish(bench.send(samples.identity, [b"x" * 10, b"y" * 500_000, None]))
        found = {(key, start): bytes(data) for key, start, data in bench.storage.frames(bench.job)}
        for frame, event in bench.frames:
            assert found[event.stored.key, event.stored.start].startswith(bytes(event.frame))
            assert len(found[event.stored.key, event.stored.start]) == frame.bodies_at + frame.body_bytes

    def test_failures_are_outcomes(self, bench: Bench) -> None:
        """A call that raises, or exits by `sys.exit`, ends like any other."""
        bench.finish(bench.send(samples.reject_odd, range(4)))
        assert [outcome.status for _, outcome in sorted(bench.outcomes().items())] == [0, 1, 0, 1]
        assert bench.outcomes()[1].extra["type"] == "ValueError"
        bench.finish(bench.send(ExitInCall(4), [0], first=10))
        bench.finish(bench.send(RaiseInCall(KeyError("k")), [0], first=11))
        assert (bench.outcomes()[10].status, bench.outcomes()[11].status) == (1, 1)

    def test_damaged_arguments_are_not_read(self, bench: Bench) -> None:
        """Stored arguments that are not those the request names end as failures; nothing is unpickled."""
        name = bench.send(samples.identity, [2], first=50, stored=True, damaged=True)
        bench.finish(name)
        assert bench.outcomes()[50].extra["type"] == "wrenml.errors.AuthenticationError"

    def test_requests_of_several_attempts(self, bench: Bench) -> None:
        """The attempt is the outcome's, and so is its key."""
        name = bench.send(samples.square, [3], first=7, attempt=4)
        bench.finish(name)
        assert bench.outcomes()[7].attempt == 4

    def test_room(self, bench: Bench) -> None:
        """There is room at first, none when it is used up, and again afterwards."""
        names: list[Name] = []
        before = bench.invoker.room(deep=False)
        assert before >= 1
        while bench.invoker.room(deep=False):
            names.append(bench.send(samples.square, [1], first=len(names)))
        assert len(names) == before
        bench.finish(*names)
        assert bench.invoker.room(deep=False) == before
        assert bench.invoker.room(deep=True) >= before

    def test_nothing_to_collect(self, bench: Bench) -> None:
        """An idle invoker has no news, and `wait` keeps to its limit."""
        bench.invoker.wait(0.0)
        assert list(bench.invoker.collect()) == []

    @pytest.mark.usefixtures("processes")
    def test_wake(self, bench: Bench) -> None:
        """`wake` makes a `wait` without limit return, also one that begins later."""
        bench.invoker.wake()
        bench.invoker.wait(None)
        bench.invoker.collect()
        waited = threading.Thread(target=bench.invoker.wait, args=(None,), daemon=True)
        waited.start()
        bench.invoker.wake()
        waited.join(_PATIENCE)
        assert not waited.is_alive()
        bench.invoker.collect()

    @pytest.mark.usefixtures("processes")
    def test_two_requests_at_once(self, bench: Bench, tmp_path: Path) -> None:
        """Two workers run two requests at the same time."""
        one, two = str(tmp_path / "one"), str(tmp_path / "two")
        names = [
            bench.send(samples.announce_and_wait, [pair], first=i) for i, pair in enumerate([(one, two), (two, one)])
        ]
        bench.finish(*names)
        assert len(set(bench.results().values())) == 2

    @pytest.mark.usefixtures("processes")
    def test_dead_worker(self, bench: Bench) -> None:
        """Its end is told with the call that ran, what it had finished is kept, and others do not notice."""
        name = bench.send(_KillAt(3), range(6))
        other = bench.send(samples.square, range(3), first=10)
        bench.finish(name, other)
        (gone,) = bench.over(name)
        assert isinstance(gone, WorkerGone)
        assert (gone.suspect, gone.blame) == (3, True)
        assert isinstance(gone.cause, WorkerCrashed)
        assert gone.cause.signal == 9
        assert set(bench.results()) <= {0, 1, 2, 10, 11, 12}
        assert set(bench.results()) >= {10, 11, 12}
        again = bench.send(samples.square, [5], first=30)
        bench.finish(again)
        assert bench.results()[30] == 25

    @pytest.mark.usefixtures("processes")
    def test_hard_exit_is_an_outcome(self, bench: Bench) -> None:
        """`os._exit` is the call's own doing: a final outcome, and the rest is given back without blame."""
        name = bench.send(ExitInCall(6, hard=True), [0, 1])
        bench.finish(name)
        (gone,) = bench.over(name)
        assert isinstance(gone, WorkerGone)
        assert not gone.blame
        assert bench.outcomes()[0].status == Status.FAILURE
        assert bench.outcomes()[0].extra["type"] == "wrenml.errors.CallExited"

    @pytest.mark.usefixtures("processes")
    def test_time_limit(self, bench: Bench, tmp_path: Path) -> None:
        """A call over its limit ends as `CallTimeout`, its worker with it."""
        started = [str(tmp_path / "s")]
        name = bench.send(samples.stuck_in_this_function, started, limits=Limits(timeout=0.3))
        bench.finish(name)
        assert bench.outcomes()[0].extra["type"] == f"wrenml.errors.{CallTimeout.__name__}"
        assert "stuck_in_this_function" in str(bench.outcomes()[0].extra["message"])

    @pytest.mark.usefixtures("processes")
    @pytest.mark.parametrize("call", [None, 0])
    def test_cancel(self, bench: Bench, tmp_path: Path, call: int | None) -> None:
        """A cancelled running call ends; nobody is to blame, and an unknown name is no error."""
        started = tmp_path / "started"
        name = bench.send(samples.stuck_in_this_function, [str(started), str(started)])
        bench.until(started.exists)
        bench.invoker.cancel(("no such job", 0, 1), None)
        bench.invoker.cancel(name, call)
        bench.finish(name)
        (gone,) = bench.over(name)
        assert isinstance(gone, WorkerGone)
        assert not gone.blame

    @pytest.mark.usefixtures("processes")
    def test_work_behind_a_long_call_is_given_back(self, bench: Bench, tmp_path: Path) -> None:
        """An idle worker gets what a busy one has not started: the request says from where on."""
        gate = tmp_path / "gate"
        name = bench.send(samples.wait_for_file, [str(gate), str(tmp_path), str(tmp_path)])
        bench.until(lambda: any(isinstance(event, RequestOver) and not event.final for event in bench.events))
        (taken,) = [event for event in bench.events if isinstance(event, RequestOver)]
        gate.touch()
        bench.finish(name)
        assert set(bench.results()) == set(range(taken.next_call))
        assert taken.next_call < 3

    @pytest.mark.usefixtures("processes")
    def test_close_ends_the_workers(self, bench: Bench, tmp_path: Path) -> None:
        """Busy workers too, at once."""
        mark = tmp_path / "pid"
        bench.send(_write_pid_and_wait, [str(mark)])
        bench.until(lambda: mark.exists() and mark.read_text())
        bench.close()
        with pytest.raises(ProcessLookupError):
            os.kill(int(mark.read_text()), 0)


class _KillAt:
    def __init__(self, culprit: int) -> None:
        self.culprit = culprit

    def __call__(self, x: int) -> int:
        if x == self.culprit:
            CrashInCall("kill")()
        return x


def _write_pid_and_wait(path: str) -> None:
    temporary = Path(f"{path}.new")
    temporary.write_text(str(os.getpid()), encoding="ascii")
    temporary.rename(path)
    samples.stuck_in_this_function(f"{path}.started")
