"""What calls print, however much: counted, bounded, each call's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import wrenml
from tests.faults import deeds

PATIENCE = 60
Eventually = Callable[..., None]
FLOODS = [deeds.flood_from_python, deeds.flood_from_native_code, deeds.flood_from_a_process]


@pytest.mark.parametrize("megabytes", [3, 200])
@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__)
def test_of_a_flood_head_and_tail_are_kept(own: wrenml.Executor, flood: Callable[[int], str], megabytes: int) -> None:
    futures = own.map(deeds.Only(megabytes, flood), [1, megabytes, 2], chunksize=3)
    assert futures.results(timeout=2 * PATIENCE) == [1, "done", 2]
    kept = futures.logs(1)
    assert len(kept) < 100_000
    assert kept.startswith("the first line\n")
    assert kept.endswith("the last line\n")
    assert "\0" not in kept
    assert "left out" in kept
    assert (futures.logs(0), futures.logs(2)) == ("", "")


def test_a_flood_without_end_neither_fills_memory_nor_stops_the_others(
    executor: wrenml.Executor, started: Path, eventually: Eventually
) -> None:
    flood = executor.map(deeds.flood_for_ever, [str(started)], timeout=2)
    eventually(started.exists)
    assert executor.map(deeds.same, range(100)).results(timeout=PATIENCE) == list(range(100))
    assert isinstance(flood.exceptions(PATIENCE)[0], wrenml.errors.CallTimeout)
    assert len(flood.logs(0)) < 100_000


def test_floods_of_many_calls_are_bounded(own: wrenml.Executor) -> None:
    futures = own.map(deeds.flood_from_native_code, [1] * 30, chunksize=30)
    assert futures.results(timeout=PATIENCE) == ["done"] * 30
    assert all(futures.logs(i).endswith("the last line\n") for i in (0, 15, 29))
    folder = Path(own.session.storage.url.removeprefix("file://")) / "jobs" / futures.id
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 30 * 100_000


def test_what_is_no_text_is_kept_readable(own: wrenml.Executor) -> None:
    futures = own.map(deeds.speak_with_null, [0])
    assert futures.results(timeout=PATIENCE) == ["done"]
    assert "not text" in futures.logs(0)
    assert "é" in futures.logs(0)
    assert os.linesep in futures.logs(0)
