"""What users' code is to a type checker. Nothing here runs; `mypy` reads it, and an unused ignore is an error."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Iterator
from typing import Any, assert_type

import wrenml
from wrenml import Executor, Future, FutureList, MapOptions, Ref, errors, inline_executor, local_executor
from wrenml.costs import Cost
from wrenml.events import CallsSettled, Event
from wrenml.storage import PrefixedStorage


def score(x: int) -> float:
    return x / 2


def pair(x: int, y: str) -> tuple[int, str]:
    return x, y


async def fetch(x: int) -> str:
    return str(x)


def executors() -> None:
    assert_type(wrenml.default_executor(), Executor)
    assert_type(local_executor(workers=2, timeout=1.5), Executor)
    assert_type(inline_executor(seed=1), Executor)
    with local_executor() as ex:
        assert_type(ex, Executor)
    assert_type(wrenml.__version__, str)


def maps(ex: Executor) -> None:
    futures = ex.map(score, [1, 2])
    assert_type(futures, FutureList[float])
    assert_type(futures[0], Future[float])
    assert_type(futures[1:], FutureList[float])
    assert_type(futures.results(), list[float])
    assert_type(futures.iter_results(), Iterator[float])
    assert_type(futures.exceptions(), list[BaseException | None])
    assert_type(futures.as_completed(), Iterator[Future[float]])
    assert_type(futures.retry_failed(), FutureList[float])
    assert_type(futures.cost, Cost)
    assert_type(futures.cost.dollars, float)
    assert_type(futures + futures, FutureList[float])
    assert_type(futures[0].result(), float)
    assert_type(ex.map(pair, [1], ["a"]).results(), list[tuple[int, str]])
    assert_type(ex.starmap(pair, [(1, "a")]), FutureList[tuple[int, str]])
    assert_type(ex.imap(score, iter([1])), Iterator[float])
    assert_type(ex.map(lambda x: f"{x:.2f}", [1]).results(), list[str])


def calls(ex: Executor) -> None:
    assert_type(ex.submit(pair, 1, "a"), Future[tuple[int, str]])
    assert_type(ex.submit(pair, 1, y="a").result(), tuple[int, str])
    assert_type(ex.call_async(score, 3, timeout=2), Future[float])
    assert_type(ex.put([1]), Ref[list[int]])
    assert_type(ex.attach("0123"), FutureList[Any])
    assert_type(ex.storage, PrefixedStorage)


def the_standard_library_takes_them(ex: Executor) -> None:
    future: concurrent.futures.Future[float] = ex.submit(score, 1)
    pool: concurrent.futures.Executor = ex.concurrent()
    assert_type(asyncio.run(awaited(future)), float)
    assert_type(pool.submit(score, 1).result(), float)
    assert_type(pool.map(score, [1]), Iterator[float])


async def awaited(future: concurrent.futures.Future[float]) -> float:
    return await asyncio.wrap_future(future)


def waiting(futures: FutureList[float]) -> None:
    done, not_done = wrenml.wait(futures, wrenml.ANY_COMPLETED, timeout=1)
    assert_type(done, list[Future[float]])
    assert_type(not_done, list[Future[float]])
    assert_type(wrenml.get_all_results(futures), list[float])
    assert_type(wrenml.as_completed(futures), Iterator[Future[float]])


def options(ex: Executor) -> None:
    common: MapOptions = {"timeout": 3, "retries": 2, "retry_on": (ValueError, OSError), "tags": {"a": "b"}}
    ex.map(score, [1], **common)
    ex.map(score, [1], memory_mb=[512, 1024], files="a.csv", env={"A": "b"}, cache="sweep", progress=True)


def hooks(ex: Executor) -> None:
    def observer(event: Event) -> None:
        if isinstance(event, CallsSettled):
            assert_type(event.succeeded, int)

    ex.observe(observer)


def mistakes(ex: Executor, futures: FutureList[float]) -> None:
    ex.map(score, 3)  # type: ignore[arg-type]
    ex.map(score, [1], timeot=3)  # type: ignore[call-arg]
    ex.map(score, [1], timeout="3")  # type: ignore[arg-type]
    ex.imap(score, ["a"])  # type: ignore[arg-type]
    ex.submit(pair, 1)  # type: ignore[call-arg]
    ex.submit(pair, "a", 1)  # type: ignore[arg-type]
    futures.results(errors="ignore")  # type: ignore[call-overload]
    ex.observe(score)  # type: ignore[arg-type]


def failures(future: Future[float]) -> None:
    try:
        future.result()
    except errors.CallExited as exited:
        assert_type(exited.code, int)
    except errors.WorkerCrashed as crashed:
        assert_type(crashed.signal, int | None)
    except errors.WorkerOutOfMemory as full:
        assert_type(full.peak_mb, int | None)
    except errors.RemoteError as remote:
        assert_type(remote.remote_traceback, str)
