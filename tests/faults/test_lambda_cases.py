"""What calls, deployments and people do to a map on Lambda, with real workers on the emulated AWS."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults import deeds
from tests.faults.clients import start
from tests.support.emulated import aws, client, emulator
from wrenml import Executor, aws_executor
from wrenml.errors import AccessDeniedError, ConfigError, WorkerCrashed, WrenmlError
from wrenml.events import Event, JobStarted
from wrenml.invoke.aws.invoker import AwsInvoker
from wrenml.testing import samples
from wrenml.testing.emulator import Emulator
from wrenml.testing.emulator.faults import Refuse
from wrenml.testing.executor.base import PATIENCE

__all__ = ["aws", "emulator"]

pytestmark = pytest.mark.slow

Eventually = Callable[..., None]


@pytest.fixture(scope="module")
def executor(emulator: Emulator) -> Iterator[Executor]:
    emulator.install()
    with aws_executor(progress=False) as executor:
        executor.map(samples.square, range(2)).results(timeout=PATIENCE)
        yield executor


def one_by_one(executor: Executor, fn: Callable[[int], object], count: int) -> list[object]:
    """Calls in one environment, each an invocation of its own."""
    return executor.map(fn, range(count), max_in_flight=1).results(errors="return", timeout=PATIENCE)


def test_a_full_tmp_names_folder_and_size(emulator: Emulator) -> None:
    emulator.install(name="filled")
    with aws_executor("filled", progress=False) as executor:
        error = executor.map(deeds.fill_disk, [0]).exceptions(PATIENCE)[0]

    assert isinstance(error, OSError)
    assert "the disk of the worker's folder /tmp/" in "".join(error.__notes__)


def test_a_pool_of_processes_says_what_lambda_lacks(executor: Executor) -> None:
    def pool(count: int) -> list[int]:
        with multiprocessing.Pool(count) as workers:
            return workers.map(abs, range(count))

    error = executor.map(pool, [2]).exceptions(PATIENCE)[0]

    assert isinstance(error, OSError)
    assert "there is no /dev/shm here" in "".join(error.__notes__)


@pytest.mark.parametrize(
    "change",
    [deeds.change_variables, deeds.change_signals, deeds.change_path, deeds.change_logging, deeds.change_mask,
     deeds.remove_folder, deeds.close_streams, deeds.set_alarm],
    ids=lambda change: change.__name__,
)  # fmt: skip
def test_state_is_the_next_calls_own(executor: Executor, change: Callable[[object], object]) -> None:
    both = deeds.InTurn(change)
    [untouched] = executor.map(both, [1]).results(timeout=PATIENCE)

    _, first, _, second = one_by_one(executor, both, 4)

    assert first == second == untouched


def test_a_process_left_behind_is_ended(executor: Executor) -> None:
    def alive(pid: int) -> bool:
        return Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]

    environment, pid = executor.map(deeds.leave_process, [0]).results(timeout=PATIENCE)[0]

    assert environment != pid
    assert executor.map(alive, [pid]).results(timeout=PATIENCE) == [False]


@pytest.mark.parametrize("flood", [deeds.flood_from_python, deeds.flood_from_native_code], ids=lambda f: f.__name__)
def test_of_a_flood_head_and_tail_are_kept(executor: Executor, flood: Callable[[int], str]) -> None:
    futures = executor.map(flood, [50])

    assert futures.results(timeout=PATIENCE) == ["done"]
    kept = futures.logs(0)
    assert len(kept) < 100_000
    assert kept.startswith("the first line\n")
    assert kept.endswith("the last line\n")
    assert "left out" in kept


def test_a_function_that_is_updated_is_waited_for(aws: Emulator, executor: Executor) -> None:
    aws.faults.add(Refuse(409, "ResourceConflictException"), "Invoke", times=3)

    assert executor.map(samples.square, [2, 3]).results(timeout=PATIENCE) == [4, 9]

    assert [call.status for call in aws.requests.of("Invoke")].count(409) == 3


def test_a_job_keeps_the_version_it_began_with(aws: Emulator) -> None:
    aws.install(name="changing")
    functions = client(aws, "lambda")
    with aws_executor("changing", progress=False) as executor:
        futures = executor.map(samples.square, range(6), max_in_flight=1)
        futures[0].result(PATIENCE)
        broken = io.BytesIO()
        with zipfile.ZipFile(broken, "w") as package:
            package.writestr("handler.py", "raise SystemExit('not this version')\n")
        functions.update_function_code(FunctionName="changing-1769", ZipFile=broken.getvalue())
        functions.get_waiter("function_updated_v2").wait(FunctionName="changing-1769", WaiterConfig={"Delay": 0})
        version = functions.publish_version(FunctionName="changing-1769")["Version"]

        assert futures.results(timeout=PATIENCE) == [x * x for x in range(6)]
        assert executor.map(samples.square, [7]).results(timeout=PATIENCE) == [49]

    answer = functions.invoke(FunctionName="changing-1769", Qualifier=version, Payload=b"{}")
    assert answer["FunctionError"] == "Unhandled"


def test_arguments_around_the_limit_of_a_request(aws: Emulator, executor: Executor) -> None:
    most = AwsInvoker.carries
    sizes = [most - 1000, *range(most - 200, most + 20, 20), most * 4 // 3]

    assert [executor.submit(len, os.urandom(size)).result(PATIENCE) for size in sizes] == sizes

    bodies = [call.received for call in aws.requests.of("Invoke")]
    assert len(bodies) == len(sizes)
    assert bodies[0] > 900_000
    assert bodies[-1] < 10_000
    assert {body > 900_000 for body in bodies[1:-1]} == {True, False}
    assert not [call for call in aws.requests if call.status >= 400]


@pytest.mark.parametrize(
    ("operation", "fault", "kind", "words"),
    [
        ("Invoke", Refuse(403, "AccessDeniedException"), AccessDeniedError, "lambda:InvokeFunction on wrenml-1769"),
        ("Invoke", Refuse(404, "ResourceNotFoundException"), ConfigError, "wrenml deploy"),
        ("GetObject", Refuse(403, "AccessDenied"), AccessDeniedError, "s3:GetObject"),
    ],
    ids=["may not invoke", "no function", "may not read"],
)
def test_what_is_refused_ends_the_map_and_is_named(
    aws: Emulator, executor: Executor, operation: str, fault: Refuse, kind: type[WrenmlError], words: str
) -> None:
    aws.faults.add(fault, operation, caller="client")

    errors = executor.map(samples.square, range(3)).exceptions(PATIENCE)

    assert {type(error) for error in errors} == {kind}
    assert all(words in str(error) for error in errors)


def test_a_stack_or_region_that_is_not_there_is_said_before_anything_is_sent(
    aws: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="wrenml deploy --stack elsewhere"):
        aws_executor("elsewhere")
    with pytest.raises(ConfigError, match="eu-north-1"):
        aws_executor("wrenml", region="eu-north-1")
    aws.faults.add(Refuse(400, "AccessDeniedException"), "GetParameters", times=1)
    with pytest.raises(AccessDeniedError, match="GetParameters"):
        aws_executor()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(AccessDeniedError, match="credentials"):
        aws_executor()

    assert aws.requests.count("Invoke") == 0


def test_a_small_account_is_a_small_window(aws: Emulator) -> None:
    aws.functions.settings.account_concurrency = 3
    aws.install(name="little")
    before = aws.functions.books.counts["Throttles"]
    started: list[JobStarted] = []

    def note(event: Event) -> None:
        if isinstance(event, JobStarted):
            started.append(event)

    with aws_executor("little", progress=False) as executor:
        executor.observe(note)
        assert executor.map(samples.square, range(12)).results(timeout=PATIENCE) == [x * x for x in range(12)]

    assert [event.workers for event in started] == [3]
    # Sent at once, 9 would be throttled; one may be where an outcome is seen before Lambda has taken note of the end.
    assert aws.functions.books.counts["Throttles"] - before < 9


RUNNING = """
import sys, time
import wrenml

