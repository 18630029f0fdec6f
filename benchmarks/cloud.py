"""Maps on the emulated AWS: one warm call, how soon outcomes are seen, a whole map, the client's CPU beside boto3's."""

from __future__ import annotations

import os
import statistics
import time

from _bench import Bench, main, race
from _emulated import emulated

from wrenml import Executor, aws_executor

LEAN, BOTO3 = "wrenml", "boto3"
_LATENCY = {"Invoke": 0.03, "s3": 0.02}
_COLD = 0.3
_MAP_OF_ONE = 0.2
_SEEN = 0.1
_CPU = 1 / 3


def square(x: int) -> int:
    """Take no time."""
    return x * x


def second(x: int) -> int:
    """Take a second."""
    time.sleep(1)
    return x


def one(executor: Executor) -> float:
    """Seconds of a map of one."""
    start = time.perf_counter()
    executor.map(square, [3]).results()
    return time.perf_counter() - start


def measure(bench: Bench) -> None:
    """Each row has an emulator of its own."""
    with emulated({}), aws_executor() as executor:
        one(executor)
        found = race({LEAN: lambda: one(executor)}, bench.rounds())
        bench.limit("a warm map of one, no latency", found[LEAN].median, _MAP_OF_ONE, "s")
    with emulated(_LATENCY) as aws, aws_executor() as executor:
        executor.map(square, range(16)).results()
        count = bench.size(200, 8)
        seen: dict[str, float] = {}
        futures = executor.map(square, range(count))
        for call, future in enumerate(futures):
            key = f"jobs/{futures.id}/out/{call:010d}"
            future.add_done_callback(lambda _, key=key: seen.__setitem__(key, time.time()))  # type: ignore[misc]
        futures.results()
        puts = aws.puts()
        late = statistics.median(seen[key] - puts[key] for key in seen) - _LATENCY["s3"]
        bench.limit(f"from an outcome's write to its future, median of {count}", late, _SEEN, "s")
    environments, calls = bench.size(32, 2), bench.size(320, 4)
    with emulated(_LATENCY, concurrency=environments), aws_executor() as executor:
        start = time.perf_counter()
        executor.map(second, range(calls)).results()
        wall = time.perf_counter() - start
        rounds = -(-calls // environments)
        path = _COLD + _LATENCY["Invoke"] + rounds * (1 + _LATENCY["s3"]) + 2 * _LATENCY["s3"]
        title = f"{calls} calls of 1 s over {environments} environments, cold"
        bench.compare(title, wall, path, "critical path", 2.0)
    cpu(bench)


def cpu(bench: Bench) -> None:
    """CPU of this process for a call, by each transport; the emulator has a process of its own."""
    calls = bench.size(1000, 10)
    with emulated({}):
        executors = {}
        for name, transport in ((LEAN, "lean"), (BOTO3, "boto3")):
            os.environ["WRENML_TRANSPORT"] = transport
            executors[name] = aws_executor()

        def work(executor: Executor) -> float:
            start = time.process_time()
            executor.map(square, range(calls)).results()
            return (time.process_time() - start) / calls

        found = race({name: lambda name=name: work(executors[name]) for name in executors}, bench.rounds(3))  # type: ignore[misc]
        bench.show(f"CPU of the client for a call, map of {calls:,}", found, baseline=BOTO3)
        bench.compare("client's CPU, a call", found[LEAN].median, found[BOTO3].median, BOTO3, _CPU)
        for executor in executors.values():
            executor.shutdown()


if __name__ == "__main__":
    main(__file__, "maps on the emulated AWS", measure)
