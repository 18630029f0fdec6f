"""The lean transport beside boto3: CPU of the client for a request, and invocations a second over 30 ms."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from _bench import Bench, main, race
from _responder import responder

from wrenml.aws.session import Session

LEAN, BOTO3 = "wrenml", "boto3"
_DELAY = 0.03
_THREADS = {LEAN: 128, BOTO3: 64}
_TARGET = 1 / 3
_LIST_MS = 12.0

Send = Callable[[Any], None]


def put(s3: Any) -> None:  # noqa: ANN401 - boto3 makes its client classes at run time
    """Write a small outcome."""
    s3.put_object(Bucket="bucket", Key="jobs/0123456789abcdef/out/0000000001", Body=b"x" * 812, IfNoneMatch="*")


def get(s3: Any) -> None:  # noqa: ANN401 - as put
    """Read it."""
    answer = s3.get_object(Bucket="bucket", Key="jobs/0123456789abcdef/out/0000000001", Range="bytes=0-65535")
    assert len(answer["Body"].read()) == 812  # noqa: PLR2004 - as the responder says


def page(s3: Any) -> None:  # noqa: ANN401 - as put
    """List a page."""
    assert len(s3.list_objects_v2(Bucket="bucket", Prefix="jobs/")["Contents"]) == 1000  # noqa: PLR2004 - a page


def invoke(functions: Any) -> None:  # noqa: ANN401 - as put
    """Ask for a call."""
    answer = functions.invoke(
        FunctionName="wrenml-1769", Qualifier="v7", InvocationType="Event", Payload=b'{"call": 1}' * 30
    )
    assert answer["StatusCode"] == 202  # noqa: PLR2004 - accepted


def cpu(client: Any, send: Send, count: int) -> float:  # noqa: ANN401 - as put
    """CPU seconds of this process for one request."""
    start = time.process_time()
    for _ in range(count):
        send(client)
    return (time.process_time() - start) / count


def fan_out(client: Any, threads: int, count: int) -> float:  # noqa: ANN401 - as put
    """Seconds for one invocation, threads and connections being there."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: invoke(client), range(2 * threads)))
        start = time.perf_counter()
        list(pool.map(lambda _: invoke(client), range(count)))
        return (time.perf_counter() - start) / count


def clients(url: str, service: str) -> dict[str, Any]:
    """One client of each kind."""
    return {
        LEAN: Session(endpoint_url=url, transport="lean").client(service),
        BOTO3: Session(endpoint_url=url, transport="boto3").client(service),
    }


@contextlib.contextmanager
def account() -> Iterator[None]:
    """Keys that nobody checks, and no proxy."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "any"))
    os.environ.update(AWS_REGION="eu-west-1", AWS_CONFIG_FILE=f"{os.devnull}/none")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def measure(bench: Bench) -> None:
    """Race the two, request by request, then the fan-out."""
    with account():
        with responder(0.0) as url:
            s3, functions = clients(url, "s3"), clients(url, "lambda")
            for name, send, made, count in (
                ("PUT", put, s3, 300),
                ("GET", get, s3, 300),
                ("LIST of 1,000 keys", page, s3, 10),
                ("Invoke", invoke, functions, 300),
            ):
                row(bench, name, send, made, bench.size(count, 2))
        with responder(_DELAY) as url:
            made = clients(url, "lambda")
            count = bench.size(2000, 50)
            found = race(
                {name: lambda name=name: fan_out(made[name], _THREADS[name], count) for name in made},  # type: ignore[misc]
                bench.rounds(3),
            )
            threads = ", ".join(f"{name} {number}" for name, number in _THREADS.items())
            title = f"{count:,} invocations over {_DELAY * 1e3:.0f} ms, threads: {threads}"
            bench.show(title, found, baseline=BOTO3)
            rates = ", ".join(f"{name} {1 / samples.median:,.0f}/s" for name, samples in found.items())
            bench.note(rates)
            bench.compare("fan-out, an invocation", found[LEAN].median, found[BOTO3].median, BOTO3, _TARGET)


def row(bench: Bench, name: str, send: Send, made: dict[str, Any], count: int) -> None:
    """CPU of one kind of request."""
    found = race({kind: lambda kind=kind: cpu(made[kind], send, count) for kind in made}, bench.rounds(5))  # type: ignore[misc]
    bench.show(f"{name}, CPU of the client", found, baseline=BOTO3)
    bench.compare(f"{name}, CPU", found[LEAN].median, found[BOTO3].median, BOTO3, _TARGET)
    if send is page:
        bench.limit(f"{name}, CPU", found[LEAN].median * 1e3, _LIST_MS, "ms")


if __name__ == "__main__":
    main(__file__, "requests to S3 and Lambda, signed and sent by wrenml and by boto3", measure)
