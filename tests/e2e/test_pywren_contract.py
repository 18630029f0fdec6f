"""What PyWren documents, with nothing changed but the import."""

from __future__ import annotations

import importlib
import logging
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest

import wrenml as pywren
from wrenml.errors import CallCancelled, CallExited, CallTimeout, ConfigError

PATIENCE = 60.0
LARGE = 200_000_000  # bytes


@pytest.fixture(scope="module")
def wrenexec() -> Iterator[pywren.Executor]:
    with pywren.default_executor() as executor:
        yield executor


def plus_one(x: int) -> int:
    return x + 1


def wait_and_plus_one(task: tuple[str, int]) -> int:
    """Return when there is a file of that name."""
    gate, x = task
    while not Path(gate).exists():
        time.sleep(0.002)
    return x + 1


class TestNames:
    """The top level of the package."""

    def test_they_are_there(self) -> None:
        for name in (
            "default_executor",
            "lambda_executor",
            "dummy_executor",
            "local_executor",
            "wait",
            "get_all_results",
            "ALL_COMPLETED",
            "ANY_COMPLETED",
            "ALWAYS",
            "__version__",
        ):
            assert hasattr(pywren, name), name
        assert len({pywren.ALL_COMPLETED, pywren.ANY_COMPLETED, pywren.ALWAYS}) == 3

    def test_the_module_that_the_documentation_gives(self) -> None:
        """PyWren's pages write ``pywren.wren.default_executor``."""
        program = "import wrenml as pywren; print(pywren.wren.ALL_COMPLETED == pywren.ALL_COMPLETED)"
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert ran.stdout == "True\n"

    @pytest.mark.parametrize(
        ("name", "remedy"), [("wrenconfig", "max_calls"), ("remote_executor", "default"), ("standalone_executor", "de")]
    )
    def test_what_is_not_there_says_what_is(self, name: str, remedy: str) -> None:
        with pytest.raises(AttributeError, match=rf"no attribute '{name}': .*{remedy}"):
            getattr(pywren, name)

    def test_lambda_executor_without_aws(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
        with pytest.raises(ConfigError, match="Set AWS_REGION"):
            pywren.lambda_executor(job_max_runtime=40)

    def test_dummy_executor(self) -> None:
        executor = pywren.dummy_executor(job_max_runtime=300)
        futures = executor.map(plus_one, np.arange(4))
        np.testing.assert_array_equal(pywren.get_all_results(futures), [1, 2, 3, 4])
        assert executor.call_async(lambda _: os.getpid(), None).result() == os.getpid()


class TestCalls:
    """`call_async`, `map`, `reduce`."""

    def test_call_async(self, wrenexec: pywren.Executor) -> None:
        future = wrenexec.call_async(np.sum, np.arange(10))
        assert future.result() == 45

    def test_exception(self, wrenexec: pywren.Executor) -> None:
        def throw(_: object) -> None:
            raise Exception("Throw me out!")  # noqa: TRY002  # as PyWren's users do

        future = wrenexec.call_async(throw, None)
        with pytest.raises(Exception, match="Throw me out!"):
            future.result()

    def test_exception_of_its_own_type(self, wrenexec: pywren.Executor) -> None:
        future = wrenexec.call_async(lambda x: x / 0, 1)
        with pytest.raises(ZeroDivisionError) as caught:
            future.result()
        assert "test_pywren_contract.py" in str(caught.traceback[-1].path)

    def test_a_subprocess_that_fails(self, wrenexec: pywren.Executor) -> None:
        def run(command: str) -> bytes:
            return subprocess.check_output(command, shell=True, stderr=subprocess.DEVNULL)  # noqa: S602  # what is tested

        with pytest.raises(subprocess.CalledProcessError, match="Command 'fakecommand' returned"):
            wrenexec.call_async(run, "fakecommand").result()
        assert b"Linux" in wrenexec.call_async(run, "echo Linux").result()

    def test_exit(self, wrenexec: pywren.Executor) -> None:
        for leave, code in ((sys.exit, -1), (os._exit, 7)):
            with pytest.raises(CallExited, match=rf"non-zero return code {code}\b") as caught:
                wrenexec.call_async(leave, code).result()
            assert caught.value.code == code

    def test_empty_map(self, wrenexec: pywren.Executor) -> None:
        futures = wrenexec.map(lambda x: x, [])
        assert futures == []
        assert [future.result() for future in futures] == []

    def test_map(self, wrenexec: pywren.Executor) -> None:
        futures = wrenexec.map(plus_one, np.arange(10))
        for _ in range(2):
            dones, not_dones = pywren.wait(futures)
            assert (len(dones), not_dones) == (10, [])
        np.testing.assert_array_equal([future.result() for future in futures], np.arange(10) + 1)
        np.testing.assert_array_equal(pywren.get_all_results(futures), np.arange(10) + 1)

    def test_elements_are_passed_as_they_are(self, wrenexec: pywren.Executor) -> None:
        elements: list[Any] = [(1, 2), {"a": 1}, None, [3]]
        assert pywren.get_all_results(wrenexec.map(lambda x: x, elements)) == elements

    def test_reduce(self, wrenexec: pywren.Executor) -> None:
        assert wrenexec.reduce(sum, wrenexec.map(plus_one, range(10))).result() == 55

    def test_reduce_of_another_executors_futures(self, wrenexec: pywren.Executor) -> None:
        with pywren.local_executor(workers=1) as other:
            assert other.reduce(sum, wrenexec.map(plus_one, range(10)), extra_env={"A": "1"}).result() == 55

    def test_map_over_the_limit(self) -> None:
        with pywren.dummy_executor({"scheduler": {"map_item_limit": 100}}) as executor:
            assert len(executor.map(plus_one, range(100))) == 100
            with pytest.raises(ValueError, match="101 elements"):
                executor.map(plus_one, range(101))

    @pytest.mark.thorough
    def test_large_argument_and_closure(self, wrenexec: pywren.Executor) -> None:
        large = bytes(LARGE)
        assert wrenexec.call_async(len, large).result() == LARGE
        assert wrenexec.map(lambda x: len(large) + x, [0, 1])[1].result() == LARGE + 1


class TestOptions:
    """`extra_env`, `extra_meta`, `job_max_runtime` and the rest of the signatures."""

    def test_extra_env(self, wrenexec: pywren.Executor) -> None:
        def environment(_: object) -> dict[str, str]:
            return dict(os.environ)

        assert wrenexec.call_async(environment, None, extra_env={"HELLO": "WORLD"}).result()["HELLO"] == "WORLD"
        assert wrenexec.map(environment, [0], extra_env={"HELLO": "MAP"})[0].result()["HELLO"] == "MAP"
        assert "HELLO" not in wrenexec.map(environment, [0], extra_env=None)[0].result()

    @pytest.mark.parametrize("given", [{"HELLO": "WORLD"}, None])
    def test_extra_env_by_position_is_refused(self, wrenexec: pywren.Executor, given: dict[str, str] | None) -> None:
        with pytest.raises(ValueError, match="extra_env="):
            wrenexec.map(plus_one, [1], cast("Any", given))

    def test_what_means_nothing_here_is_said_once(
        self, wrenexec: pywren.Executor, caplog: pytest.LogCaptureFixture
    ) -> None:
        ignored: Any = {
            "extra_meta": {"a": 1},
            "invoke_pool_threads": 8,
            "data_all_as_one": True,
            "use_cached_runtime": True,
        }
        with caplog.at_level(logging.WARNING, "wrenml"):
            for _ in range(2):
                assert wrenexec.map(plus_one, [1], **ignored)[0].result() == 2
        said = [record.getMessage() for record in caplog.records]
        assert len(said) == len(set(said))

    def test_job_max_runtime(self) -> None:
        with pywren.local_executor(workers=1, job_max_runtime=0.3) as executor:
            future = executor.call_async(time.sleep, 60)
            with pytest.raises(CallTimeout, match="out of time"):
                future.result()
            assert executor.call_async(plus_one, 1).result() == 2

    def test_default_executor_takes_them_too(self, wrenexec: pywren.Executor) -> None:
        other = pywren.default_executor(job_max_runtime=200)
        assert other is not wrenexec
        assert other.call_async(plus_one, 1).result() == 2
        other.shutdown()


class TestFutures:
    """`result`, `done`, `succeeded`, `errored`, `cancel`."""

    def test_done_succeeded_errored(self, wrenexec: pywren.Executor, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        future = wrenexec.call_async(wait_and_plus_one, (str(gate), 1))
        assert (future.done(), future.succeeded(), future.errored()) == (False, False, False)
        assert future.result(check_only=True) is None
        gate.touch()
        assert future.result() == 2
        assert (future.done(), future.succeeded(), future.errored()) == (True, True, False)
        future = wrenexec.call_async(plus_one, cast("Any", None))
        with pytest.raises(TypeError):
            future.result()
        assert (future.done(), future.succeeded(), future.errored()) == (True, False, True)
        assert future.result(throw_except=False) is None

    def test_timeout(self, wrenexec: pywren.Executor, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        future = wrenexec.call_async(wait_and_plus_one, (str(gate), 1))
        with pytest.raises(TimeoutError):
            future.result(timeout=0.01)
        gate.touch()
        assert future.result(PATIENCE) == 2

    def test_cancel_a_running_call(
        self, wrenexec: pywren.Executor, tmp_path: Path, eventually: Callable[..., None]
    ) -> None:
        started = tmp_path / "started"

        def sleep(_: object) -> None:
            started.touch()
            time.sleep(60)

        future = wrenexec.call_async(sleep, None)
        eventually(started.exists)
        future.cancel()
        with pytest.raises(CallCancelled, match="cancelled"):
            future.result()
        assert future.cancelled()
        assert pywren.wait([future]) == ([future], [])
        assert wrenexec.call_async(plus_one, 1).result() == 2

    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_pickled_here(self, wrenexec: pywren.Executor, protocol: int) -> None:
        futures = pickle.loads(pickle.dumps(wrenexec.map(plus_one, range(10)), protocol))
        dones, _ = pywren.wait(futures)
        assert [future.result() for future in dones] == list(range(1, 11))

    @pytest.mark.parametrize("as_list", [False, True])
    def test_pickled_to_a_file_and_read_elsewhere(
        self, wrenexec: pywren.Executor, tmp_path: Path, *, as_list: bool
    ) -> None:
        """Also while the calls run; one job is read once, however many of its futures there are."""
        gate, file = tmp_path / "gate", tmp_path / "futures"
        futures = wrenexec.map(wait_and_plus_one, [(str(gate), x) for x in range(20)])
        file.write_bytes(pickle.dumps(list(futures) if as_list else futures))
        program = (
            "import pickle, sys, pathlib, threading, wrenml as pywren\n"
            "futures = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())\n"
            "print(len({future.owner for future in futures}), pywren.wait(futures, pywren.ALWAYS)[0])\n"
            "pathlib.Path(sys.argv[2]).touch()\n"
            "pywren.wait(futures)\n"
            "print([future.result() for future in futures])\n"
        )
        ran = subprocess.run(
            [sys.executable, "-c", program, str(file), str(gate)], capture_output=True, text=True, check=False
        )
        assert ran.stdout.splitlines() == ["1 []", str(list(range(1, 21)))], ran.stderr


class TestWait:
    """`wait` returns two lists, in the order given."""

    def test_all_completed(self, wrenexec: pywren.Executor) -> None:
        futures = wrenexec.map(plus_one, range(10))
        dones, not_dones = pywren.wait(futures, pywren.ALL_COMPLETED, 16, 1)
        assert (dones, not_dones) == (list(futures), [])
        assert (type(dones), type(not_dones)) == (list, list)

    def test_any_completed(self, wrenexec: pywren.Executor, tmp_path: Path) -> None:
        gates = [tmp_path / f"gate{i}" for i in range(3)]
        futures = wrenexec.map(wait_and_plus_one, [(str(gate), i) for i, gate in enumerate(gates)])
        assert pywren.wait(futures, pywren.ALWAYS) == ([], list(futures))
        left = list(futures)
        opened = iter(gates)
        while left:
            next(opened).touch()
            dones, left = pywren.wait(left, return_when=pywren.ANY_COMPLETED, WAIT_DUR_SEC=1, THREADPOOL_SIZE=4)
            assert dones
        assert [future.result() for future in futures] == [1, 2, 3]

    def test_two_maps_and_two_executors(self, wrenexec: pywren.Executor) -> None:
        first = wrenexec.map(plus_one, range(10))
        second = pywren.default_executor().map(plus_one, range(10))
        with pywren.local_executor(workers=1) as other:
            third = other.map(plus_one, range(10))
            dones, not_dones = pywren.wait(first + second + third)
        assert not_dones == []
        assert [future.result() for future in dones] == [*range(1, 11)] * 3

    def test_another_mode(self, wrenexec: pywren.Executor) -> None:
        with pytest.raises(ValueError, match="ALL_COMPLETED"):
            pywren.wait(wrenexec.map(plus_one, [1]), return_when="SOME")


CYRILLIC = "абвг"
MODULES = {
    "plain_module": ("utf-8", "def foo_add(x):\n    return x + 1\n"),
    "utf8_module": ("utf-8", f"TEXT = '{CYRILLIC}'\ndef foo_add(x):\n    return TEXT + str(x + 1)\n"),
    "cyrillic_module": (
        "iso-8859-5",
        f"# coding: iso-8859-5\n# {CYRILLIC}\nTEXT = '{CYRILLIC}'\ndef foo_add(x):\n    return TEXT + str(x + 1)\n",
    ),
    "latin_module": ("latin-1", "# -*- coding: latin-1 -*-\ndef foo_add(x):\n    return 'é' + str(x + 1)\n"),
}


class TestModules:
    """Local modules travel, whatever their encoding, unless they are to stay."""

    @pytest.fixture
    def module(self, tmp_path: Path) -> Iterator[Callable[[str], ModuleType]]:
        for name, (encoding, text) in MODULES.items():
            (tmp_path / f"{name}.py").write_text(text, encoding=encoding)
        sys.path.insert(0, str(tmp_path))
        importlib.invalidate_caches()
        yield importlib.import_module
        sys.path.remove(str(tmp_path))
        for name in MODULES:
            sys.modules.pop(name, None)

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("plain_module", 2),
            ("utf8_module", f"{CYRILLIC}2"),
            ("cyrillic_module", f"{CYRILLIC}2"),
            ("latin_module", "é2"),
        ],
    )
    def test_encodings(
        self, wrenexec: pywren.Executor, module: Callable[[str], ModuleType], name: str, expected: object
    ) -> None:
        helper = module(name)
        assert wrenexec.call_async(helper.foo_add, 1).result() == expected
        assert wrenexec.call_async(lambda x: [helper.foo_add(x)], 1).result() == [expected]

    def test_dummy_executor(self, module: Callable[[str], ModuleType]) -> None:
        helper = module("utf8_module")
        assert pywren.dummy_executor().call_async(lambda x: [helper.foo_add(x)], 1).result() == [f"{CYRILLIC}2"]

    def test_exclude_modules(self, wrenexec: pywren.Executor, module: Callable[[str], ModuleType]) -> None:
        helper = module("plain_module")

        def foo(x: int) -> object:
            return helper.foo_add(x)

        def imports(x: int) -> object:
            import plain_module  # type: ignore[import-not-found]  # noqa: PLC0415  # the module of the fixture

            return plain_module.foo_add(x)

        for fn in (foo, imports):
            assert wrenexec.map(fn, [1])[0].result() == 2
            futures = wrenexec.map(fn, [1], exclude_modules=["plain_module"])
            with pytest.raises(ImportError):
                futures[0].result()

    def test_a_program_that_is_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "extmodule.py").write_text("def foo_add(x):\n    return x + 1\n")
        program = (
            "import wrenml as pywren; import extmodule; pwex = pywren.default_executor(); "
            "results = pwex.map(extmodule.foo_add, [0]); print(results[0].result())"
        )
        ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (ran.stdout, ran.returncode) == ("1\n", 0), ran.stderr
