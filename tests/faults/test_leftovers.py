"""What a call leaves behind never reaches the next call, nor outlives the worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import wrenml
from tests.faults import deeds
from tests.faults.clients import client
from wrenml.errors import WorkerCrashed

PATIENCE = 60
Eventually = Callable[..., None]


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        with suppress(ProcessLookupError):
            os.kill(pid, 0)
            return False
        return True


def differences(expected: Any, found: Any) -> dict[str, tuple[object, object]]:  # noqa: ANN401  # or an exception
    return {key: (expected[key], found[key]) for key in expected if expected[key] != found[key]}


CHANGES = [
    deeds.change_folder,
    deeds.remove_folder,
    deeds.change_variables,
    deeds.change_signals,
    deeds.set_alarm,
    deeds.set_timer,
    deeds.block_signals,
    deeds.change_path,
    deeds.replace_path,
    deeds.change_logging,
    deeds.change_warnings,
    deeds.change_mask,
    deeds.change_locale,
    deeds.change_streams,
    deeds.close_streams,
    deeds.close_descriptors,
    deeds.change_limit,
    deeds.change_hooks,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_state_is_the_next_calls_own(own: wrenml.Executor, change: Callable[[object], object]) -> None:
    # In the worker's first request the job itself, and what it imports, may change the state.
    expected, _ = own.map(deeds.state, ["/"] * 2, chunksize=2).results(timeout=PATIENCE)
    own.map(change, ["/"], chunksize=1).exceptions(PATIENCE)
    assert differences(expected, own.map(deeds.state, ["/"]).results(timeout=PATIENCE)[0]) == {}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_state_is_the_next_calls_own_in_one_batch(own: wrenml.Executor, change: Callable[[object], object]) -> None:
    both = deeds.InTurn(change)
    expected = own.map(both, [1], chunksize=1).results(timeout=PATIENCE)[0]
    changed = own.map(both, range(6), chunksize=6).results(errors="return", timeout=PATIENCE)
    assert [differences(expected, found) for found in changed[1::2]] == [{}] * 3


def test_random_numbers_are_fresh_whatever_was_seeded(own: wrenml.Executor) -> None:
    seen = []
    for _ in range(3):
        own.submit(deeds.change_random, 0).result(PATIENCE)
        seen += own.map(deeds.numbers, range(3), chunksize=3).results(timeout=PATIENCE)
    assert len({x for x, _ in seen}) == 9
    assert len({y for _, y in seen}) == 9


@pytest.mark.parametrize("daemon", [False, True])
def test_a_thread_left_behind_ends_with_its_worker(own: wrenml.Executor, daemon: bool, eventually: Eventually) -> None:  # noqa: FBT001
    worker = own.submit(deeds.leave_thread, daemon).result(PATIENCE)
    eventually(lambda: gone(worker))
    state = own.submit(deeds.state, 0).result(PATIENCE)
    assert state["threads"] == 1


def test_a_thread_is_gone_within_a_batch_too(own: wrenml.Executor) -> None:
    pids = own.map(deeds.leave_thread, [True] * 3, chunksize=3).results(timeout=PATIENCE)
    assert len(set(pids)) == 3


def test_a_process_left_behind_is_ended(own: wrenml.Executor, eventually: Eventually) -> None:
    worker, left = own.submit(deeds.leave_process, 0).result(PATIENCE)
    eventually(lambda: gone(left))
    eventually(lambda: gone(worker))
    assert own.submit(deeds.process).result(PATIENCE) != worker


@pytest.mark.parametrize("leave", [deeds.leave_fork, deeds.leave_grandchild])
def test_a_forked_process_and_an_orphan_are_ended(
    own: wrenml.Executor, leave: Callable[[str], int], started: Path, eventually: Eventually
) -> None:
    own.submit(leave, str(started)).result(PATIENCE)
    left = int(started.read_text())
    own.map(deeds.same, range(10)).results(timeout=PATIENCE)
    own.shutdown()
    eventually(lambda: gone(left))


def test_a_timeout_ends_what_the_call_started(own: wrenml.Executor, started: Path, eventually: Eventually) -> None:
    futures = own.map(deeds.fork_and_stay, [str(started)], timeout=1)
    assert futures.exceptions(PATIENCE)[0] is not None
    eventually(lambda: gone(int(started.read_text())))


def test_nothing_is_left_after_shutdown(tmp_path: Path) -> None:
    script = """
import os, sys
import wrenml
from tests.faults import deeds
from tests.faults.clients import client

def run():
    with wrenml.local_executor(workers=2) as executor:
        pids = set(executor.map(deeds.process, range(20)).results(timeout=60))
        executor.map(deeds.Only(3, deeds.killed), range(6), infra_retries=0).exceptions(60)
        assert executor.map(deeds.same, [bytes(5_000_000)] * 3).results(timeout=60)
        executor.submit(deeds.leave_thread, False).result(60)
        executor.submit(deeds.leave_process, 0).result(60)
    return pids

files = None
for _ in range(3):
    pids = run()
    import gc; gc.collect()
    now = len(os.listdir("/proc/self/fd"))
    assert files in (None, now), (files, now)
    files = now
    children = [pid for pid in os.listdir("/proc") if pid.isdigit() and parent(pid) == os.getpid()]
    assert not children, children
    import threading
    assert threading.active_count() == 1, threading.enumerate()
folder = os.path.join(os.environ["XDG_CACHE_HOME"], "wrenml")
assert os.listdir(os.path.join(folder, "workers")) == []
# What still lies in shared memory is linked to from the folder.
links = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]
assert not [link for link in links if os.path.islink(link)]
print("clean")
"""
    helper = """
def parent(pid):
    try:
        return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
    except OSError:
        return 0
"""
    assert client(helper + script, XDG_CACHE_HOME=str(tmp_path)) == "clean\n"


def test_signals_to_the_group_do_not_reach_the_client(own: wrenml.Executor) -> None:
    error = own.map(deeds.signal_group, [signal.SIGTERM], infra_retries=0)[0].exception(PATIENCE)
    assert isinstance(error, WorkerCrashed)
    assert own.submit(deeds.same, 3).result(PATIENCE) == 3
