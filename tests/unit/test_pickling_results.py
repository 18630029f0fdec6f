from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wrenml.errors import ResultNotSerializable
from wrenml.pickling import Unpacker, dumps_result


@pytest.fixture
def unpacker() -> Unpacker:
    blobs: dict[bytes, bytes] = {}
    return Unpacker(blobs.__getitem__)


def by_value(source: str, name: str) -> Any:  # noqa: ANN401 - whatever the source makes
    """Something that a script made: its module is ``__main__``."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(source, scope)  # noqa: S102 - the source is the test's own
    return scope[name]


def test_results_of_every_size(unpacker: Unpacker) -> None:
    for value in (None, 3, "x", [1, {"a": (2,)}], lambda: 5):
        pieces = dumps_result(value)
        assert len(pieces) == 1
        loaded = unpacker.loads(pieces[0])
        assert loaded() == 5 if callable(value) else loaded == value


def test_large_buffers_of_results_are_views_and_aligned(unpacker: Unpacker) -> None:
    arrays = [np.arange(100_000), np.arange(100_001, dtype="u1"), np.arange(3)]
    pieces = dumps_result(arrays)
    views: list[Any] = [piece for piece in pieces if isinstance(piece, memoryview)]
    assert [view.obj is array for view, array in zip(views, arrays, strict=False)] == [True, True]
    body = bytearray(b"".join(pieces))
    start = np.frombuffer(body, dtype="u1").ctypes.data
    loaded = unpacker.loads(body)
    for got, array in zip(loaded, arrays, strict=True):
        assert (got == array).all()
        assert got.flags.writeable
    assert [(x.ctypes.data - start) % 64 for x in loaded[:2]] == [0, 0]


def test_classes_of_the_main_module_come_back_as_themselves(unpacker: Unpacker) -> None:
    cls = by_value("class Point:\n    def __init__(self, x):\n        self.x = x", "Point")
    (data,) = dumps_result([cls(3)])
    assert unpacker.loads(data)[0].x == 3
    assert type(unpacker.loads(data)[0]) is cls


async def _coroutine() -> None: ...


def _generator() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_generator, r"Return list\(\.\.\.\)"),
        (Future, r"Return its result\(\)"),
        (lambda: [Future()], r"result\[0\]: it is a future"),
        (lambda: {"a": threading.Lock()}, r"builtins\.dict .*result\['a'\]: cannot pickle"),
    ],
    ids=["generator", "future", "nested future", "lock"],
)
def test_results_that_cannot_be_sent_say_why(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ResultNotSerializable, match=words):
        dumps_result(make())


def test_coroutines_files_and_loop_futures_say_why(tmp_path: Path) -> None:
    coroutine = _coroutine()
    with pytest.raises(ResultNotSerializable, match="never awaited"):
        dumps_result(coroutine)
    coroutine.close()
    with (tmp_path / "f").open("w+") as file, pytest.raises(ResultNotSerializable, match="an open file"):
        dumps_result(file)
    with (
        (tmp_path / "f").open() as file,
        pytest.raises(ResultNotSerializable, match=r"result\['f'\]: .*open"),
    ):
        dumps_result({"f": file, "g": lambda: 1})
    loop = asyncio.new_event_loop()
    with pytest.raises(ResultNotSerializable, match="asyncio future"):
        dumps_result(loop.create_future())
    loop.close()


def test_a_repr_that_fails_does_not_hide_the_error() -> None:
    class Mute:
        def __init__(self) -> None:
            self.lock = threading.Lock()

        def __repr__(self) -> str:
            raise ValueError

    with pytest.raises(ResultNotSerializable, match=r"<Mute instance at .*>.*result\.lock"):
        dumps_result(Mute())
