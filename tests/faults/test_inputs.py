"""Bad and odd input: refused where it is given, naming what and where, and nobody else's loss."""

from __future__ import annotations

import functools
import gc
import itertools
import math
import operator
import os
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import wrenml
from tests.faults import deeds
from tests.faults.clients import ROOT, client
from wrenml.errors import (
    ArgumentNotSerializable,
    ConfigError,
    FunctionNotSerializable,
    RemoteError,
    ResultNotSerializable,
)

PATIENCE = 60


def notes(error: BaseException | None) -> str:
    return "\n".join(getattr(error, "__notes__", []))


def test_an_unpicklable_variable_of_a_function_is_named(executor: wrenml.Executor) -> None:
    settings = {"locks": [1, threading.Lock()]}

    def uses_lock(x: object) -> object:
        return x, settings

    with pytest.raises(FunctionNotSerializable) as caught:
        executor.map(uses_lock, [1])
    text = str(caught.value)
    assert "uses_lock" in text
    assert "settings" in text
    assert "locks" in text
    assert "lock" in text.lower()


def test_an_unpicklable_argument_fails_alone_with_its_index_and_path(executor: wrenml.Executor) -> None:
    class Config:
        def __init__(self) -> None:
            self.inner = {"handles": [1, 2, threading.Lock()]}

    futures = executor.map(lambda x: type(x).__name__, [1, Config(), "x"])
    error = futures[1].exception(PATIENCE)
    assert isinstance(error, ArgumentNotSerializable)
    assert "inner" in str(error)
    assert "handles" in str(error)
    assert "1" in str(error)
    assert (futures[0].result(PATIENCE), futures[2].result(PATIENCE)) == ("int", "str")


