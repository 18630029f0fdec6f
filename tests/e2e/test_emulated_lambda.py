"""The emulated Lambda against what AWS documents; each test says on which page: dg is the Lambda Developer Guide."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.support.lambdas import HANDLER, EmulatedFunction, NewFunction, Result
from wrenml.errors import ConfigError
from wrenml.testing.emulator.execution.invoking import Kind
from wrenml.testing.emulator.execution.launching import can_jail
from wrenml.testing.emulator.functions import FunctionVersion
from wrenml.testing.emulator.plane import DataPlane
from wrenml.testing.emulator.settings import shaky_delivery

MB = 1 << 20

jailed = pytest.mark.skipif(not can_jail(), reason="this user may not make mount namespaces here")


class Bucket:
    """Takes failure records, unless told otherwise."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.broken = False

    def put(self, bucket: str, key: str, content: bytes) -> None:
        if self.broken:
            raise PermissionError(f"{bucket} takes nothing")
        self.records[f"{bucket}/{key}"] = json.loads(content)


@pytest.fixture(scope="module")
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture(scope="module")
def logged() -> list[str]:
    return []


@pytest.fixture(scope="module")
def shared(bucket: Bucket, logged: list[str]) -> Iterator[DataPlane]:
    plane = DataPlane(
        bucket.put,
        variables={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
        write_log=lambda _version, _stream, lines: logged.extend(lines),
    )
    yield plane
    plane.close()


@pytest.fixture
def plane(shared: DataPlane, bucket: Bucket, logged: list[str]) -> DataPlane:
    shared.settings.reset()
    shared.books.clear()
    bucket.records.clear()
    bucket.broken = False
    logged.clear()
    return shared


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    (folder / "handler.py").write_text(HANDLER)
    return folder


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def new(plane: DataPlane, package: Path, pool: ThreadPoolExecutor, tmp_path: Path) -> Iterator[NewFunction]:
    made: list[EmulatedFunction] = []

    def make(code: str | None = None, **settings: object) -> EmulatedFunction:
        folder = package
        if code is not None:
            folder = tmp_path / f"package-{len(made)}"
            folder.mkdir()
            (folder / "handler.py").write_text(code)
        made.append(EmulatedFunction(plane, folder, pool, **settings))
        return made[-1]

    yield make
    for function in made:
        plane.remove(function.name)


@pytest.fixture
def echo(new: NewFunction) -> EmulatedFunction:
    return new()


# Invoking: the API reference's page of Invoke, dg/invocation-sync, dg/invocation-async


def test_a_synchronous_invocation_answers_the_result(echo: EmulatedFunction) -> None:
    """API_Invoke: 200, the result, the version that ran."""
    result = echo("echo", say="hello")

    assert result.status == 200
    assert result.body["event"] == {"do": "echo", "say": "hello"}
    assert result.headers["X-Amz-Executed-Version"] == "$LATEST"
    assert re.fullmatch(r"[0-9a-f-]{36}", result.headers["x-amzn-RequestId"])
    assert not result.failed


def test_an_exception_is_an_error_of_the_function(echo: EmulatedFunction) -> None:
    """dg/python-exceptions: 200 with X-Amz-Function-Error, and what was raised as JSON."""
    result = echo("fail")

    assert result.status == 200
    assert result.failed
    assert result.body["errorType"] == "ValueError"
    assert result.body["errorMessage"] == "as told"
    assert result.body["requestId"] == result.headers["x-amzn-RequestId"]
    assert "in fail" in "".join(result.body["stackTrace"])


def test_the_log_tail_is_what_lambda_writes(echo: EmulatedFunction) -> None:
    """dg/python-logging: START, the function's own lines, END, REPORT."""
    result = echo("echo", say="into the log")

    start, said, end, report = [line for line in result.log.splitlines() if not line.startswith("INIT_START")]
    request = result.headers["x-amzn-RequestId"]
    assert start == f"START RequestId: {request} Version: $LATEST"
    assert said == "echo into the log"
    assert end == f"END RequestId: {request}"
    assert re.fullmatch(
        rf"REPORT RequestId: {request}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 128 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t",
        report,
    )


def test_the_log_tail_is_the_last_4_kb(echo: EmulatedFunction) -> None:
    """API_Invoke, LogResult: the last 4 KB of the execution log."""
    result = echo("echo", say="x" * 10_000)

    assert len(result.log.encode()) == 4096
    assert "REPORT" in result.log
    assert "START" not in result.log


def test_an_event_is_accepted_and_runs_later(echo: EmulatedFunction, plane: DataPlane) -> None:
    """dg/invocation-async: 202 and nothing else."""
    result = echo.invoke(b'{"do": "echo"}', kind="Event")

    assert (result.status, result.body) == (202, None)
    assert plane.settle(30)
    [report] = plane.books.reports
    assert report.request_id == result.headers["x-amzn-RequestId"]
    assert report.kind == "Event"


def test_a_dry_run_runs_nothing(echo: EmulatedFunction, plane: DataPlane) -> None:
    """API_Invoke: DryRun answers 204."""
    result = echo.invoke(b"{}", kind="DryRun")

    assert (result.status, result.body) == (204, None)
    assert plane.books.reports == ()


def test_no_payload_is_an_empty_event(echo: EmulatedFunction) -> None:
    """API_Invoke: the payload is optional."""
    assert echo.invoke().body["event"] == {}


@pytest.mark.parametrize(("kind", "limit"), [("RequestResponse", 6 * MB), ("Event", MB)])
def test_payloads_have_a_limit(echo: EmulatedFunction, plane: DataPlane, kind: str, limit: int) -> None:
    """dg/gettingstarted-limits: 6 MB, asynchronously 1 MB; RequestTooLargeException is 413."""
    fits = json.dumps({"do": "echo", "x": "y" * (limit - 100)}).encode()

    over = echo.invoke(b'"' + b"x" * (limit - 1) + b'"', kind=kind)

    assert over.status == 413
    assert over.headers["x-amzn-ErrorType"] == "RequestTooLargeException"
    assert str(limit) in over.body["Message"]
    assert plane.books.reports == ()
    assert echo.invoke(fits, kind=kind).status in {200, 202}
    assert plane.settle(30)


def test_a_payload_is_json(echo: EmulatedFunction) -> None:
    """API_Invoke: InvalidRequestContentException, 400."""
    result = echo.invoke(b"{not json")

    assert result.status == 400
    assert result.headers["x-amzn-ErrorType"] == "InvalidRequestContentException"


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
@pytest.mark.parametrize(("name", "qualifier"), [("nobody", None), (None, "v9")])
def test_who_is_unknown_is_not_found(echo: EmulatedFunction, kind: Kind, name: str | None, qualifier: str) -> None:
    """API_Invoke: ResourceNotFoundException, 404, at once for events, too."""
    answer = echo.plane.invoke(name or echo.name, b"{}", kind=kind, qualifier=qualifier)

    assert answer.status == 404
    assert answer.headers["x-amzn-ErrorType"] == "ResourceNotFoundException"


@pytest.mark.parametrize("state", ["Pending", "Inactive", "Failed"])
def test_a_function_that_is_not_active_does_not_run(new: NewFunction, state: str) -> None:
    """dg/functions-states: invocations fail until the state is Active."""
    function = new(state=state)

    result = function()

    assert result.status == 409
    assert result.headers["x-amzn-ErrorType"] == "ResourceConflictException"
    assert state in result.body["Message"]
    function.publish(state="Active")
    assert function().status == 200


def test_aliases_name_versions(echo: EmulatedFunction, plane: DataPlane) -> None:
    """dg/configuration-aliases, dg/python-context: the version that ran, the ARN that was called."""
    for version in ("1", "2"):
        echo.publish(version=version)
    plane.alias(echo.name, "live", "1")
    before = echo.invoke(b'{"do": "about"}', qualifier="live")

    plane.alias(echo.name, "live", "2")

    after = echo.invoke(b'{"do": "about"}', qualifier="live")
    assert [before.headers["X-Amz-Executed-Version"], after.headers["X-Amz-Executed-Version"]] == ["1", "2"]
    assert after.body["environment"]["AWS_LAMBDA_FUNCTION_VERSION"] == "2"
    assert after.body["arn"] == f"arn:aws:lambda:us-east-1:123456789012:function:{echo.name}:live"
    assert plane.invoke(f"{after.body['arn'][:-5]}:1").headers["X-Amz-Executed-Version"] == "1"
    assert plane.invoke(f"{echo.name}:live").headers["X-Amz-Executed-Version"] == "2"


def test_a_removed_version_is_not_found(echo: EmulatedFunction, plane: DataPlane) -> None:
    """API_DeleteFunction: of one version, the others stay."""
    echo.publish(version="1")

    plane.remove(echo.name, "1")

    assert echo.invoke(qualifier="1").status == 404
    assert echo().status == 200


def test_a_response_over_6_mb_is_an_error(echo: EmulatedFunction) -> None:
    """dg/gettingstarted-limits: Function.ResponseSizeTooLarge; the next invocation has a working environment."""
    result = echo.run("answer = 'x' * (6 * 1024 * 1024 + 200)")

    assert result.failed
    assert result.body["errorType"] == "Function.ResponseSizeTooLarge"
    assert "6291556" in result.body["errorMessage"]
    assert echo().status == 200


def test_the_client_context_is_for_synchronous_invocations(echo: EmulatedFunction) -> None:
    """API_Invoke, ClientContext: base64 of JSON, passed on in the context object."""
    context = b64encode(b'{"custom": {"of": "mine"}}').decode()

    assert echo.invoke(b'{"do": "about"}', client_context=context).body["client"] == {"of": "mine"}
    assert echo.invoke(b'{"do": "about"}').body["client"] is None


# The environment: dg/configuration-envvars, dg/lambda-runtime-environment, dg/chapter-layers


def test_the_environment_has_lambdas_variables(new: NewFunction) -> None:
    """dg/configuration-envvars: defined runtime environment variables."""
    function = new(memory_mb=256, environment={"MINE": "yes", "AWS_REGION": "elsewhere", "TZ": "Europe/Athens"})
    function.publish(version="7", environment={"MINE": "yes", "AWS_REGION": "elsewhere", "TZ": "Europe/Athens"})

    about = function.invoke(b'{"do": "about"}', qualifier="7").body

    seen = about["environment"]
    expected = {
        "_HANDLER": "handler.handle",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_REGION": "us-east-1",
        "LANG": "en_US.UTF-8",
        "MINE": "yes",
        "TZ": "Europe/Athens",
    }
    assert seen | expected == seen
    assert seen["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python3.")
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[7\][0-9a-f]{32}", seen["AWS_LAMBDA_LOG_STREAM_NAME"])
    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH"} <= set(seen)
    assert about["cwd"] == seen["LAMBDA_TASK_ROOT"] == about["path"][0]
    assert 29_000 < about["left"] <= 30_000


@jailed
def test_the_folders_are_lambdas(echo: EmulatedFunction) -> None:
    """dg/lambda-runtime-environment: code in a read-only /var/task, /tmp is its own; there is no /dev/shm."""
    with tempfile.NamedTemporaryFile(dir="/tmp") as ours:
        theirs = f"{ours.name}-theirs"
        answer = echo.run(
            "import os\n"
            "def writable(path):\n"
            "    try:\n"
            "        open(path, 'w').close()\n"
            "    except OSError as error:\n"
            "        return error.strerror\n"
            f"answer = [os.getcwd(), os.path.exists({ours.name!r}), os.path.exists('/dev/shm')]\n"
            f"answer += map(writable, ['/var/task/x', '/usr/x', '/var/tmp/x', {theirs!r}, '/dev/null'])\n"
        ).body

        assert answer == ["/var/task", False, False, *["Read-only file system"] * 3, None, None]
        assert not Path(theirs).exists()


@jailed
def test_tmp_has_its_size(new: NewFunction) -> None:
    """dg/configuration-ephemeral-storage."""
    function = new(ephemeral_mb=2)

    result = function.run(f"open('/tmp/large', 'wb').write(bytes({3 * MB}))")

    assert "No space left on device" in result.body["errorMessage"]


def test_layers_are_merged_and_on_the_path(new: NewFunction, tmp_path: Path) -> None:
    """dg/packaging-layers: python/ is on the path, later layers win."""
    layers = tmp_path / "first", tmp_path / "second"
    for layer in layers:
        (layer / "python").mkdir(parents=True)
        (layer / "python" / f"only_{layer.name}.py").write_text("")
        (layer / "python" / "both.py").write_text(f"name = {layer.name!r}")

    function = new(layers=layers)

    code = "import both, only_first, only_second\nanswer = both.name"
    assert function.run(code).body == "second"


def test_it_sees_what_lambda_brings_and_no_more(new: NewFunction) -> None:
    """dg/lambda-python: the runtime has boto3; what else it is to import must be in the package."""
    code = "from importlib.util import find_spec\nanswer = [bool(find_spec(name)) for name in ('boto3', 'cloudpickle')]"

    assert new().run(code).body == [True, False]
    assert new(isolated=False).run(code).body == [True, True]


def test_a_writable_folder_is_the_same_on_both_sides(new: NewFunction, tmp_path: Path) -> None:
    function = new(writable=(tmp_path,))

    function("note", folder=str(tmp_path))

    assert len([*tmp_path.iterdir()]) == 1


def test_without_namespaces_it_still_runs(package: Path, pool: ThreadPoolExecutor, bucket: Bucket) -> None:
    plane = DataPlane(bucket.put, jailed=False)
    try:
        function = EmulatedFunction(plane, package, pool)
        tmp = function.run("import tempfile\nanswer = tempfile.mkdtemp()").body
        assert Path(tmp).is_dir()
        assert function("about").body["cwd"] == str(package)
        assert "SystemExit" not in function.run("import os\nos._exit(4)").body["errorMessage"]
        assert function().status == 200
    finally:
        plane.close()
    assert not Path(tmp).exists()


def test_a_package_that_is_gone_is_an_error_of_the_service(echo: EmulatedFunction, tmp_path: Path) -> None:
    """API_Invoke, ServiceException: 500; nothing stays occupied."""
    kept, echo.package = echo.package, tmp_path / "gone"
    echo.publish()

    assert [echo().status for _ in range(2)] == [500, 500]

    echo.package = kept
    echo.publish()
    assert echo().status == 200
    assert echo.plane.books.concurrency[0] == 0


def test_a_python_that_is_not_here_is_refused(plane: DataPlane, package: Path) -> None:
    with pytest.raises(ConfigError, match=r"Python 3\.9"):
        plane.publish(FunctionVersion(name="old", package=package, python="3.9"))


# Reuse and recycling: dg/lambda-runtime-environment


def test_a_warm_environment_is_used_again(echo: EmulatedFunction, plane: DataPlane) -> None:
    """Its state stays, it is not initialised again."""
    results = [echo() for _ in range(3)]

    assert [result.body["calls"] for result in results] == [1, 2, 3]
    assert len({result.body["pid"] for result in results}) == 1
    assert plane.books.counts["ColdStarts"] == 1


def test_an_environment_runs_one_event_at_a_time(
    new: NewFunction, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    """dg/lambda-concurrency: as many environments as there are invocations at a time."""
    function = new(writable=(tmp_path,))
    started = [function.start("wait", folder=str(tmp_path)) for _ in range(3)]
    eventually(lambda: len([*tmp_path.iterdir()]) == 3)

    (tmp_path / "go").touch()

    pids = {future.result().body for future in started}
    assert len(pids) == 3
    assert function.run("import os\nanswer = os.getpid()").body in pids
    assert function.plane.books.concurrency == (0, 3)


def test_between_events_processes_can_stand_still(
    new: NewFunction, plane: DataPlane, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    """dg/lambda-runtime-environment: Lambda freezes the environment when the runtime asks for the next event."""
    plane.settings.freeze = True
    file = tmp_path / "file"
    ticking = f"import time\nwhile True:\n    open({str(file)!r}, 'a').write('.'); time.sleep(0.01)\n"
    function = new(writable=(tmp_path,))
    pid = function.run(
        f"import subprocess, sys\nanswer = subprocess.Popen([sys.executable, '-c', {ticking!r}]).pid"
    ).body
    eventually(lambda: ") T" in Path(f"/proc/{pid}/stat").read_text())

    size = file.stat().st_size if file.exists() else 0
    wait_for = (
        f"import os, time\nwhile not os.path.exists({str(file)!r}) or os.path.getsize({str(file)!r}) <= {size}:\n"
    )
    assert not function.run(f"{wait_for}    time.sleep(0.01)\n").failed
    eventually(lambda: ") T" in Path(f"/proc/{pid}/stat").read_text())


def test_cold_starts_are_limited(pool: ThreadPoolExecutor, tmp_path: Path, eventually: Callable[..., None]) -> None:
    folder = tmp_path / "package"
    folder.mkdir()
    times = tmp_path / "times"
    slow = f"import time\nfile = open({str(times)!r}, 'a')\nfile.write('begin\\n'); file.flush()\ntime.sleep(0.1)\n"
    (folder / "handler.py").write_text(slow + "file.write('end\\n'); file.close()\n" + HANDLER)
    plane = DataPlane(Bucket().put, max_cold_starts=1)
    try:
        function = EmulatedFunction(plane, folder, pool, writable=(tmp_path,))
        go = tmp_path / "go"
        started = [function.start("wait", folder=str(tmp_path)) for _ in range(3)]
        eventually(lambda: times.exists() and times.read_text().count("end") == 3)
        go.touch()
        assert {future.result().status for future in started} == {200}
    finally:
        plane.close()
    assert times.read_text() == "begin\nend\n" * 3


def test_environments_of_other_code_end(echo: EmulatedFunction, eventually: Callable[..., None]) -> None:
    """dg/lambda-runtime-environment: an update of the code brings new environments."""
    pid = echo().body["pid"]

    echo.publish()

    assert echo().body["calls"] == 1
    eventually(lambda: not Path(f"/proc/{pid}").exists())


def test_idle_environments_end(echo: EmulatedFunction, plane: DataPlane, eventually: Callable[..., None]) -> None:
    """dg/lambda-runtime-environment: those not needed are ended."""
    pid = echo().body["pid"]

    plane.settings.idle_seconds = 0

    eventually(lambda: not Path(f"/proc/{pid}").exists())
    assert echo().body["calls"] == 1


# Failures: dg/lambda-runtime-environment, dg/troubleshooting-invocation


def test_a_timeout_ends_the_invocation(new: NewFunction) -> None:
    """dg/configuration-timeout: Sandbox.Timedout, in Lambda's words."""
    function = new(timeout=1)
    request = function("echo").body["pid"]

    result = function.run("import time\ntime.sleep(60)")

    assert result.failed
    assert result.body["errorType"] == "Sandbox.Timedout"
    assert result.body["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert "Task timed out after 1.00 seconds" in result.log
    assert "Status: timeout" in result.log
    assert function().body["pid"] != request


def test_over_its_memory_the_runtime_is_killed(new: NewFunction) -> None:
    """dg/configuration-memory: Runtime.ExitError, signal: killed."""
    function = new(memory_mb=128)

    result = function.run("answer = len(bytearray(400_000_000))")

    assert result.failed
    assert result.body["errorType"] == "Runtime.ExitError"
    assert result.body["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
    assert "Max Memory Used: 128 MB" in result.log
    assert function().status == 200


@pytest.mark.parametrize(("what", "survives"), [("process", True), ("environment", False)])
def test_over_the_memory_the_largest_process_is_killed_or_all(
    new: NewFunction, plane: DataPlane, what: Literal["process", "environment"], *, survives: bool
) -> None:
    """What happens to a child on Lambda is not documented: both can be had."""
    plane.settings.out_of_memory = what
    function = new(memory_mb=128)

    result = function("child", code="import time; x = bytearray(400_000_000); time.sleep(60)")

    assert result.failed is not survives
    if survives:
        assert result.body == -9


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit(3)", "Runtime exited with error: exit status 3"),
        ("import os; os._exit(0)", "Runtime exited without providing a reason"),
        ("import os; os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
    ],
)
def test_an_exit_of_the_runtime_is_an_error(echo: EmulatedFunction, code: str, said: str) -> None:
    """dg/troubleshooting-invocation: Runtime.ExitError; the next invocation has a new process."""
    result = echo.run(code)

    assert result.failed
    assert result.body["errorType"] == "Runtime.ExitError"
    assert result.body["errorMessage"] == f"RequestId: {result.headers['x-amzn-RequestId']} Error: {said}"
    assert echo().body["calls"] == 1


def test_what_the_runtime_left_behind_ends_with_it(echo: EmulatedFunction, eventually: Callable[..., None]) -> None:
    """dg/lambda-runtime-environment: a reset ends all processes."""
    code = (
        "import subprocess, sys\nanswer = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid"
    )
    pid = echo.run(code).body

    echo.run("import os; os._exit(1)")

    eventually(lambda: not Path(f"/proc/{pid}").exists() or ") Z" in Path(f"/proc/{pid}/stat").read_text())


def test_a_failing_init_is_tried_again_in_the_invocation(new: NewFunction, logged: list[str]) -> None:
    """dg/lambda-runtime-environment: failures during the init phase."""
    function = new("import nowhere\n")

    result = function()

    assert result.failed
    assert result.body["errorType"] == "Runtime.ImportModuleError"
    assert "nowhere" in result.body["errorMessage"]
    phases = [line for line in logged if line.startswith("INIT_REPORT")]
    assert ["Phase: init" in phases[0], "Phase: invoke" in phases[1], len(phases)] == [True, True, 2]
    assert all("Status: error\tError Type: Runtime.ImportModuleError" in line for line in phases)


def test_an_init_over_its_limit_is_run_again_in_the_invocation(
    new: NewFunction, plane: DataPlane, logged: list[str]
) -> None:
    """dg/lambda-runtime-environment: the init phase has 10 seconds, the second time the function's timeout."""
    plane.settings.init_seconds = 0.3
    function = new("import time\ntime.sleep(0.6)\n" + HANDLER)

    result = function()

    assert not result.failed
    assert "\tPhase: init\tStatus: timeout" in "".join(logged)
    [report] = plane.books.reports
    assert report.init_ms == 0
    assert report.duration_ms > 600


def test_an_init_over_the_timeout_is_a_timeout(new: NewFunction, plane: DataPlane) -> None:
    """dg/lambda-runtime-environment: Sandbox.Timedout for the init in an invocation, too."""
    plane.settings.init_seconds = 0.1
    function = new("import time\ntime.sleep(60)\n", timeout=1)

    result = function()

    assert result.body["errorType"] == "Sandbox.Timedout"


# Concurrency: dg/lambda-concurrency, dg/configuration-concurrency


def held(
    function: EmulatedFunction, folder: Path, eventually: Callable[..., None], number: int = 1
) -> list[Future[Result]]:
    """Occupy environments until ``go`` is there."""
    started = [function.start("wait", folder=str(folder)) for _ in range(number)]
    eventually(lambda: len([*folder.iterdir()]) == number)
    return started


@pytest.mark.parametrize(
    ("reserved", "account", "reason"),
    [
        (1, 1000, "ReservedFunctionConcurrentInvocationLimitExceeded"),
        (None, 1, "ConcurrentInvocationLimitExceeded"),
    ],
)
def test_over_its_concurrency_it_is_throttled(
    new: NewFunction,
    plane: DataPlane,
    tmp_path: Path,
    eventually: Callable[..., None],
    *,
    reserved: int | None,
    account: int,
    reason: str,
) -> None:
    """API_Invoke, TooManyRequestsException: 429, Reason and Retry-After."""
    function = new(writable=(tmp_path,))
    plane.reserve(function.name, reserved)
    plane.settings.account_concurrency = account
    [running] = held(function, tmp_path, eventually)

    result = function()

    (tmp_path / "go").touch()
    assert result.status == 429
    assert result.headers["x-amzn-ErrorType"] == "TooManyRequestsException"
    assert result.headers["Retry-After"] == "1"
    assert result.body["Reason"] == reason
    assert plane.books.counts["Throttles"] == 1
    assert running.result().status == 200
    assert function().status == 200


def test_a_reserved_share_is_taken_from_all_others(new: NewFunction, plane: DataPlane) -> None:
    """dg/configuration-concurrency: what is reserved is not there for others."""
    plane.settings.account_concurrency = 10
    one, other = new(), new()

    plane.reserve(one.name, 10)

    assert one().status == 200
    assert other().body["Reason"] == "ConcurrentInvocationLimitExceeded"
    plane.reserve(one.name, None)
    assert other().status == 200


# Asynchronous invocations: dg/invocation-async-error-handling, dg/invocation-async-retain-records

DESTINATION = "arn:aws:s3:::failures"


def test_a_function_error_is_retried_and_recorded(echo: EmulatedFunction, plane: DataPlane, bucket: Bucket) -> None:
    """dg/invocation-async-retain-records: two retries by default; the record's key and content."""
    plane.settings.retry_delays = (0.01, 0.02)
    echo.events(on_failure=DESTINATION)

    request = echo.send("fail", mine=1)

    assert plane.settle(30)
    assert echo.attempts == [1, 2, 3]
    [(key, record)] = bucket.records.items()
    day = r"\d{4}/\d\d/\d\d/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d"
    assert re.fullmatch(rf"failures/aws/lambda/async/{echo.name}/{day}-[0-9a-f-]{{36}}", key)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("timestamp"))
    error = record.pop("responsePayload")
    assert (error["errorType"], error["errorMessage"], error["requestId"]) == ("ValueError", "as told", request)
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request,
            "functionArn": f"arn:aws:lambda:us-east-1:123456789012:function:{echo.name}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"do": "fail", "mine": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
    }


def test_retries_wait_a_minute_then_two(echo: EmulatedFunction, plane: DataPlane) -> None:
    """dg/invocation-async-error-handling."""
    assert tuple(plane.settings.retry_delays) == (60, 120)
    echo.send("fail")

    assert not plane.settle(0.5)

    assert echo.attempts in ([], [1])


def test_no_retries_if_told_so(echo: EmulatedFunction, plane: DataPlane, bucket: Bucket) -> None:
    """API_PutFunctionEventInvokeConfig: MaximumRetryAttempts is 0 to 2; crashes are function errors, too."""
    echo.events(maximum_retry_attempts=0, on_failure=DESTINATION)

    echo.send("run", code="import os; os._exit(9)")

    assert plane.settle(30)
    [record] = bucket.records.values()
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responsePayload"]["errorType"] == "Runtime.ExitError"
    assert plane.books.counts["AsyncEventsDropped"] == 1


def test_a_retry_that_succeeds_leaves_no_record(
    new: NewFunction, plane: DataPlane, bucket: Bucket, tmp_path: Path
) -> None:
    """dg/invocation-async-error-handling: the same request in each attempt."""
    plane.settings.retry_delays = (0.01,)
    function = new(writable=(tmp_path,))
    function.events(on_failure=DESTINATION)

    request = function.send("fail_once", marker=str(tmp_path / "marker"))

    assert plane.settle(30)
    assert [(report.request_id, report.fault) for report in plane.books.reports] == [
        (request, "ValueError"),
        (request, None),
    ]
    assert bucket.records == {}


def test_an_alias_has_rules_of_its_own(echo: EmulatedFunction, plane: DataPlane, bucket: Bucket) -> None:
    """API_PutFunctionEventInvokeConfig: of a function, a version or an alias."""
    echo.publish(version="1")
    plane.alias(echo.name, "v1", "1")
    echo.events("v1", maximum_retry_attempts=0, on_failure=DESTINATION)

    echo.send("fail", qualifier="v1")

    assert plane.settle(30)
    [record] = bucket.records.values()
    assert record["requestContext"]["functionArn"].endswith(f"{echo.name}:v1")
    assert record["responseContext"]["executedVersion"] == "1"


def test_throttled_events_wait_in_the_queue(
    new: NewFunction, plane: DataPlane, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    """dg/invocation-async-error-handling: throttling is retried and is no attempt."""
    plane.settings.throttle_delays = (0.01, 0.02)
    function = new(writable=(tmp_path,))
    plane.reserve(function.name, 1)
    [running] = held(function, tmp_path, eventually)

    request = function.send()
    eventually(lambda: plane.books.counts["Throttles"] >= 3)
    (tmp_path / "go").touch()

    assert running.result().status == 200
    assert plane.settle(30)
    assert [(report.request_id, report.attempt) for report in plane.books.reports][1:] == [(request, 1)]


def test_an_event_gets_too_old(
    new: NewFunction, plane: DataPlane, bucket: Bucket, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    """API_PutFunctionEventInvokeConfig, MaximumEventAgeInSeconds; the record has no response."""
    plane.settings.throttle_delays = (0.02, 0.02)
    function = new(writable=(tmp_path,))
    function.events(maximum_event_age=0.2, on_failure=DESTINATION)
    plane.reserve(function.name, 1)
    held(function, tmp_path, eventually)

    request = function.send("echo")

    assert plane.settle(30)
    (tmp_path / "go").touch()
    [record] = bucket.records.values()
    context = record["requestContext"]
    assert [context["requestId"], context["condition"], context["approximateInvokeCount"]] == [
        request,
        "EventAgeExceeded",
        0,
    ]
    assert "responseContext" not in record
    assert "responsePayload" not in record


def test_without_concurrency_events_are_given_up_at_once(
    echo: EmulatedFunction, plane: DataPlane, bucket: Bucket
) -> None:
    """dg/invocation-async-retain-records: reserved concurrency of zero."""
    echo.events(on_failure=DESTINATION)
    plane.reserve(echo.name, 0)

    request = echo.send()

    assert plane.settle(30)
    [record] = bucket.records.values()
    assert record["requestContext"]["requestId"] == request
    assert echo.attempts == []
    assert echo().status == 429


def test_a_destination_that_refuses_is_counted(echo: EmulatedFunction, plane: DataPlane, bucket: Bucket) -> None:
    """dg/invocation-async-retain-records: DestinationDeliveryFailures."""
    echo.events(maximum_retry_attempts=0, on_failure=DESTINATION)
    bucket.broken = True

    echo.send("fail")

    assert plane.settle(30)
    assert plane.books.counts["DestinationDeliveryFailures"] == 1


def test_events_come_twice_or_never(new: NewFunction, plane: DataPlane, tmp_path: Path) -> None:
    """dg/invocation-async-error-handling: the queue is eventually consistent; events may be deleted."""
    function = new(writable=(tmp_path,))
    fates = iter([(0.0, 0.01), (), (0.02,)])
    plane.settings.delivery = lambda _number: next(fates)

    twice, never, once = (function.send("note", folder=str(tmp_path)) for _ in range(3))

    assert plane.settle(30)
    ran = [path.name[:36] for path in tmp_path.iterdir()]
    assert [ran.count(request) for request in (twice, never, once)] == [2, 0, 1]
    assert [plane.books.counts[name] for name in ("EventsDoubled", "EventsLost")] == [1, 1]


def test_shaky_delivery_is_the_same_for_the_same_seed() -> None:
    plans = [[shaky_delivery(seed, doubled=0.2, dropped=0.1, late=0.1)(n) for n in range(1000)] for seed in (1, 1, 2)]

    assert plans[0] == plans[1] != plans[2]
    lengths = [len(copies) for copies in plans[0]]
    assert 150 < lengths.count(2) < 250
    assert 60 < lengths.count(0) < 140
    assert 60 < sum(copies == (1.0,) for copies in plans[0]) < 140


# What is written down: dg/python-logging, the pricing page


def test_init_is_billed_once(new: NewFunction, plane: DataPlane) -> None:
    """AWS's blog, billing of the init phase: it is billed like the rest, to the invocation that waited for it."""
    function = new("import time\ntime.sleep(0.2)\n" + HANDLER, memory_mb=512)
    function()
    function()

    cold, warm = plane.books.reports
    assert cold.init_ms > 200
    assert cold.billed_ms >= cold.init_ms + cold.duration_ms
    assert warm.init_ms == 0
    assert warm.billed_ms < 200
    assert cold.gb_seconds == cold.billed_ms / 1000 * 0.5


def test_logs_can_be_json(new: NewFunction, logged: list[str]) -> None:
    """dg/monitoring-cloudwatchlogs-logformat: platform events and the runtime's own records as JSON."""
    function = new(log_format="JSON")

    result = function("fail")

    records = [json.loads(line) for line in logged]
    assert [record.get("type") for record in records] == [
        "platform.initStart",
        "platform.start",
        None,
        "platform.report",
    ]
    assert records[2]["errorType"] == "ValueError"
    report = records[3]["record"]
    assert report["requestId"] == result.headers["x-amzn-RequestId"]
    assert report["metrics"]["memorySizeMB"] == 128


def test_each_environment_has_keys_of_its_own_and_can_be_killed(
    new: NewFunction, plane: DataPlane, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    function = new(writable=(tmp_path,))
    about = function("about").body["environment"]
    key = about["AWS_ACCESS_KEY_ID"]
    assert plane.environment_of(key) == about["AWS_LAMBDA_LOG_STREAM_NAME"]
    [running] = held(function, tmp_path, eventually)

    assert plane.kill(key)

    assert running.result().body["errorMessage"].endswith("signal: killed")
    assert not plane.kill("ASIAOFNOBODY")


def test_nothing_is_left_after_closing(
    package: Path, pool: ThreadPoolExecutor, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    plane = DataPlane(Bucket().put)
    function = EmulatedFunction(plane, package, pool, writable=(tmp_path,))
    idle = function().body["pid"]
    [running] = held(function, tmp_path, eventually)
    waiting = [function.start("echo") for _ in range(3)]
    function.send("fail")

    plane.close()
    plane.close()

    assert running.result().failed
    assert {future.result().status for future in waiting} <= {200, 500}
    assert function().status == 500
    assert not Path(f"/proc/{idle}").exists()


def test_environments_end_with_a_killed_emulator(package: Path, eventually: Callable[..., None]) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from wrenml.testing.emulator.functions import FunctionVersion\n"
        "from wrenml.testing.emulator.plane import DataPlane\n"
        "plane = DataPlane(print)\n"
        "plane.publish(FunctionVersion(name='f', package=Path(sys.argv[1])))\n"
        "print(plane.invoke('f', b'{}').body.decode(), flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(package)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as emulator:
        assert emulator.stdout is not None
        pid = json.loads(emulator.stdout.readline())["pid"]
        emulator.kill()

    eventually(lambda: not Path(f"/proc/{pid}").exists() or ") Z" in Path(f"/proc/{pid}/stat").read_text())