def stay(seconds):
    time.sleep(seconds)

executor = wrenml.aws_executor(progress=False)
futures = executor.map(stay, [600.0] * 3)
print(futures.id, flush=True)
try:
    futures.results()
except KeyboardInterrupt:
    print("caught", flush=True)
    executor.map(stay, [600.0] * 2).results()
"""


def test_interrupts_end_client_and_calls(aws: Emulator, executor: Executor, eventually: Eventually) -> None:
    with start(RUNNING) as process:
        assert process.stdout is not None
        job = process.stdout.readline().strip()
        eventually(lambda: aws.requests.count("Invoke") == 3)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "caught\n"
        eventually(lambda: aws.requests.count("Invoke") == 5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    assert process.returncode in (1, 130, -signal.SIGINT)
    assert job in err
    assert err.count("is cancelled") == 2
    assert aws.functions.settle(PATIENCE)
    assert all(future.cancelled() for future in executor.attach(job))


def test_an_error_common_to_all_calls_ends_the_map(aws: Emulator) -> None:
    aws.install(name="broken")
    aws.functions.reserve("broken-1769", 0)
    with aws_executor("broken", progress=False, infra_retries=1) as executor:
        errors = executor.map(samples.square, range(40), max_in_flight=6).exceptions(PATIENCE)

    assert {type(error) for error in errors} == {WorkerCrashed}
    assert all("reserved concurrency" in str(error) for error in errors)
    assert all("none succeeded" in "".join(getattr(error, "__notes__", [])) for error in errors)
    assert 5 <= aws.requests.count("Invoke") <= 12