@pytest.mark.parametrize(
    ("deed", "word"),
    [
        (deeds.returns_coroutine, "coroutine"),
        (deeds.returns_file, "TextIOWrapper"),
        (deeds.returns_generator, "generator"),
        (deeds.returns_future, "Future"),
        (deeds.returns_thread, "Thread"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_results_that_cannot_travel_are_named(executor: wrenml.Executor, deed: Callable[[int], Any], word: str) -> None:
    futures = executor.map(deeds.Only(1, deed), range(3), chunksize=3)
    error = futures[1].exception(PATIENCE)
    assert isinstance(error, ResultNotSerializable)
    assert word in str(error)
    assert (futures[0].result(PATIENCE), futures[2].result(PATIENCE)) == (0, 2)


def test_exceptions_of_every_sort_arrive(executor: wrenml.Executor) -> None:
    def of(deed: Callable[[object], None]) -> BaseException:
        error = executor.submit(deed, 0).exception(PATIENCE)
        assert error is not None
        return error

    group = of(deeds.raises_group)
    assert isinstance(group, ExceptionGroup)
    assert "a note" in notes(group)
    assert isinstance(group.__cause__, OSError)
    assert "three" in "".join(traceback.format_exception(group))
    refused = of(deeds.raises_unpickling_fails)
    assert isinstance(refused, RemoteError | deeds.UnpicklingFails)
    assert "original words" in "".join(traceback.format_exception(refused))
    assert isinstance(of(deeds.raises_class), ValueError)
    assert "1 and 2" in str(of(deeds.raises_does_not_unpickle))
    assert "made in the call" in str(of(deeds.raises_locally))
    assert isinstance(of(deeds.raises_large), ValueError | RemoteError)
    assert isinstance(of(deeds.recurses), RecursionError)
    chain = of(deeds.raises_deep_chain)
    assert isinstance(chain, ValueError | RemoteError)
    assert "2999" in str(chain)


def test_awkward_arguments_and_results(executor: wrenml.Executor) -> None:
    assert type(executor.submit(deeds.same, deeds.Awkward()).result(PATIENCE)) is deeds.Awkward
    error = executor.submit(deeds.fails, deeds.Awkward()).exception(PATIENCE)
    assert isinstance(error, ValueError)
    assert str(error) == "failed for Awkward"


def test_recursion_in_pickling_is_clear_both_ways(executor: wrenml.Executor) -> None:
    def nested(depth: int) -> list[Any]:
        deep: list[Any] = []
        for _ in range(depth):
            deep = [deep]
        return deep

    def returns_deep(depth: int) -> object:
        deep: list[Any] = []
        for _ in range(depth):
            deep = [deep]
        return deep

    futures = executor.map(deeds.length, [[1], nested(200_000)])
    assert futures[0].result(PATIENCE) == 1
    error = futures[1].exception(PATIENCE)
    assert isinstance(error, ArgumentNotSerializable)
    assert "nested" in str(error) or "recursion" in str(error).lower()
    error = executor.submit(returns_deep, 200_000).exception(PATIENCE)
    assert isinstance(error, ResultNotSerializable)


def test_empty_input_is_over_at_once(own: wrenml.Executor) -> None:
    futures = own.map(deeds.same, [])
    assert (len(futures), futures.results(), futures.exceptions()) == (0, [], [])
    assert futures.summary().calls == 0
    assert list(own.imap(deeds.same, [])) == []
    assert own.starmap(deeds.same, []).results() == []
    assert wrenml.wait(futures).done == []
    assert own.reduce(sum, futures).result(PATIENCE) == 0


def test_values_are_values(executor: wrenml.Executor) -> None:
    values: list[Any] = [None, (1, 2), {"a": 1}, [], "", b"", 0, False, ..., NotImplemented, {1, 2}, range(3), 1j, type]
    assert executor.map(deeds.same, values).results(timeout=PATIENCE) == values
    assert math.isnan(executor.submit(deeds.same, math.nan).result(PATIENCE))
    assert executor.map(operator.add, [1, 2, 3], [10, 20]).results(timeout=PATIENCE) == [11, 22]
    with pytest.raises(ValueError, match="shorter"):
        executor.map(operator.add, [1, 2, 3], [10, 20], strict=True)


def test_an_endless_input_is_pulled_no_further_than_the_window(executor: wrenml.Executor) -> None:
    pulled, closed = [], []

    def endless() -> Iterator[int]:
        try:
            for i in itertools.count():
                pulled.append(i)
                yield i
        finally:
            closed.append(True)

    results = executor.imap(deeds.same, endless(), window=4)
    assert [next(results) for _ in range(10)] == list(range(10))
    assert len(pulled) <= 14
    del results
    gc.collect()
    assert closed


def test_input_that_blocks_does_not_hold_back_results(executor: wrenml.Executor) -> None:
    gate = threading.Event()
    got: list[object] = []

    def source() -> Iterator[int]:
        yield from range(3)
        assert gate.wait(PATIENCE)
        yield 3

    def read() -> None:
        got.extend(executor.imap(deeds.same, source(), window=2))

    reader = threading.Thread(target=read)
    reader.start()
    gate.set()
    reader.join(PATIENCE)
    assert got == [0, 1, 2, 3]


def test_changing_the_input_after_the_call_changes_nothing(executor: wrenml.Executor) -> None:
    import numpy as np  # noqa: PLC0415

    items = [[i] for i in range(50)]
    array = np.zeros(100_000)
    captured = {"value": 1}
    futures = executor.map(lambda x: (x, captured["value"]), items)
    sums = executor.map(lambda part: float(part.sum()), [array, array])
    captured["value"] = 2
    array += 1
    for item in items:
        item.append(-1)
    items.clear()
    assert futures.results(timeout=PATIENCE) == [([i], 1) for i in range(50)]
    assert sums.results(timeout=PATIENCE) == [0.0, 0.0]


class Kinds:
    def method(self, x: int) -> int:
        return x + 1

    @classmethod
    def of_class(cls, x: int) -> int:
        return x + 2

    @staticmethod
    def static(x: int) -> int:
        return x + 3

    def __call__(self, x: int) -> int:
        return x + 4


def test_every_kind_of_callable(executor: wrenml.Executor) -> None:
    async def asynchronous(x: int) -> int:
        return x + 5

    def generator(x: int) -> Iterator[int]:
        yield x

    kinds: list[tuple[Callable[[Any], Any], Any]] = [
        (Kinds().method, 2),
        (Kinds.of_class, 3),
        (Kinds.static, 4),
        (Kinds(), 5),
        (asynchronous, 6),
        (functools.partial(operator.add, 10), 11),
        (lambda x: x * 9, 9),
        (str, "1"),
        (abs, 1),
        ([0, 1, 2].index, 1),
        (operator.itemgetter, operator.itemgetter(1)),
        (math.sqrt, 1.0),
        (int.bit_length, 1),
    ]
    for function, expected in kinds:
        result = executor.submit(function, 1).result(PATIENCE)
        assert repr(result) == repr(expected) or result == expected, function
    error = executor.submit(generator, 1).exception(PATIENCE)
    assert isinstance(error, ResultNotSerializable)
    assert "list" in str(error)
    for bad in (None, 3, "name"):
        with pytest.raises(ConfigError, match="cannot be called"):
            executor.map(bad, [1])  # type: ignore[arg-type]


def test_secrets_in_variables_are_shown_nowhere(own: wrenml.Executor, caplog: pytest.LogCaptureFixture) -> None:
    secret = "s3cr3t" + os.urandom(4).hex()
    caplog.set_level("DEBUG")
    futures = own.map(deeds.fails_with_secret, [1], env={"API_TOKEN": secret})
    error = futures[0].exception(PATIENCE)
    assert error is not None
    shown = [
        "".join(traceback.format_exception(error)),
        *map(repr, (futures, futures[0], own, futures.summary(), own.session, error)),
        str(futures._repr_html_()),
        caplog.text,
        futures.logs(0),
    ]
    assert str(len(secret)) in str(error)
    assert not [text for text in shown if secret in text]
    key = own.session.root.key
    folder = Path(own.session.storage.url.removeprefix("file://"))
    for file in folder.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert key not in data
            assert key.hex().encode() not in data
    assert key.hex() not in repr(own.session.root)
    assert secret.encode() not in pickle.dumps(futures[0])


def test_a_module_that_is_missing_in_the_worker_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "excluded_module.py").write_text("def double(x):\n    return 2 * x\n")
    script = """
import wrenml, excluded_module
with wrenml.local_executor(workers=1) as executor:
    print(executor.map(excluded_module.double, [1, 2]).results())
    error = executor.map(excluded_module.double, [1], exclude_modules=["excluded_module"])[0].exception(60)
    print(type(error).__name__, error.name, *error.__notes__)
    def late(x):
        import does_not_exist_anywhere
    error = executor.submit(late, 1).exception(60)
    print(type(error).__name__, *error.__notes__)
"""
    lines = client(script, PYTHONPATH=f"{ROOT}{os.pathsep}{tmp_path}").splitlines()
    assert lines[0] == "[2, 4]"
    assert lines[1].startswith("ModuleNotFoundError excluded_module")
    assert "exclude_modules" in "\n".join(lines) or "files=" in "\n".join(lines)
    assert any("does_not_exist_anywhere" in line and "Install" in line for line in lines)
